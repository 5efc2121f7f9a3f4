//! Parameters: their declaration, and the checking of the values a caller gives.
//!
//! A value arrives as text. What a template sees is decided here: lists are cut at commas, SSM parameters are
//! looked up by name through [`Lookup`]. `UsePreviousValue` is the caller's business: it gives the old text.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{At, Result, TemplateError};
use crate::fields::{entries, flag, scalars, text};
use crate::lookup::{Answer, Lookup, UNKNOWN};
use crate::node::Node;
use crate::pattern::{Pattern, TooManySteps};

/// The declared type of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// `String`.
    String,
    /// `Number`.
    Number,
    /// `List<Number>`.
    NumberList,
    /// `CommaDelimitedList` and `List<String>`.
    StringList,
    /// An AWS type such as `AWS::EC2::VPC::Id`: the caller checks that it exists.
    Aws(String),
    /// `List<AWS::…>`.
    AwsList(String),
    /// `AWS::SSM::Parameter::Name`: the name itself.
    SsmName,
    /// `AWS::SSM::Parameter::Value<T>`: what the parameter store holds under that name.
    SsmValue(Box<ParameterType>),
}

/// The AWS types CloudFormation knows for parameters.
const AWS_TYPES: [&str; 10] = [
    "AWS::EC2::AvailabilityZone::Name",
    "AWS::EC2::Image::Id",
    "AWS::EC2::Instance::Id",
    "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::GroupName",
    "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet::Id",
    "AWS::EC2::VPC::Id",
    "AWS::EC2::Volume::Id",
    "AWS::Route53::HostedZone::Id",
];

impl ParameterType {
    /// From the `Type` member.
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(inner) = name.strip_prefix("AWS::SSM::Parameter::Value<").and_then(|rest| rest.strip_suffix('>')) {
            let inner = Self::from_name(inner)?;
            return match inner {
                Self::Number | Self::NumberList | Self::SsmName | Self::SsmValue(_) => None,
                inner => Some(Self::SsmValue(Box::new(inner))),
            };
        }
        if let Some(inner) = name.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>')) {
            return match inner {
                "Number" => Some(Self::NumberList),
                "String" => Some(Self::StringList),
                inner if AWS_TYPES.contains(&inner) => Some(Self::AwsList(inner.to_owned())),
                _ => None,
            };
        }
        match name {
            "String" => Some(Self::String),
            "Number" => Some(Self::Number),
            "CommaDelimitedList" => Some(Self::StringList),
            "AWS::SSM::Parameter::Name" => Some(Self::SsmName),
            name if AWS_TYPES.contains(&name) => Some(Self::Aws(name.to_owned())),
            _ => None,
        }
    }

    /// The AWS type of the things that its value or values name, if they name any.
    pub fn names_things(&self) -> Option<&str> {
        match self {
            Self::Aws(kind) | Self::AwsList(kind) => Some(kind),
            Self::SsmName => Some("AWS::SSM::Parameter::Name"),
            _ => None,
        }
    }

    /// Does a `Ref` to it give a list?
    pub fn is_list(&self) -> bool {
        match self {
            Self::NumberList | Self::StringList | Self::AwsList(_) => true,
            Self::SsmValue(inner) => inner.is_list(),
            Self::String | Self::Number | Self::Aws(_) | Self::SsmName => false,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Number | Self::NumberList)
    }
}

/// One entry of `Parameters`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `Type` as written.
    pub type_name: String,
    /// `Type` understood.
    pub kind: ParameterType,
    /// `Default`, as text.
    pub default: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `NoEcho`: never shown again.
    pub no_echo: bool,
    /// `AllowedValues`; empty if any is.
    pub allowed_values: Vec<String>,
    /// `AllowedPattern`, as written and compiled for the whole value.
    pub allowed_pattern: Option<(String, Pattern)>,
    /// `ConstraintDescription`.
    pub constraint_description: Option<String>,
    /// `MinLength` and `MaxLength`.
    pub length: (Option<u64>, Option<u64>),
    /// `MinValue` and `MaxValue`.
    pub range: (Option<f64>, Option<f64>),
}

/// Understands one declaration.
pub(crate) fn parse(node: &Node, at: &At<'_>) -> Result<Parameter> {
    let members = entries(node, at, "Template format error: Every Parameters member must be an object.")?;
    let missing = || at.error("Template format error: Every Parameters object must contain a Type member.");
    let type_name = node.get("Type").ok_or_else(missing)?;
    let type_at = at.key("Type", type_name.mark);
    let type_name = text(type_name, &type_at, "Template format error: Every Type member must be a string.")?;
    let kind = ParameterType::from_name(&type_name)
        .ok_or_else(|| type_at.error(format!("Template format error: Unrecognized parameter type: {type_name}")))?;
    let mut parameter = Parameter {
        type_name,
        kind,
        default: None,
        description: None,
        no_echo: false,
        allowed_values: Vec::new(),
        allowed_pattern: None,
        constraint_description: None,
        length: (None, None),
        range: (None, None),
    };
    for (key, value) in members {
        let name = key.name.as_str();
        let at = at.key(name, value.mark);
        let string = || text(value, &at, &format!("Template format error: Every {name} member must be a string."));
        match name {
            "Type" => {}
            "Default" => parameter.default = Some(string()?),
            "Description" => parameter.description = Some(string()?),
            "ConstraintDescription" => parameter.constraint_description = Some(string()?),
            "NoEcho" => {
                parameter.no_echo = flag(value)
                    .ok_or_else(|| at.error("Template format error: Every NoEcho member must be a boolean."))?;
            }
            "AllowedValues" => {
                parameter.allowed_values = scalars(value)
                    .ok_or_else(|| at.error("Template format error: Every AllowedValues member must be a list."))?;
            }
            "AllowedPattern" => {
                let pattern = string()?;
                parameter.allowed_pattern = Some((pattern.clone(), whole(&pattern, &at)?));
            }
            "MinLength" => parameter.length.0 = Some(number(&string()?, &at, name)?),
            "MaxLength" => parameter.length.1 = Some(number(&string()?, &at, name)?),
            "MinValue" => parameter.range.0 = Some(number(&string()?, &at, name)?),
            "MaxValue" => parameter.range.1 = Some(number(&string()?, &at, name)?),
            other => return Err(at.error(format!("Invalid template parameter property '{other}'"))),
        }
    }
    Ok(parameter)
}

fn number<N: std::str::FromStr>(text: &str, at: &At<'_>, name: &str) -> Result<N> {
    text.trim().parse().map_err(|_| at.error(format!("Template format error: Every {name} member must be a number.")))
}

fn whole(pattern: &str, at: &At<'_>) -> Result<Pattern> {
    Pattern::java(pattern).map_err(|reason| {
        at.error(format!("Template format error: AllowedPattern '{pattern}' is not a regular expression: {reason}"))
    })
}

/// What a template sees of its parameters, and the text the caller gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterValues {
    /// What `Ref` gives: text, or a list of texts.
    pub values: BTreeMap<String, Value>,
    /// The text given (or the default), as `DescribeStacks` shows it.
    pub given: BTreeMap<String, String>,
    /// For SSM parameters: what was found, as `DescribeStacks` shows it in `ResolvedValue`.
    pub resolved: BTreeMap<String, String>,
}

/// Checks the values a caller gives against the declarations and works out what the template sees.
pub fn resolve(
    declared: &BTreeMap<String, Parameter>,
    given: &BTreeMap<String, String>,
    lookup: &dyn Lookup,
) -> Result<ParameterValues> {
    let strangers: Vec<&str> = given.keys().map(String::as_str).filter(|name| !declared.contains_key(*name)).collect();
    if !strangers.is_empty() {
        return Err(TemplateError::plain(format!(
            "Parameters: [{}] do not exist in the template",
            strangers.join(", ")
        )));
    }
    let missing: Vec<&str> = declared
        .iter()
        .filter(|(name, parameter)| parameter.default.is_none() && !given.contains_key(*name))
        .map(|(name, _)| name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(TemplateError::plain(format!("Parameters: [{}] must have values", missing.join(", "))));
    }
    let mut out = ParameterValues::default();
    for (name, parameter) in declared {
        let Some(text) = given.get(name).or(parameter.default.as_ref()) else {
            continue;
        };
        parameter.check(name, text)?;
        out.given.insert(name.clone(), text.clone());
        let value = match &parameter.kind {
            ParameterType::SsmValue(inner) => match ssm(name, text, lookup)? {
                None => Value::String(UNKNOWN.to_owned()),
                Some(found) => {
                    out.resolved.insert(name.clone(), found.clone());
                    seen(inner, &found)
                }
            },
            kind => seen(kind, text),
        };
        out.values.insert(name.clone(), value);
    }
    Ok(out)
}

fn ssm(name: &str, text: &str, lookup: &dyn Lookup) -> Result<Option<String>> {
    let (key, version) = match text.rsplit_once(':').and_then(|(key, v)| Some((key, v.parse::<u64>().ok()?))) {
        Some((key, version)) => (key, Some(version)),
        None => (text, None),
    };
    match lookup.ssm_parameter(key, version) {
        Ok(Answer::NotYet) => Ok(None),
        Ok(Answer::Known(value)) => {
            Ok(Some(crate::functions::scalar_text(&value).unwrap_or_else(|| value.to_string())))
        }
        Err(error) => Err(TemplateError::plain(format!(
            "Unable to fetch parameters [{key}] from parameter store for this account. (parameter {name}: {error})"
        ))),
    }
}

fn seen(kind: &ParameterType, text: &str) -> Value {
    if !kind.is_list() {
        return Value::String(text.to_owned());
    }
    if text.is_empty() {
        return Value::Array(Vec::new());
    }
    Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect())
}

impl Parameter {
    /// Does this text keep the constraints?
    fn check(&self, name: &str, text: &str) -> Result<()> {
        let items: Vec<&str> = match self.kind {
            ParameterType::SsmValue(_) => vec![text],
            _ if self.kind.is_list() => text.split(',').map(str::trim).collect(),
            _ => vec![text],
        };
        for item in items {
            if let Some(broken) = self.broken(item) {
                return Err(TemplateError::plain(match &self.constraint_description {
                    Some(description) => {
                        format!("Parameter {name} failed to satisfy constraint: {description}")
                    }
                    None => format!("Parameter '{name}' {broken}"),
                }));
            }
        }
        Ok(())
    }

    fn broken(&self, item: &str) -> Option<String> {
        if self.kind.is_number() {
            let number: f64 = match item.trim().parse() {
                Ok(number) if f64::is_finite(number) => number,
                _ => return Some("must be a number".to_owned()),
            };
            if let Some(least) = self.range.0.filter(|least| number < *least) {
                return Some(format!("must be a number not less than {least}"));
            }
            if let Some(most) = self.range.1.filter(|most| number > *most) {
                return Some(format!("must be a number not greater than {most}"));
            }
        } else {
            let length = item.chars().count() as u64;
            if let Some(least) = self.length.0.filter(|least| length < *least) {
                return Some(format!("must contain at least {least} characters"));
            }
            if let Some(most) = self.length.1.filter(|most| length > *most) {
                return Some(format!("must contain at most {most} characters"));
            }
        }
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| allowed == item) {
            return Some("must be one of AllowedValues".to_owned());
        }
        match &self.allowed_pattern {
            Some((pattern, whole)) => match whole.is_match(item) {
                Ok(true) => None,
                Ok(false) => Some(format!("must match pattern {pattern}")),
                Err(TooManySteps) => Some(format!("takes too long to compare with pattern {pattern}")),
            },
            None => None,
        }
    }
}
