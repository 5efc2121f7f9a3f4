//! The filters of listings, and what it means to lie under a path.

use crate::errors::{bad_path, validation};
use crate::name;
use crate::records::{Parameter, Version};
use kiln_service_kit::Error;
use kiln_ssm_shapes::ParameterStringFilter;

/// Which listing the filters are for: each takes keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    ByPath,
    Describe,
}

/// A checked filter.
#[derive(Debug, Clone)]
pub enum Filter {
    /// Key, how the values are compared, values.
    Field(Field, Compare, Vec<String>),
    Tag(String, Compare, Vec<String>),
    Path(Vec<String>, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Name,
    Type,
    KeyId,
    Tier,
    DataType,
    Label,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equals,
    BeginsWith,
    Contains,
    /// No values were given: it is enough to be there.
    Exists,
}

impl Compare {
    fn holds(self, actual: &str, wanted: &[String]) -> bool {
        match self {
            Compare::Equals => wanted.iter().any(|value| value == actual),
            Compare::BeginsWith => wanted.iter().any(|value| actual.starts_with(value)),
            Compare::Contains => wanted.iter().any(|value| actual.contains(value)),
            Compare::Exists => true,
        }
    }
}

/// Whether this can be a path of a hierarchy.
pub fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains("//") && (text.len() == 1 || name::well_formed(text))
}

/// Checks the filters of a request, one after the other: key, values, whether it was there before,
/// then what its key asks of it.
pub fn read(given: &[ParameterStringFilter], allowed: Allowed) -> Result<Vec<Filter>, Error> {
    let mut seen: Vec<&str> = vec![];
    let mut filters = vec![];
    for filter in given {
        check_key(filter, allowed)?;
        if seen.contains(&filter.key.as_str()) {
            return Err(Error::sender(
                "InvalidFilterKey",
                format!(
                    "The following filter is duplicated in the request: {}. A request can contain only one occurrence of \
                     a specific filter.",
                    filter.key
                ),
            ));
        }
        seen.push(&filter.key);
        filters.push(one(filter)?);
    }
    Ok(filters)
}

fn check_key(filter: &ParameterStringFilter, allowed: Allowed) -> Result<(), Error> {
    let key = filter.key.as_str();
    let (known, valid) = match allowed {
        Allowed::ByPath => (matches!(key, "Type" | "KeyId" | "Label"), "[Type, KeyId]"),
        Allowed::Describe => (
            matches!(key, "Path" | "Name" | "Type" | "KeyId" | "Tier" | "DataType") || key.starts_with("tag:"),
            "[Path, Name, Type, KeyId, Tier]",
        ),
    };
    if !known {
        return Err(Error::sender(
            "InvalidFilterKey",
            format!("The following filter key is not valid: {key}. Valid filter keys include: {valid}."),
        ));
    }
    match filter.values.is_empty() && !key.starts_with("tag:") {
        true => Err(Error::sender(
            "InvalidFilterValue",
            format!("The following filter values are missing : null for filter key {key}."),
        )),
        false => Ok(()),
    }
}

fn one(filter: &ParameterStringFilter) -> Result<Filter, Error> {
    let key = filter.key.as_str();
    let option = filter.option.as_deref();
    let bad_option = |valid: &str| {
        Error::sender(
            "InvalidFilterOption",
            format!(
                "The following filter option is not valid: {}. Valid options include: {valid}.",
                option.unwrap_or("")
            ),
        )
    };
    if key == "Path" {
        let recursive = match option {
            None | Some("OneLevel") => false,
            Some("Recursive") => true,
            Some(_) => return Err(bad_option("[Recursive, OneLevel]")),
        };
        let reserved = |path: &String| ["/aws", "/ssm"].iter().any(|p| path.to_ascii_lowercase().starts_with(p));
        if filter.values.iter().any(reserved) {
            return Err(validation(
                "Filters for common parameters can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). When using \
                 global parameters, please specify within a global namespace.",
            ));
        }
        if !filter.values.iter().all(|path| is_path(path)) {
            return Err(bad_path());
        }
        return Ok(Filter::Path(filter.values.clone(), recursive));
    }
    let is_name = key == "Name";
    let compare = match option {
        None | Some("Equals") => Compare::Equals,
        Some("BeginsWith") if key == "Label" => return Err(bad_option("[Equals]")),
        Some("BeginsWith") => Compare::BeginsWith,
        Some("Contains") if is_name => Compare::Contains,
        Some(_) if is_name => return Err(bad_option("[BeginsWith, Contains, Equals]")),
        Some(_) => return Err(bad_option("[BeginsWith, Equals]")),
    };
    if let Some(tag) = key.strip_prefix("tag:") {
        let compare = if filter.values.is_empty() { Compare::Exists } else { compare };
        return Ok(Filter::Tag(tag.to_owned(), compare, filter.values.clone()));
    }
    let field = match key {
        "Name" => Field::Name,
        "Type" => Field::Type,
        "KeyId" => Field::KeyId,
        "Tier" => Field::Tier,
        "DataType" => Field::DataType,
        // Keys were checked.
        _ => Field::Label,
    };
    let known: &[&str] = match field {
        Field::Type => &["String", "StringList", "SecureString"],
        Field::Tier => &["Standard", "Advanced", "Intelligent-Tiering"],
        _ => &[],
    };
    let unknown = |value: &&String| !known.is_empty() && !known.contains(&value.as_str());
    if let Some(bad) = filter.values.iter().find(unknown) {
        let known = known.join(", ");
        return Err(Error::sender(
            "InvalidFilterOption",
            format!("The following filter value is not valid: {bad}. Valid values include: [{known}]."),
        ));
    }
    Ok(Filter::Field(field, compare, filter.values.clone()))
}

/// The version that all filters let through: the newest, or the one with a wanted label.
pub fn matching_version<'p>(parameter: &'p Parameter, filters: &[Filter]) -> Option<&'p Version> {
    let labelled = filters.iter().find_map(|filter| match filter {
        Filter::Field(Field::Label, compare, wanted) => Some((*compare, wanted)),
        _ => None,
    });
    let version = match labelled {
        None => parameter.latest(),
        Some((compare, wanted)) => {
            let has = |version: &&Version| version.labels.iter().any(|label| compare.holds(label, wanted));
            parameter.versions.iter().rev().find(has)?
        }
    };
    filters.iter().all(|filter| passes(parameter, version, filter)).then_some(version)
}

fn passes(parameter: &Parameter, version: &Version, filter: &Filter) -> bool {
    match filter {
        Filter::Path(paths, recursive) => paths.iter().any(|path| is_under(&parameter.name, path, *recursive)),
        Filter::Tag(key, compare, wanted) => parameter.tags.get(key).is_some_and(|value| compare.holds(value, wanted)),
        Filter::Field(field, compare, wanted) => {
            let actual = match field {
                Field::Name => {
                    // `Name` filters work with and without the leading slash.
                    let bare: Vec<String> = wanted.iter().map(|name| name.trim_start_matches('/').to_owned()).collect();
                    return compare.holds(&parameter.name, wanted)
                        || (*compare != Compare::Contains
                            && compare.holds(parameter.name.trim_start_matches('/'), &bare));
                }
                Field::Type => &version.kind,
                Field::Tier => &version.tier,
                Field::DataType => &version.data_type,
                Field::KeyId => match &version.key_id {
                    Some(key) => key,
                    None => return false,
                },
                Field::Label => return true,
            };
            compare.holds(actual, wanted)
        }
    }
}

/// Whether a name lies below a path, or directly below when not recursive.
pub fn is_under(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    let rest = match name.strip_prefix(path) {
        // A name without a slash lies at the root.
        Some(rest) if path.is_empty() => rest.strip_prefix('/').unwrap_or(rest),
        Some(rest) => match rest.strip_prefix('/') {
            Some(rest) => rest,
            None => return false,
        },
        None => return false,
    };
    recursive || !rest.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_under_a_path() {
        for (name, path, recursive, expected) in [
            ("/a/b", "/a", false, true),
            ("/a/b", "/a/", false, true),
            ("/a/b/c", "/a", false, false),
            ("/a/b/c", "/a", true, true),
            ("/ab/c", "/a", true, false),
            ("/a", "/a", true, false),
            ("a", "/", false, true),
            ("/a", "/", false, true),
            ("/a/b", "/", false, false),
            ("/a/b", "/", true, true),
        ] {
            assert_eq!(is_under(name, path, recursive), expected, "{name} under {path}");
        }
    }
}
