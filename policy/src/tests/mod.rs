//! Tables of documents, requests and what must come of them.

mod conditions;
mod documents;
mod evaluation;
mod patterns;
mod resources;
mod trust;

use crate::{Document, DocumentKind, Principal, Request};

const ACCOUNT: &str = "111122223333";

fn parsed(text: &str, kind: DocumentKind) -> Document {
    Document::parse(text, kind).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn identity(statement: &str) -> Document {
    parsed(&format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#), DocumentKind::Identity)
}

fn user(name: &str) -> Principal {
    Principal::User {
        arn: format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
        account: ACCOUNT.into(),
        name: name.into(),
        id: format!("AIDA{name}"),
    }
}

fn session(role: &str) -> Principal {
    Principal::Session {
        arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/s1"),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
        account: ACCOUNT.into(),
        id: "AROAEXAMPLE:s1".into(),
    }
}

fn request(action: &str, resource: &str) -> Request {
    Request::new(user("ann"), action, vec![resource.into()])
}
