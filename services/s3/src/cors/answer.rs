//! Answers to browsers, by the first rule that lets a request through. Pure.

use super::Rule;

/// What a browser asks before it sends a page's request.
pub struct Preflight<'p> {
    pub origin: &'p str,
    pub method: &'p str,
    /// `Access-Control-Request-Headers`, as it came.
    pub headers: Option<&'p str>,
}

type Headers = Vec<(&'static str, String)>;

/// The headers that let the request through that a browser asks for; none: no rule does.
pub fn preflight(rules: &[Rule], asked: &Preflight<'_>) -> Option<Headers> {
    let names: Vec<&str> = asked.headers.iter().flat_map(|names| names.split(',')).map(str::trim).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let takes = |rule: &&Rule| {
        let takes_name = |name: &str| rule.headers.iter().any(|pattern| fits_name(pattern, name));
        takes(rule, asked.origin, asked.method) && names.iter().all(|name| takes_name(name))
    };
    let rule = rules.iter().find(takes)?;
    let mut headers = of_rule(rule, asked.origin);
    if !names.is_empty() {
        let lower: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        headers.push(("access-control-allow-headers", lower.join(", ")));
    }
    if let Some(seconds) = rule.max_age {
        headers.push(("access-control-max-age", seconds.to_string()));
    }
    Some(headers)
}

/// The headers of the answer to a request itself; none where no rule lets the page read it.
pub fn allowed(rules: &[Rule], origin: &str, method: &str) -> Headers {
    rules.iter().find(|rule| takes(rule, origin, method)).map(|rule| of_rule(rule, origin)).unwrap_or_default()
}

fn takes(rule: &Rule, origin: &str, method: &str) -> bool {
    rule.methods.iter().any(|allowed| allowed == method) && rule.origins.iter().any(|pattern| fits(pattern, origin))
}

fn of_rule(rule: &Rule, origin: &str) -> Headers {
    // Of the pattern that lets it in: where that is everybody, everybody is told so, and nobody with credentials.
    let everybody = rule.origins.iter().find(|pattern| fits(pattern, origin)).is_some_and(|pattern| pattern == "*");
    let mut headers = vec![
        ("access-control-allow-origin", if everybody { "*" } else { origin }.to_owned()),
        ("access-control-allow-methods", rule.methods.join(", ")),
    ];
    if !rule.exposed.is_empty() {
        headers.push(("access-control-expose-headers", rule.exposed.join(", ")));
    }
    if !everybody {
        headers.push(("access-control-allow-credentials", "true".to_owned()));
    }
    headers.push(("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned()));
    headers
}

/// Whether a text is what a pattern with at most one star says.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

fn fits_name(pattern: &str, name: &str) -> bool {
    fits(&pattern.to_ascii_lowercase(), &name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> Rule {
        let all = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        Rule { origins: all(origins), methods: all(methods), headers: all(headers), ..Default::default() }
    }

    fn value<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
        headers.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_first_rule_that_fits_answers() {
        let rules = [
            rule(&["http://*.example.com"], &["PUT", "DELETE"], &["*"]),
            rule(&["*"], &["GET"], &["x-amz-*", "Content-Type"]),
        ];
        let ask = |origin, method, headers| preflight(&rules, &Preflight { origin, method, headers });
        let page = ask("http://www.example.com", "PUT", Some("X-Own, content-md5")).unwrap();
        assert_eq!(value(&page, "access-control-allow-origin"), Some("http://www.example.com"));
        assert_eq!(value(&page, "access-control-allow-methods"), Some("PUT, DELETE"));
        assert_eq!(value(&page, "access-control-allow-headers"), Some("x-own, content-md5"));
        assert_eq!(value(&page, "access-control-allow-credentials"), Some("true"));
        let anybody = ask("https://other.test", "GET", Some("x-amz-date,content-type")).unwrap();
        assert_eq!(value(&anybody, "access-control-allow-origin"), Some("*"));
        assert_eq!(value(&anybody, "access-control-allow-credentials"), None);
        assert!(ask("https://other.test", "GET", Some("x-own")).is_none());
        assert!(ask("https://other.test", "PUT", None).is_none());
        assert!(ask("http://example.com", "PUT", None).is_none());
        assert!(allowed(&rules, "https://other.test", "DELETE").is_empty());
        assert_eq!(value(&allowed(&rules, "https://a.test", "GET"), "access-control-allow-origin"), Some("*"));
    }
}
