//! From AWS's names to Rust's.

/// Names the `shape!` macro or the generated code itself uses.
const TAKEN: &[&str] = &[
    "Blob",
    "Box",
    "Clone",
    "Debug",
    "Default",
    "Err",
    "Error",
    "Http",
    "Kind",
    "Location",
    "Map",
    "Member",
    "None",
    "Ok",
    "Option",
    "Protocol",
    "Request",
    "Result",
    "Self",
    "ServiceModel",
    "Shape",
    "Some",
    "String",
    "StructShape",
    "StructTyped",
    "TimeFormat",
    "Timestamp",
    "Value",
    "Vec",
];

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The type for an inner structure; `reserved` are the names of requests and responses.
pub fn type_name(shape: &str, reserved: impl Fn(&str) -> bool) -> String {
    let mut chars = shape.chars();
    let name: String = chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect();
    if TAKEN.contains(&name.as_str()) || reserved(&name) { format!("{name}Shape") } else { name }
}

/// `VPCZoneIdentifier` → `vpc_zone_identifier`; keywords become raw identifiers.
pub fn field_name(member: &str) -> String {
    let name = snake(member);
    if KEYWORDS.contains(&name.as_str()) {
        format!("r#{name}")
    } else if matches!(name.as_str(), "self" | "super" | "crate") {
        format!("{name}_")
    } else {
        name
    }
}

/// `InstanceType` → `INSTANCE_TYPE`.
pub fn const_name(shape: &str) -> String {
    snake(shape).to_ascii_uppercase()
}

/// Words begin at a capital after a small letter or digit, and at the last capital of a run that a
/// small letter follows. A plural acronym (`ARNs`) is one word.
fn snake(name: &str) -> String {
    let name = name.replace("IPv", "Ipv").replace("VCpu", "Vcpu").replace("IoT", "Iot").replace('-', "_");
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|j| chars[j]);
        let next = chars.get(i + 1);
        let plural = next == Some(&'s') && chars.get(i + 2).is_none_or(|c| c.is_ascii_uppercase());
        let starts = c.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || (b.is_ascii_uppercase() && next.is_some_and(char::is_ascii_lowercase) && !plural)
            });
        if starts {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_read_like_words() {
        for (from, to) in [
            ("DBInstanceId", "db_instance_id"),
            ("VPCZoneIdentifier", "vpc_zone_identifier"),
            ("LoadBalancerARNs", "load_balancer_arns"),
            ("CidrIpv6", "cidr_ipv6"),
            ("IPv6Native", "ipv6_native"),
            ("SSLPolicies", "ssl_policies"),
            ("S3Bucket", "s3_bucket"),
            ("Ec2InstanceId", "ec2_instance_id"),
            ("DefaultVCpus", "default_vcpus"),
            ("VPCs", "vpcs"),
            ("Type", "r#type"),
            ("Self", "self_"),
        ] {
            assert_eq!(field_name(from), to);
        }
    }

    #[test]
    fn types_stay_clear_of_the_prelude_and_of_requests() {
        assert_eq!(type_name("Tag", |_| false), "Tag");
        assert_eq!(type_name("Error", |_| false), "ErrorShape");
        assert_eq!(type_name("CreateVpcRequest", |n| n == "CreateVpcRequest"), "CreateVpcRequestShape");
    }
}
