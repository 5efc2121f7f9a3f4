//! What a service is made of. Every folder under `services/` is written in these words.
//!
//! ```text
//! gateway --decoded call--> invoke: validate -> authorize -> handler (one store transaction) -> log
//! controller --cx.call(Request)--> invoke: the same, without HTTP
//! store --change--> runner (crate reconcile) -> Controller: observe -> plan (pure) -> act -> report
//! cloudformation --ResourceType--> cx.call(Request)
//! ```
//!
//! A service sees its own code, this kit and other services' shapes; what it wants of another
//! service it asks for by that service's public operation ([`Cx::call`]).

mod access;
mod call_figures;
mod caller;
mod calls;
mod controller;
mod cx;
mod events;
mod idempotency;
mod in_hand;
mod invoke;
mod one_line;
mod operation;
mod paging;
mod plan;
mod platform;
mod properties;
mod record;
mod resource;
mod rest;
mod roll;
mod service;
mod streams;
mod tags;
mod target;
mod trail;

pub use access::{Access, Grant, ResourcePolicy};
pub use async_trait::async_trait;
pub use call_figures::CallFigures;
pub use caller::{Caller, CallerKind, Credential, RootCredential};
pub use calls::{CallKeeper, CallLog, CallRecord, Told};
pub use controller::{AnyController, AskChaos, Chaos, Controller, Pass, RecordKind};
pub use cx::Cx;
pub use events::{Events, Happening, ToldEvent};
#[doc(no_inline)]
pub use futures_util::future::BoxFuture;
pub use idempotency::{RECORDS, Remembered, request_hash};
pub use in_hand::CallInHand;
pub use invoke::invoke;
pub use kiln_clock::{Clock, Timestamp};
pub use kiln_ids::{Arn, Glob, IdSource, regions};
pub use kiln_journal::{Between, Blocks, Entry, History, Journal, JournalError, Kept, Placed, Position, Window};
pub use kiln_protocol::{Blob, Error, Fault, Kind, Location, Map, Member, Request, Route, chain};
pub use kiln_store::{
    Before, Change, Commit, Keys, Op, Reads, Record, Rows, Scope, Store, StoreError, Tx, Unread, Whole, past_prefix,
};
pub use one_line::one_line;
pub use operation::{Answered, How, Operation, Touches};
pub use paging::{Asked, Page, page_of, paginate};
pub use plan::{Name, Plan, Report, Waiting};
pub use platform::{Platform, PlatformBuilder};
pub use properties::{Properties, given};
pub use record::RecordType;
pub use resource::{ResourceRequest, ResourceType, Stability};
pub use rest::{BodyFault, CrossOrigin, OtherSignature, RestRules};
pub use roll::{CANNOT_ROLL, Manner, Roll, Rolled, Rolling, WrongPolicy, duration, too_few_signals, whole};
pub use service::{Explain, Explained, Names, Service, Start};
pub use streams::{ByteStream, Streams};
pub use tags::{MOST_TAGS, TagFault, check_tag_count, read_tags};
pub use target::{IntoTouched, Owned, Target, Touched};
pub use trail::{Found, Listener, Place, Trail, TrailRecord, Wanted};

#[doc(hidden)]
pub use kiln_protocol::{Shape as __Shape, StructTyped as __StructTyped};
#[doc(hidden)]
pub use operation::{dry_run_passed as __dry_run_passed, same as __same};
#[doc(hidden)]
pub use target::LetIn as __LetIn;
