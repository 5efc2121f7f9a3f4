//! `kiln mail`: what lies in the mailbox, newest first, or one mail whole.

use kiln_delivery::{MAIL_KEPT, Mail, mailbox};
use kiln_service_kit::Platform;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most that is looked through: all there can be.
const ALL: usize = 2 * MAIL_KEPT as usize;

/// Answers `/mail?lines=…[&to=…]` with what mails there are, `/mail?id=…` with one.
pub fn mail(platform: &Arc<Platform>, query: &BTreeMap<String, String>) -> Result<Json, String> {
    let all = mailbox(platform.history(), ALL).map_err(|e| e.chain())?;
    if let Some(id) = query.get("id") {
        let found = all.iter().find(|mail| mail.id == *id);
        return found.map(whole).ok_or_else(|| format!("there is no mail {id}; kiln mail lists those that there are"));
    }
    let lines: usize = match query.get("lines") {
        Some(lines) => lines.parse().map_err(|_| "lines is not a number".to_owned())?,
        None => ALL,
    };
    let to = query.get("to").map(|to| to.to_lowercase());
    let wanted = all.iter().filter(|mail| to.as_ref().is_none_or(|to| mail.to.to_lowercase() == *to));
    let mails: Vec<Json> = wanted.take(lines).map(whole).collect();
    Ok(json!({"mails": mails}))
}

fn whole(mail: &Mail) -> Json {
    json!({
        "id": mail.id,
        "at": mail.at.iso8601(),
        "account": mail.account,
        "region": mail.region,
        "from": mail.from,
        "to": mail.to,
        "subject": mail.subject,
        "body": mail.body,
    })
}
