//! What a public bucket policy is. One that allows anything to everyone is, unless a condition holds every request to
//! fixed values (without wildcards and variables) of one of a few keys. Source: Amazon S3 User Guide, "Blocking public
//! access to your Amazon S3 storage", section "The meaning of 'public'".

use super::statement::{Condition, Statement};
use kiln_ids::IpNet;

/// The keys that narrow everyone down, those that tell principals among them.
const NARROWING: [&str; 10] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
];
/// A key whose value may have a wildcard behind the account.
const ACCESS_POINT: &str = "s3:dataaccesspointarn";
/// The operators that hold a key to values.
const HOLDING: [&str; 5] = ["arnequals", "arnlike", "stringequals", "stringequalsignorecase", "stringlike"];
/// The shortest prefixes of addresses that are still some: of IPv4 and of IPv6.
const BROADEST: (u8, u8) = (8, 32);

/// Whether one of the statements is open to everyone.
pub fn is_public(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| {
        let everyone = statement.principals.iter().any(|(_, who)| who == "*");
        statement.allows && everyone && !statement.conditions.iter().any(narrows)
    })
}

/// Whether the test holds only for requests of a few. One that holds where the key is missing does not.
fn narrows(condition: &Condition) -> bool {
    let operator = condition.operator.to_ascii_lowercase();
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
    let key = condition.key.to_ascii_lowercase();
    let all = |good: fn(&str) -> bool| !condition.values.is_empty() && condition.values.iter().all(|value| good(value));
    match operator {
        "ipaddress" => key == "aws:sourceip" && all(is_narrow),
        _ if !HOLDING.contains(&operator) => false,
        _ if key == ACCESS_POINT => all(|arn| arn.rsplit_once('/').map_or(is_fixed(arn), |(start, _)| is_fixed(start))),
        _ => NARROWING.contains(&key.as_str()) && all(is_fixed),
    }
}

fn is_fixed(value: &str) -> bool {
    !value.contains(['*', '?']) && !value.contains("${")
}

fn is_narrow(block: &str) -> bool {
    if block.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    match block.parse::<IpNet>() {
        Ok(IpNet::V4(net)) => net.prefix_len() >= BROADEST.0,
        Ok(IpNet::V6(net)) => net.prefix_len() >= BROADEST.1,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::read;
    use super::*;

    fn public(principal: &str, condition: &str) -> bool {
        let text = format!(
            r#"{{"Statement":[{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::docs"}},
                {{"Effect":"Allow","Principal":{principal},"Action":"s3:PutObject","Resource":"arn:aws:s3:::docs/*",
                "Condition":{condition}}}]}}"#
        );
        is_public(&read(&text).expect("a policy"))
    }

    #[test]
    fn everyone_is_the_public_unless_held_to_fixed_values() {
        for (condition, expected) in [
            ("{}", true),
            (r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#, true),
            (r#"{"StringEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, false),
            (r#"{"StringLike":{"aws:SourceVpc":["vpc-91237329","vpc-?"]}}"#, true),
            (r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/vpc}"}}"#, true),
            (r#"{"StringNotEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, true),
            (r#"{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-91237329"}}"#, true),
            (r#"{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, true),
            (r#"{"ForAnyValue:StringEquals":{"aws:SourceVpc":"vpc-91237329"}}"#, false),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:us-east-1:111122223333:topic"}}"#, false),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:111122223333:topic"}}"#, true),
            (r#"{"StringEquals":{"AWS:PRINCIPALACCOUNT":"111122223333"}}"#, false),
            (r#"{"StringLike":{"aws:userid":"AROAEXAMPLE:*"}}"#, true),
            (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, true),
            (r#"{"StringEquals":{"s3:prefix":"a"}}"#, true),
            (r#"{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, false),
            (r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.1"]}}"#, false),
            (r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}"#, true),
            (r#"{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}"#, false),
            (r#"{"IpAddress":{"aws:SourceIp":"2000::/3"}}"#, true),
            (r#"{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, true),
            (r#"{"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:111122223333:accesspoint/*"}}"#, false),
            (r#"{"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:*:accesspoint/a"}}"#, true),
        ] {
            assert_eq!(public("\"*\"", condition), expected, "{condition}");
        }
        assert!(public(r#"{"AWS":["111122223333","*"]}"#, "{}"));
        for few in [r#"{"AWS":"111122223333"}"#, r#"{"Service":"logs.amazonaws.com"}"#] {
            assert!(!public(few, "{}"), "{few}");
        }
    }
}
