//! Parameter names: what is allowed, and how requests point at one (name, ARN, `:version`, `:label`).

use crate::errors::{bad_name, not_found, validation};
use kiln_service_kit::{Cx, Error};

/// Most characters of a name.
const LONGEST: usize = 1011;
/// Most levels of a hierarchy.
const DEEPEST: usize = 15;

/// A parameter that a request points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    pub name: String,
    /// With its colon in front, as answers repeat it.
    pub selector: Option<String>,
    /// It came from an ARN, which does not tell `x` from `/x`.
    pub from_arn: bool,
}

impl Pointer {
    /// Reads what names a parameter as a whole: a version or label behind it makes it another name,
    /// which nothing has.
    pub fn whole(cx: &Cx, text: &str) -> Result<Self, Error> {
        let pointer = Self::parse(cx, text)?;
        match pointer.selector {
            Some(_) => Err(not_found(text)),
            None => Ok(pointer),
        }
    }

    /// Reads a name, an ARN of this account and region, and a selector behind either.
    pub fn parse(cx: &Cx, text: &str) -> Result<Self, Error> {
        let (body, from_arn) = match text.strip_prefix("arn:") {
            None => (text, false),
            Some(rest) => {
                let parts: Vec<&str> = rest.splitn(5, ':').collect();
                let [_, "ssm", region, account, resource] = parts[..] else { return Err(bad_name()) };
                let Some(name) = resource.strip_prefix("parameter/") else { return Err(bad_name()) };
                if !account.is_empty() && (account != cx.account() || region != cx.region()) {
                    return Err(Error::not_built(
                        "ssm parameters shared by another account or read from another region",
                    ));
                }
                (name, true)
            }
        };
        let (name, selector) = match body.split_once(':') {
            Some((name, selector)) => (name, Some(format!(":{selector}"))),
            None => (body, None),
        };
        if !well_formed(name) || selector.as_deref() == Some(":") {
            return Err(bad_name());
        }
        Ok(Self { name: name.to_owned(), selector, from_arn })
    }
}

/// The other way to write a name of one level: `x` and `/x` are one parameter, since they have one
/// ARN. It is called as it was when it was made.
pub fn twin(name: &str) -> Option<String> {
    match name.strip_prefix('/') {
        Some(bare) => (!bare.contains('/')).then(|| bare.to_owned()),
        None => (!name.contains('/')).then(|| format!("/{name}")),
    }
}

/// The ARN of a parameter.
pub fn arn(cx: &Cx, name: &str) -> String {
    let slash = if name.starts_with('/') { "" } else { "/" };
    cx.arn("ssm", &format!("parameter{slash}{name}"))
}

/// Letters, numbers and `.-_/` only.
pub fn well_formed(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'))
}

/// Whether a new parameter may have this name.
pub fn check_new(name: &str) -> Result<(), Error> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let first = bare.to_ascii_lowercase();
    let is_path = name.matches('/').count() > 1;
    if first.starts_with("aws") && is_path {
        return Err(Error::sender("AccessDeniedException", format!("No access to reserved parameter name: {name}.")));
    }
    if (first.starts_with("aws") || first.starts_with("ssm")) && !is_path {
        return Err(validation("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive)."));
    }
    if !well_formed(name) || first.starts_with("ssm") || name.ends_with('/') || name.contains("//") {
        return Err(bad_name());
    }
    if bare.contains('/') && !name.starts_with('/') {
        return Err(validation("Parameter name must be a fully qualified name."));
    }
    if name.len() > LONGEST {
        return Err(validation(format!("Parameter name must not be longer than {LONGEST} characters.")));
    }
    if bare.split('/').count() > DEEPEST {
        return Err(Error::sender(
            "HierarchyLevelLimitExceededException",
            format!("A parameter hierarchy can have at most {DEEPEST} levels. Use fewer levels and try again."),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_level_is_written_in_two_ways() {
        for (name, other) in [("x", Some("/x")), ("/x", Some("x")), ("/a/b", None), ("a/b", None)] {
            assert_eq!(twin(name).as_deref(), other, "{name}");
        }
    }

    #[test]
    fn names_that_aws_takes_and_refuses() {
        for good in ["a", "/a/b.c-d_e", "/a/aws", "A1"] {
            assert_eq!(check_new(good), Ok(()), "{good}");
        }
        let deep = "/x".repeat(16);
        for (bad, code) in [
            ("aws-thing", "ValidationException"),
            ("/awsthing", "ValidationException"),
            ("/ssm/thing", "ValidationException"),
            ("/aws/service/x", "AccessDeniedException"),
            ("/AWS/thing", "AccessDeniedException"),
            ("ssmthing", "ValidationException"),
            ("a/b", "ValidationException"),
            ("a b", "ValidationException"),
            ("/a/", "ValidationException"),
            (deep.as_str(), "HierarchyLevelLimitExceededException"),
        ] {
            assert_eq!(check_new(bad).expect_err(bad).code, code, "{bad}");
        }
    }
}
