//! From a text to a [`Template`]: read, understood, checked.
//!
//! [`Template::parse`] is the one way in. It refuses what CloudFormation refuses before a stack exists: unknown
//! sections and resource attributes, wrong shapes, names, limits, and references to what is not there (`check`).

use std::collections::BTreeMap;

use crate::check;
use crate::error::Result;
use crate::loops;
use crate::names;
use crate::node::Node;
use crate::read::{self, Aliases, Origin};
use crate::schema::Schemas;
use crate::sections;
use crate::template::Template;

impl Template {
    /// Reads, understands and checks a template body.
    pub fn parse(body: &str, origin: Origin) -> Result<Template> {
        Self::parse_with(body, origin, Aliases::Refuse)
    }

    /// The same, choosing what happens to YAML aliases.
    pub fn parse_with(body: &str, origin: Origin, aliases: Aliases) -> Result<Template> {
        Self::understand(&read::read(body, origin, aliases)?, &BTreeMap::new())
    }

    /// The same with the texts of its parameters, which `Fn::ForEach` may go over, and of the pseudo parameters.
    pub fn parse_given(body: &str, origin: Origin, given: &BTreeMap<String, String>) -> Result<Template> {
        Self::understand(&read::read(body, origin, Aliases::Refuse)?, given)
    }

    fn understand(node: &Node, given: &BTreeMap<String, String>) -> Result<Template> {
        let template = match sections::language_extensions(node)? {
            true => sections::template(&names::resolve(loops::expand(node, given)?, given)?)?,
            false => sections::template(node)?,
        };
        check::references(&template)?;
        Ok(template)
    }

    /// Refuses the template if it asks a resource for an attribute its type does not have. Types `schemas` does not
    /// know pass (`check_types` is for them).
    pub fn check_attributes(&self, schemas: &dyn Schemas) -> Result<()> {
        check::attributes(self, schemas)
    }
}
