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

/// Checks the filters of a request.
pub fn read(given: &[ParameterStringFilter], allowed: Allowed) -> Result<Vec<Filter>, Error> {
    let mut seen: Vec<&str> = vec![];
    for filter in given {
        if seen.contains(&filter.key.as_str()) {
            return Err(validation(
                "The following filters are duplicated in the request. A request can contain only one instance of a \
                 specific filter.",
            ));
        }
        seen.push(&filter.key);
    }
    given.iter().map(|filter| one(filter, allowed)).collect()
}

fn one(filter: &ParameterStringFilter, allowed: Allowed) -> Result<Filter, Error> {
    let key = filter.key.as_str();
    let option = filter.option.as_deref();
    let bad_key = || {
        let valid = match allowed {
            Allowed::ByPath => "[Type, KeyId, Label]",
            Allowed::Describe => "[Path, Name, Type, Tier, KeyId, DataType, tag:*]",
        };
        Error::sender(
            "InvalidFilterKey",
            format!("The following filter key is not valid: {key}. Valid filter keys include: {valid}."),
        )
    };
    let bad_option = |valid: &str| {
        Error::sender(
            "InvalidFilterOption",
            format!(
                "The following filter option is not valid: {}. Valid options include: {valid}.",
                option.unwrap_or("")
            ),
        )
    };
    if allowed == Allowed::ByPath && !matches!(key, "Type" | "KeyId" | "Label") {
        return Err(bad_key());
    }
    if key == "Path" {
        let recursive = match option {
            None | Some("OneLevel") => false,
            Some("Recursive") => true,
            Some(_) => return Err(bad_option("[Recursive, OneLevel]")),
        };
        let well = |path: &&String| path.starts_with('/') && (path.len() == 1 || name::well_formed(path));
        if filter.values.is_empty() || !filter.values.iter().all(|path| well(&path)) {
            return Err(bad_path());
        }
        return Ok(Filter::Path(filter.values.clone(), recursive));
    }
    let is_name = key == "Name";
    let compare = match option {
        None | Some("Equals") => Compare::Equals,
        Some("BeginsWith") => Compare::BeginsWith,
        Some("Contains") if is_name => Compare::Contains,
        Some(_) if is_name => return Err(bad_option("[BeginsWith, Contains, Equals]")),
        Some(_) => return Err(bad_option("[BeginsWith, Equals]")),
    };
    if let Some(tag) = key.strip_prefix("tag:") {
        let compare = if filter.values.is_empty() { Compare::Exists } else { compare };
        return Ok(Filter::Tag(tag.to_owned(), compare, filter.values.clone()));
    }
    if filter.values.is_empty() {
        return Err(Error::sender(
            "InvalidFilterValue",
            "The following filter values are missing: null for filter key.",
        ));
    }
    let field = match key {
        "Name" => Field::Name,
        "Type" => Field::Type,
        "KeyId" => Field::KeyId,
        "Tier" => Field::Tier,
        "DataType" => Field::DataType,
        "Label" if allowed == Allowed::ByPath => Field::Label,
        _ => return Err(bad_key()),
    };
    if field == Field::Type {
        let known = ["String", "StringList", "SecureString"];
        if let Some(bad) = filter.values.iter().find(|value| !known.contains(&value.as_str())) {
            return Err(Error::sender(
                "InvalidFilterOption",
                format!(
                    "The following filter value is not valid: {bad}. Valid values include: [String, StringList, \
                     SecureString]."
                ),
            ));
        }
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
