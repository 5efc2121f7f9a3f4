//! What a dead letter says of itself. Source: Amazon EventBridge User Guide, "Using dead-letter queues to process undelivered
//! events".

use crate::{Attribute, Undelivered};

/// The attributes of the letter that a note becomes which is given up after so many attempts; `why` begins with the code
/// of what the last one failed of.
pub fn attributes(waiting: &Undelivered, tries: u32, why: &str) -> Vec<Attribute> {
    let parcel = &waiting.note.parcel;
    let Some(letter) = &parcel.letter else { return parcel.attributes.clone() };
    let mut all = letter.attributes.clone();
    all.push(Attribute::text("ERROR_CODE", code(why)));
    all.push(Attribute::text("ERROR_MESSAGE", why));
    all.push(Attribute::text("RETRY_ATTEMPTS", tries.saturating_sub(1).to_string()));
    if tries > waiting.note.policy.retries() {
        all.push(Attribute::text("EXHAUSTED_RETRY_CONDITION", "MaximumRetryAttempts"));
    } else if may_be_tried(why) {
        all.push(Attribute::text("EXHAUSTED_RETRY_CONDITION", "MaximumEventAgeInSeconds"));
    }
    all
}

/// AWS's word for the code of an error.
fn code(why: &str) -> &'static str {
    match why.split(':').next().unwrap_or_default() {
        code if code.contains("AccessDenied") || code.contains("Authorization") => "NO_PERMISSIONS",
        code if ["NonExistent", "DoesNotExist", "NotFound"].iter().any(|word| code.contains(word)) => "NO_RESOURCE",
        code if code.contains("Throttl") => "THROTTLING",
        code if code.contains("Internal") => "INTERNAL_ERROR",
        _ => "SDK_CLIENT_ERROR",
    }
}

fn may_be_tried(why: &str) -> bool {
    matches!(code(why), "THROTTLING" | "INTERNAL_ERROR")
}
