//! Conditions of rules: checked as given, kept in both of AWS's forms (`Values` and `…Config`),
//! compiled for the balancer.

use crate::errors;
use kiln_balancer as lb;
use kiln_elbv2_shapes::{HostHeaderConditionConfig, PathPatternConditionConfig, RuleCondition};
use kiln_ids::block;
use kiln_service_kit::Error;

/// Condition values of all kinds one rule may have.
const VALUES_PER_RULE: usize = 5;
/// Wildcards of all its values.
const WILDCARDS_PER_RULE: usize = 5;
/// Characters of a value.
const PATTERN_LENGTH: usize = 128;
/// Characters of a header's name.
const HEADER_LENGTH: usize = 40;

/// Checks the conditions and writes them out in full.
pub fn checked(conditions: &[RuleCondition]) -> Result<Vec<RuleCondition>, Error> {
    if conditions.is_empty() {
        return Err(errors::invalid("A rule must have at least one condition"));
    }
    let full: Vec<RuleCondition> = conditions.iter().map(one).collect::<Result<_, _>>()?;
    for field in ["host-header", "path-pattern", "http-request-method", "source-ip"] {
        if full.iter().filter(|c| c.field.as_deref() == Some(field)).count() > 1 {
            return Err(errors::invalid(format!("A rule can have only one '{field}' condition")));
        }
    }
    let values: usize = full.iter().filter_map(compile_one).map(|c| count(&c)).sum();
    if values > VALUES_PER_RULE {
        return Err(errors::invalid(format!("A rule can only have '{VALUES_PER_RULE}' condition values")));
    }
    let wildcards: usize = full.iter().map(wildcards).sum();
    if wildcards > WILDCARDS_PER_RULE {
        return Err(errors::invalid(format!("A rule can only have '{WILDCARDS_PER_RULE}' condition wildcards")));
    }
    Ok(full)
}

/// Which characters a value may have besides letters and digits. Source: the User Guide for
/// Application Load Balancers, "Condition types for listener rules" and "Listener rules" (console).
const OF_HOSTS: &[u8] = b"-_.*?";
const OF_PATHS: &[u8] = b"_-.$/~\"'@:+;&*?";
/// Any character may come percent-encoded; a backslash escapes a wildcard.
const OF_QUERIES: &[u8] = b"_-.$/~\"'@:+&()!,;=*?%\\";

fn check_pattern(field: &str, value: &str, allowed: Option<&[u8]>) -> Result<(), Error> {
    if value.is_empty() {
        return Err(errors::invalid("A condition value must be specified"));
    }
    if value.len() > PATTERN_LENGTH {
        return Err(errors::invalid(format!("The '{field}' value is too long; the limit is '{PATTERN_LENGTH}'")));
    }
    let good = |b: u8| match allowed {
        Some(others) => b.is_ascii_alphanumeric() || others.contains(&b),
        None => b == b' ' || b.is_ascii_graphic(),
    };
    match value.bytes().all(good) {
        true => Ok(()),
        false => Err(errors::invalid(format!("Condition value '{value}' contains a character that is not valid"))),
    }
}

/// A dot must be there, and after the last one only letters. Wildcards there are left to their owner:
/// AWS's documents do not say.
fn check_host(value: &str) -> Result<(), Error> {
    check_pattern("host-header", value, Some(OF_HOSTS))?;
    let end = value.rsplit_once('.').map(|(_, end)| end);
    match end.is_some_and(|end| end.bytes().all(|b| b.is_ascii_alphabetic() || b"*?".contains(&b))) {
        true => Ok(()),
        false => Err(errors::invalid(format!(
            "Condition value '{value}' must have a '.' character, and only alphabetical characters after the last one"
        ))),
    }
}

fn check_regexes(field: &str, values: &[String], ignore_case: bool) -> Result<(), Error> {
    values.iter().try_for_each(|value| check_pattern(field, value, None))?;
    lb::regexes(values, ignore_case).map(|_| ()).map_err(|error| {
        errors::invalid(format!("The regular expression of a '{field}' condition is not valid: {error}"))
    })
}

/// The values and the regular expressions of a condition that may have them in two places.
fn values_of<'a>(
    given: &'a RuleCondition,
    field: &str,
    config: Option<(&'a [String], &'a [String])>,
    name: &str,
) -> Result<(&'a [String], &'a [String]), Error> {
    let legacy = (&given.values[..], &given.regex_values[..]);
    let found = match (legacy, config) {
        (([], []), None) => return Err(errors::invalid("A condition value must be specified")),
        (([], []), Some(config)) => config,
        (_, Some(_)) => {
            return Err(errors::invalid(format!(
                "You cannot provide both Values and '{name}' for a condition of type '{field}'"
            )));
        }
        (([_, _, ..], _), None) => {
            let text = format!("The '{field}' field contains too many values; the limit is '1'");
            return Err(errors::invalid(text));
        }
        (legacy, None) => legacy,
    };
    one_kind(found)?;
    Ok(found)
}

/// Either values or regular expressions.
fn one_kind((values, regexes): (&[String], &[String])) -> Result<(), Error> {
    match (values, regexes) {
        ([], []) => Err(errors::invalid("A condition value must be specified")),
        ([_, ..], [_, ..]) => Err(errors::invalid("You cannot provide both values and regular expressions")),
        _ => Ok(()),
    }
}

fn one(given: &RuleCondition) -> Result<RuleCondition, Error> {
    let field = given.field.as_deref().ok_or_else(|| errors::invalid("A condition field must be specified"))?;
    let mut full = given.clone();
    let two_places = matches!(field, "path-pattern" | "host-header");
    if !given.values.is_empty() && !two_places {
        return Err(errors::invalid(format!("The 'Values' field is not compatible with '{field}'")));
    }
    if !given.regex_values.is_empty() && !two_places && field != "http-header" {
        return Err(errors::invalid(format!("The 'RegexValues' field is not compatible with '{field}'")));
    }
    match field {
        "path-pattern" => {
            let config = given.path_pattern_config.as_ref().map(|c| (&c.values[..], &c.regex_values[..]));
            let (values, regexes) = values_of(given, field, config, "PathPatternConfig")?;
            values.iter().try_for_each(|value| check_pattern(field, value, Some(OF_PATHS)))?;
            check_regexes(field, regexes, false)?;
            let (values, regex_values) = (values.to_vec(), regexes.to_vec());
            (full.values, full.regex_values) = (values.clone(), regex_values.clone());
            full.path_pattern_config = Some(PathPatternConditionConfig { values, regex_values });
        }
        "host-header" => {
            let config = given.host_header_config.as_ref().map(|c| (&c.values[..], &c.regex_values[..]));
            let (values, regexes) = values_of(given, field, config, "HostHeaderConfig")?;
            values.iter().try_for_each(|value| check_host(value))?;
            check_regexes(field, regexes, true)?;
            let (values, regex_values) = (values.to_vec(), regexes.to_vec());
            (full.values, full.regex_values) = (values.clone(), regex_values.clone());
            full.host_header_config = Some(HostHeaderConditionConfig { values, regex_values });
        }
        "http-header" => {
            let config = given.http_header_config.as_ref().ok_or_else(|| needs("HttpHeaderConfig", field))?;
            let name = config.http_header_name.as_deref().unwrap_or_default();
            let token = |b: u8| b.is_ascii_alphanumeric() || b"*-!#$%&'+.^_`|~".contains(&b);
            if name.len() > HEADER_LENGTH {
                let text = format!("The 'HttpHeaderName' value is too long; the limit is '{HEADER_LENGTH}'");
                return Err(errors::invalid(text));
            }
            if name.is_empty() || !name.bytes().all(token) {
                return Err(errors::invalid(format!("'{name}' is not a valid HTTP header name")));
            }
            if name.eq_ignore_ascii_case("host") {
                return Err(errors::invalid("Use a host-header condition for the Host header"));
            }
            let mut config = config.clone();
            if !given.regex_values.is_empty() {
                if !config.regex_values.is_empty() && config.regex_values != given.regex_values {
                    return Err(errors::invalid("You cannot provide regular expressions twice"));
                }
                config.regex_values = given.regex_values.clone();
            }
            one_kind((&config.values, &config.regex_values))?;
            config.values.iter().try_for_each(|value| check_pattern(field, value, None))?;
            check_regexes(field, &config.regex_values, false)?;
            full.regex_values = config.regex_values.clone();
            full.http_header_config = Some(config);
        }
        "http-request-method" => {
            let config =
                given.http_request_method_config.as_ref().ok_or_else(|| needs("HttpRequestMethodConfig", field))?;
            some(&config.values)?;
            let good = |m: &String| {
                !m.is_empty() && m.len() <= 40 && m.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'))
            };
            if let Some(bad) = config.values.iter().find(|m| !good(m)) {
                return Err(errors::invalid(format!("'{bad}' is not a valid HTTP request method")));
            }
        }
        "query-string" => {
            let config = given.query_string_config.as_ref().ok_or_else(|| needs("QueryStringConfig", field))?;
            if config.values.is_empty() {
                return Err(errors::invalid("A condition value must be specified"));
            }
            for pair in &config.values {
                let value =
                    pair.value.as_ref().ok_or_else(|| errors::invalid("A query string value must be specified"))?;
                check_pattern(field, value, Some(OF_QUERIES))?;
                pair.key.as_ref().map_or(Ok(()), |key| check_pattern("Key", key, Some(OF_QUERIES)))?;
            }
        }
        "source-ip" => {
            let config = given.source_ip_config.as_ref().ok_or_else(|| needs("SourceIpConfig", field))?;
            some(&config.values)?;
            if let Some(bad) = config.values.iter().find(|v| block(v).is_none()) {
                return Err(errors::invalid(format!("The CIDR block '{bad}' is not valid")));
            }
        }
        other => {
            return Err(errors::invalid(format!(
                "Condition field '{other}' must be one of '[http-header, http-request-method, host-header, path-pattern, query-string, source-ip]'"
            )));
        }
    }
    Ok(full)
}

fn needs(config: &str, field: &str) -> Error {
    errors::invalid(format!("A '{config}' must be specified with '{field}'"))
}

fn some(values: &[String]) -> Result<(), Error> {
    if values.is_empty() { Err(errors::invalid("A condition value must be specified")) } else { Ok(()) }
}

fn count(condition: &lb::Condition) -> usize {
    match condition {
        lb::Condition::PathPattern(v)
        | lb::Condition::HostHeader(v)
        | lb::Condition::RequestMethod(v)
        | lb::Condition::SourceIp(v)
        | lb::Condition::PathRegex(v)
        | lb::Condition::HostRegex(v)
        | lb::Condition::HeaderRegex { values: v, .. }
        | lb::Condition::HttpHeader { values: v, .. } => v.len(),
        lb::Condition::QueryString(v) => v.len(),
    }
}

/// The wildcards in a condition's values; an escaped one is none.
fn wildcards(condition: &RuleCondition) -> usize {
    let of = |text: &String| text.replace("\\\\", "").replace("\\*", "").replace("\\?", "").matches(['*', '?']).count();
    match condition.field.as_deref() {
        Some("path-pattern" | "host-header") => condition.values.iter().map(of).sum(),
        Some("http-header") => condition.http_header_config.iter().flat_map(|c| &c.values).map(of).sum(),
        Some("query-string") => {
            let pairs = condition.query_string_config.iter().flat_map(|c| &c.values);
            pairs.flat_map(|pair| pair.key.iter().chain(&pair.value)).map(of).sum()
        }
        _ => 0,
    }
}

/// For the balancer. The conditions were checked when they were kept; none if one of them is of a kind that the balancer does not know: without it the rule would hold for more.
pub fn compile(conditions: &[RuleCondition]) -> Option<Vec<lb::Condition>> {
    conditions.iter().map(compile_one).collect()
}

fn compile_one(c: &RuleCondition) -> Option<lb::Condition> {
    Some(match c.field.as_deref()? {
        "path-pattern" if !c.regex_values.is_empty() => lb::Condition::PathRegex(c.regex_values.clone()),
        "path-pattern" => lb::Condition::PathPattern(c.values.clone()),
        "host-header" if !c.regex_values.is_empty() => lb::Condition::HostRegex(c.regex_values.clone()),
        "host-header" => lb::Condition::HostHeader(c.values.clone()),
        "http-header" => {
            let config = c.http_header_config.as_ref()?;
            if !config.regex_values.is_empty() {
                let (name, values) = (config.http_header_name.clone()?, config.regex_values.clone());
                return Some(lb::Condition::HeaderRegex { name, values });
            }
            lb::Condition::HttpHeader { name: config.http_header_name.clone()?, values: config.values.clone() }
        }
        "http-request-method" => lb::Condition::RequestMethod(c.http_request_method_config.as_ref()?.values.clone()),
        "query-string" => {
            let pairs = c.query_string_config.as_ref()?.values.iter();
            lb::Condition::QueryString(pairs.map(|p| Some((p.key.clone(), p.value.clone()?))).collect::<Option<_>>()?)
        }
        "source-ip" => lb::Condition::SourceIp(c.source_ip_config.as_ref()?.values.clone()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_elbv2_shapes::SourceIpConditionConfig;

    fn simple(field: &str, values: &[&str]) -> RuleCondition {
        RuleCondition {
            field: Some(field.into()),
            values: values.iter().map(|v| (*v).into()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn both_forms_are_kept_and_nonsense_is_refused() {
        let full = checked(&[simple("path-pattern", &["/img/*"])]).expect("good");
        assert_eq!(full[0].path_pattern_config.as_ref().map(|c| c.values.clone()), Some(vec!["/img/*".to_owned()]));
        assert_eq!(compile(&full), Some(vec![lb::Condition::PathPattern(vec!["/img/*".into()])]));
        assert_eq!(compile(&[full[0].clone(), simple("of-a-later-version", &["x"])]), None, "the rule is not widened");
        let code = |conditions: &[RuleCondition]| checked(conditions).expect_err("bad").code.to_string();
        assert_eq!(code(&[]), "ValidationError");
        assert_eq!(code(&[simple("path-pattern", &[])]), "ValidationError");
        assert_eq!(code(&[simple("color", &["red"])]), "ValidationError");
        assert_eq!(code(&[simple("host-header", &["a.org"]), simple("host-header", &["b.org"])]), "ValidationError");
        let source = |cidr: &str| RuleCondition {
            field: Some("source-ip".into()),
            source_ip_config: Some(SourceIpConditionConfig { values: vec![cidr.into()] }),
            ..Default::default()
        };
        assert!(checked(&[source("192.0.2.0/24")]).is_ok());
        assert_eq!(code(&[source("192.0.2.0")]), "ValidationError");
    }

    fn text(conditions: &[RuleCondition]) -> String {
        checked(conditions).expect_err("bad").message
    }

    fn path(values: &[&str], regex_values: &[&str]) -> RuleCondition {
        let owned = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        let config = PathPatternConditionConfig { values: owned(values), regex_values: owned(regex_values) };
        RuleCondition { path_pattern_config: Some(config), ..simple("path-pattern", &[]) }
    }

    #[test]
    fn one_legacy_value_in_one_place() {
        assert_eq!(
            text(&[simple("host-header", &["a.org", "b.org"])]),
            "The 'host-header' field contains too many values; the limit is '1'"
        );
        let twice = RuleCondition { values: vec!["/a".into()], ..path(&["/a"], &[]) };
        assert_eq!(
            text(&[twice]),
            "You cannot provide both Values and 'PathPatternConfig' for a condition of type 'path-pattern'"
        );
        assert_eq!(
            text(&[simple("source-ip", &["10.0.0.0/8"])]),
            "The 'Values' field is not compatible with 'source-ip'"
        );
        assert!(checked(&[path(&["/a", "/b", "/c", "/d", "/e"], &[])]).is_ok());
        let six = [path(&["/a", "/b", "/c", "/d", "/e", "/f"], &[])];
        assert_eq!(text(&six), "A rule can only have '5' condition values");
        assert_eq!(text(&[path(&["/*/*/*/*/*/*"], &[])]), "A rule can only have '5' condition wildcards");
    }

    #[test]
    fn values_have_the_characters_of_their_kind() {
        for good in ["/img/*", "/a-b_c.d$~\"'@:+&x?", "*", "no-slash"] {
            assert!(checked(&[simple("path-pattern", &[good])]).is_ok(), "{good}");
        }
        for bad in ["^/[a-z]{2}/", "/a b", "/a%20", r"/a\*", "/ü", "/a=b", "/a#b", "/a(b)", "/a\n"] {
            let expected = format!("Condition value '{bad}' contains a character that is not valid");
            assert_eq!(text(&[simple("path-pattern", &[bad])]), expected);
        }
        for good in ["a.example.com", "*.example.com", "a_b.EXAMPLE.c?m", "example.*"] {
            assert!(checked(&[simple("host-header", &[good])]).is_ok(), "{good}");
        }
        for bad in ["a.org:80", "a/b.org", r"a\*.org", "localhost", "*", "10.0.0.1", "a.org.", "ü.org"] {
            // A dot at the end has nothing after it; AWS's documents do not say. It is taken.
            assert_eq!(checked(&[simple("host-header", &[bad])]).is_ok(), bad == "a.org.", "{bad}");
        }
        let query = |key: Option<&str>, value: &str| RuleCondition {
            query_string_config: Some(kiln_elbv2_shapes::QueryStringConditionConfig {
                values: vec![kiln_elbv2_shapes::QueryStringKeyValuePair {
                    key: key.map(str::to_owned),
                    value: Some(value.into()),
                }],
            }),
            ..simple("query-string", &[])
        };
        for good in ["v1", r"\*all\?", "a=b", "x%20y", "*", "(a)!,;"] {
            assert!(checked(&[query(Some("k*"), good)]).is_ok(), "{good}");
        }
        for bad in ["a b", "[a]", "ü", ""] {
            assert!(checked(&[query(None, bad)]).is_err(), "{bad}");
        }
        let seven = r"\*\*\*\*\*\*\*";
        assert!(checked(&[query(None, seven)]).is_ok(), "escaped ones are no wildcards");
    }

    #[test]
    fn regular_expressions_are_awss() {
        let full = checked(&[path(&[], &["^/[a-z]{2}/", "x$"])]).expect("good");
        assert_eq!(full[0].regex_values, ["^/[a-z]{2}/", "x$"], "told in both forms");
        assert_eq!(compile(&full), Some(vec![lb::Condition::PathRegex(vec!["^/[a-z]{2}/".into(), "x$".into()])]));
        let legacy = RuleCondition { regex_values: vec!["^a:80$".into()], ..simple("host-header", &[]) };
        let full = checked(&[legacy]).expect("good");
        assert_eq!(full[0].host_header_config.as_ref().map(|c| c.regex_values.clone()), Some(vec!["^a:80$".into()]));
        assert!(text(&[path(&["/a"], &["b"])]).starts_with("You cannot provide both values and regular expressions"));
        for bad in ["(", r"\p{L}", "(?=look)", r"(a)\1", "((((a{99}){99}){99}){99})"] {
            assert!(text(&[path(&[], &[bad])]).contains("is not valid"), "{bad}");
        }
        let method = RuleCondition { regex_values: vec!["GET".into()], ..simple("http-request-method", &[]) };
        assert_eq!(text(&[method]), "The 'RegexValues' field is not compatible with 'http-request-method'");
    }
}
