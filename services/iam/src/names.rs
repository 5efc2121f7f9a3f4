//! Ids and ARNs of iam's things. Source: AWS IAM User Guide, "IAM identifiers".

use kiln_service_kit::Cx;

/// e.g. `AROA` and 17 upper-case letters and digits.
pub fn unique_id(cx: &Cx, prefix: &str) -> String {
    format!("{prefix}{}", cx.ids().of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17))
}

/// `arn:aws:iam::account:kind/path/name`.
pub fn arn(cx: &Cx, kind: &str, path: &str, name: &str) -> String {
    format!("arn:{}:iam::{}:{kind}{path}{name}", cx.partition(), cx.account())
}
