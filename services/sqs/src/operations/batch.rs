//! What the three batches have in common: their entries' ids, and entries that fail while others do not. Source: SQS API
//! Reference, SendMessageBatch.

use kiln_service_kit::{Error, Fault};
use kiln_sqs_shapes::*;
use std::collections::BTreeSet;

/// Entries of one batch.
const MOST: usize = 10;

/// An entry of a batch.
pub trait Entry {
    fn id(&self) -> &str;
}

impl Entry for SendMessageBatchRequestEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Entry for DeleteMessageBatchRequestEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Entry for ChangeMessageVisibilityBatchRequestEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Refuses a batch as a whole for its number of entries or their ids.
pub fn check_entries<E: Entry>(entries: &[E]) -> Result<(), Error> {
    if entries.is_empty() {
        let text = "There should be at least one entry in the request.";
        return Err(Error::sender("EmptyBatchRequest", text));
    }
    if entries.len() > MOST {
        let text = format!("Maximum number of entries per request are {MOST}. You have sent {}.", entries.len());
        return Err(Error::sender("TooManyEntriesInBatchRequest", text));
    }
    let mut ids = BTreeSet::new();
    for entry in entries {
        let id = entry.id();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if id.is_empty() || id.len() > 80 || !id.bytes().all(good) {
            let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at \
                        most 80 letters long.";
            return Err(Error::sender("InvalidBatchEntryId", text));
        }
        if !ids.insert(id) {
            return Err(Error::sender("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

/// An entry that failed.
pub fn failed(id: &str, error: &Error) -> BatchResultErrorEntry {
    BatchResultErrorEntry {
        id: Some(id.to_owned()),
        sender_fault: Some(error.fault == Fault::Sender),
        code: Some(kiln_sqs_shapes::SERVICE.query_code(&error.code).to_owned()),
        message: Some(error.message.clone()),
    }
}
