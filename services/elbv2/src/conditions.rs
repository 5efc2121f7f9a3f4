//! Conditions of rules: checked as given, kept in both of AWS's forms (`Values` and `…Config`),
//! compiled for the balancer.

use crate::errors;
use kiln_balancer as lb;
use kiln_elbv2_shapes::{HostHeaderConditionConfig, PathPatternConditionConfig, RuleCondition};
use kiln_service_kit::Error;

/// Condition values of all kinds one rule may have.
const VALUES_PER_RULE: usize = 5;
/// Characters of a host, path or header pattern.
const PATTERN_LENGTH: usize = 128;

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
        return Err(errors::invalid(format!(
            "The number of condition values for the rule exceeds the maximum of {VALUES_PER_RULE}"
        )));
    }
    Ok(full)
}

fn one(given: &RuleCondition) -> Result<RuleCondition, Error> {
    let field = given.field.as_deref().ok_or_else(|| errors::invalid("A condition field must be specified"))?;
    let mut full = given.clone();
    if !given.regex_values.is_empty() {
        return Err(Error::not_built(format!("elasticloadbalancing: condition {field} with RegexValues")));
    }
    let values = |config: Option<(&Vec<String>, &Vec<String>)>| -> Result<Vec<String>, Error> {
        if config.is_some_and(|(_, regex)| !regex.is_empty()) {
            return Err(Error::not_built(format!("elasticloadbalancing: condition {field} with RegexValues")));
        }
        let config = config.map(|(values, _)| values.clone()).unwrap_or_default();
        match (given.values.is_empty(), config.is_empty()) {
            (false, false) if given.values != config => Err(errors::invalid(format!(
                "You cannot specify both Values and a config for a condition of field '{field}'"
            ))),
            (false, _) => Ok(given.values.clone()),
            (true, false) => Ok(config),
            (true, true) => Err(errors::invalid("A condition value must be specified")),
        }
    };
    let patterns = |values: &[String]| -> Result<(), Error> {
        match values
            .iter()
            .find(|v| v.is_empty() || v.len() > PATTERN_LENGTH || v.bytes().any(|b| b.is_ascii_control()))
        {
            Some(bad) => Err(errors::invalid(format!(
                "Condition value '{bad}' must be between 1 and {PATTERN_LENGTH} printable characters long"
            ))),
            None => Ok(()),
        }
    };
    match field {
        "path-pattern" => {
            full.values = values(given.path_pattern_config.as_ref().map(|c| (&c.values, &c.regex_values)))?;
            patterns(&full.values)?;
            full.path_pattern_config =
                Some(PathPatternConditionConfig { values: full.values.clone(), ..Default::default() });
        }
        "host-header" => {
            full.values = values(given.host_header_config.as_ref().map(|c| (&c.values, &c.regex_values)))?;
            patterns(&full.values)?;
            full.host_header_config =
                Some(HostHeaderConditionConfig { values: full.values.clone(), ..Default::default() });
        }
        "http-header" => {
            let config = given.http_header_config.as_ref().ok_or_else(|| needs("HttpHeaderConfig", field))?;
            if !config.regex_values.is_empty() {
                return Err(Error::not_built("elasticloadbalancing: condition http-header with RegexValues"));
            }
            let name = config.http_header_name.as_deref().unwrap_or_default();
            let token = |b: u8| b.is_ascii_alphanumeric() || b"*-!#$%&'+.^_`|~".contains(&b);
            if name.is_empty() || name.len() > 40 || !name.bytes().all(token) {
                return Err(errors::invalid(format!("'{name}' is not a valid HTTP header name")));
            }
            if name.eq_ignore_ascii_case("host") {
                return Err(errors::invalid("Use a host-header condition for the Host header"));
            }
            some(&config.values)?;
            patterns(&config.values)?;
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
                patterns(std::slice::from_ref(value))?;
                pair.key.as_ref().map_or(Ok(()), |key| patterns(std::slice::from_ref(key)))?;
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
    errors::invalid(format!("A {config} must be specified for a condition of field '{field}'"))
}

fn some(values: &[String]) -> Result<(), Error> {
    if values.is_empty() { Err(errors::invalid("A condition value must be specified")) } else { Ok(()) }
}

/// An address block.
pub fn block(text: &str) -> Option<(std::net::IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: std::net::IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
}

fn count(condition: &lb::Condition) -> usize {
    match condition {
        lb::Condition::PathPattern(v)
        | lb::Condition::HostHeader(v)
        | lb::Condition::RequestMethod(v)
        | lb::Condition::SourceIp(v)
        | lb::Condition::HttpHeader { values: v, .. } => v.len(),
        lb::Condition::QueryString(v) => v.len(),
    }
}

/// For the balancer. The conditions were checked when they were kept.
pub fn compile(conditions: &[RuleCondition]) -> Vec<lb::Condition> {
    conditions.iter().filter_map(compile_one).collect()
}

fn compile_one(c: &RuleCondition) -> Option<lb::Condition> {
    Some(match c.field.as_deref()? {
        "path-pattern" => lb::Condition::PathPattern(c.values.clone()),
        "host-header" => lb::Condition::HostHeader(c.values.clone()),
        "http-header" => {
            let config = c.http_header_config.as_ref()?;
            lb::Condition::HttpHeader { name: config.http_header_name.clone()?, values: config.values.clone() }
        }
        "http-request-method" => lb::Condition::RequestMethod(c.http_request_method_config.as_ref()?.values.clone()),
        "query-string" => {
            let pairs = c.query_string_config.as_ref()?.values.iter();
            lb::Condition::QueryString(pairs.filter_map(|p| Some((p.key.clone(), p.value.clone()?))).collect())
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
        assert_eq!(compile(&full), [lb::Condition::PathPattern(vec!["/img/*".into()])]);
        let code = |conditions: &[RuleCondition]| checked(conditions).expect_err("bad").code.to_string();
        assert_eq!(code(&[]), "ValidationError");
        assert_eq!(code(&[simple("path-pattern", &[])]), "ValidationError");
        assert_eq!(code(&[simple("color", &["red"])]), "ValidationError");
        assert_eq!(code(&[simple("host-header", &["a", "b", "c", "d", "e", "f"])]), "ValidationError");
        assert_eq!(code(&[simple("host-header", &["a"]), simple("host-header", &["b"])]), "ValidationError");
        let source = |cidr: &str| RuleCondition {
            field: Some("source-ip".into()),
            source_ip_config: Some(SourceIpConditionConfig { values: vec![cidr.into()] }),
            ..Default::default()
        };
        assert!(checked(&[source("192.0.2.0/24")]).is_ok());
        assert_eq!(code(&[source("192.0.2.0")]), "ValidationError");
        let regex = RuleCondition { regex_values: vec!["^/".into()], ..simple("path-pattern", &["/"]) };
        assert_eq!(code(&[regex]), "NotImplemented");
    }
}
