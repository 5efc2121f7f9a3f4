//! A call on its way into the trail: what it asks is written before it, what it answered after it.

use super::class::Class;
use super::event;
use super::log::TrailRecord;
use crate::{Answered, CallInHand, CallerKind, Cx, Error, Operation, one_line};
use kiln_protocol::{Value, json};

/// Request and response are told up to this length each; of longer ones the record says that they are not there.
const MOST_DETAIL: usize = 16 * 1024;

/// An error's message is told up to this length, characters.
const MOST_MESSAGE: usize = 1_000;

/// A call that has begun and is to be told.
pub(crate) struct Begun {
    request: Option<String>,
    class: Class,
}

impl Begun {
    /// Whether the record tells the answer.
    pub(crate) fn wants_answer(&self) -> bool {
        self.class.is_told_whole()
    }
}

/// A call begins: what it asks is written down, unless nothing of it is to be told.
pub(crate) fn begin(cx: &Cx, operation: &Operation, value: &Value) -> Option<Begun> {
    let trail = cx.platform().trail();
    let class = trail.class(operation.model.name, operation.name);
    match class {
        Class::Data => return None,
        Class::Read => {
            let by_itself = matches!(cx.caller().kind, CallerKind::Service { .. });
            let within = CallInHand::is_within() && cx.via_service().is_none();
            // Where there is no room it is counted, and that is all that is told of it.
            if by_itself || within || !trail.has_room_for_a_read() {
                return None;
            }
        }
        Class::Session | Class::Write => {}
    }
    let shown = json::trail(value, operation.input, operation.model.protocol, json::Side::Request);
    Some(Begun { request: detail(shown), class })
}

/// It has ended: the record, durable where it changed something.
pub(crate) fn end(begun: Begun, cx: &Cx, operation: &Operation, answer: Result<&Answered, &Error>) {
    let response = match answer {
        Ok(Answered::Value(value)) if begun.wants_answer() => {
            detail(json::trail(value, operation.output, operation.model.protocol, json::Side::Response))
        }
        _ => None,
    };
    let error = answer.err();
    let message = error.map(|error| one_line(&error.message, MOST_MESSAGE));
    let region = match operation.model.global {
        true => crate::regions::partition_of(cx.region()).global_region,
        false => cx.region(),
    };
    let trail = cx.platform().trail();
    let event_id = trail.event_id(cx.request_id(), cx.now());
    let told = event::Told {
        operation,
        event_id: &event_id,
        region,
        error,
        message: message.as_deref(),
        request: begun.request.as_deref(),
        response: response.as_deref(),
        read_only: begun.class.only_reads(),
    };
    let event = event::event(cx, &told);
    let record =
        TrailRecord { at: cx.now(), account: cx.account().to_owned(), region: region.to_owned(), event_id, event };
    trail.add(record, begun.class.is_told_whole());
}

/// A request or a response for the record. One that says nothing is none, and of a long one the record says how long.
fn detail(json: Vec<u8>) -> Option<String> {
    match json.len() {
        0..=2 => None,
        3..=MOST_DETAIL => Some(String::from_utf8(json).expect("JSON is UTF-8")),
        long => Some(format!("{{\"omitted\":true,\"originalSize\":{long},\"reason\":\"too large\"}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_bounded() {
        assert_eq!(detail(b"{}".to_vec()), None);
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MOST_DETAIL));
        assert!(detail(long.into_bytes()).expect("told").contains("\"omitted\":true"));
    }
}
