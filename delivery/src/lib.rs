//! The one road out: whatever tells somebody something (a topic, an alarm, later events, hooks and functions) notes it
//! here, in the transaction that makes it true, and it is carried at least once to what an ARN, a URL or an address names.
//!
//! ```text
//! a service: store.write(|tx| { the fact; deliver(tx, scope, note) })      one commit, both or neither
//!    record "delivery/note" ── feed ──> Carrier ── lane of the target ── attempt ──┬─ taken: the note goes
//!              ▲                                                                    ├─ not now: again later (Policy)
//!              └── tries and time of the next, kept ────────────────────────────────┘  given up: dead-letter queue, or told
//! ```
//! A note goes only after its target took it, so a `kill -9` repeats an attempt and loses nothing. A target has a lane
//! of its own: so many attempts at a time, so many notes that wait. What calls another service does so by its public
//! operation, as the principal of the service that noted it and with the thing's ARN (`aws:SourceArn`), so that the
//! policy of the queue or topic decides.
//!
//! Why not a controller: `docs/decisions/0024-delivery.md`.

mod address;
mod bounds;
mod carrier;
mod mail;
mod note;
mod policy;
mod reach;

#[cfg(test)]
mod tests;

pub use address::{Address, can_carry};
pub use bounds::{Load, deliver, deliver_if_it_fits};
pub use carrier::{Carried, Carrier, Delivered, Road, may_assume, start, tell_now};
pub use mail::{MAIL_KEPT, Mail, Mailbox, mailbox};
pub use note::{Attribute, Letter, Note, Parcel, Undelivered};
pub use policy::{Growth, Policy};
pub use reach::Reach;
