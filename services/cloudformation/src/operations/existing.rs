//! `ImportExistingResources` of a change set: resources whose names are taken already would be imported. That is not
//! built; where none of the names is taken, there is nothing to import and the change set is like any other.
//! `cdk bootstrap` and `cdk deploy --import-existing-resources` ask for it.

use crate::stack::changes::Changes;
use crate::stack::schemas::own_name;
use kiln_service_kit::{Cx, Error};
use kiln_template::changes::Action;

/// Refuses to import the things that have the names of resources that would be added.
pub async fn refuse_import(cx: &Cx, changes: &Changes) -> Result<(), Error> {
    for change in changes.resources.iter().filter(|change| change.action == Action::Add) {
        let Some(after) = &change.after else { continue };
        let Some(kind) = cx.platform().resource_type(&change.resource_type) else { continue };
        let Some(name) = own_name(&*kind, &after.properties) else { continue };
        if kind.exists(cx, name, &after.properties).await? {
            let (kind, id) = (&change.resource_type, &change.logical_id);
            return Err(Error::not_built(format!("import of existing resources ({id}: the {kind} {name} is there)")));
        }
    }
    Ok(())
}
