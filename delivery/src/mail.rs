//! Kiln's own mailbox: what would be e-mail in AWS stays on the host, in the journal, and `kiln mail` shows it. A mail is
//! put there in the transaction that takes its note away: once, not at least once.

use crate::Undelivered;
use kiln_service_kit::{Entry, Error, History, Position, Record, Scope, Timestamp, Tx, Window};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So many of the newest mails are kept, at least; at most twice as many.
pub const MAIL_KEPT: u64 = 1_000;

const STREAM: &str = "mail";

/// A mail as it lies in the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To name it by.
    pub id: String,
    pub at: Timestamp,
    /// Whose thing sent it, and where.
    pub account: String,
    pub region: String,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub body: String,
}

impl Entry for Mail {
    const KIND: &'static str = "delivery/mail";
    const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
}

/// How many mails came, and which of them is the last of a thousand: what is older is forgotten with the next thousand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    came: u64,
    /// The newest of the last full thousand.
    mark: Option<String>,
}

impl Record for Mailbox {
    const KIND: &'static str = "delivery/mailbox";
}

/// Of all accounts: only the host's owner looks into it.
fn scope() -> Scope {
    Scope::new("", "")
}

/// Puts a mail there; what to forget then, if anything.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    history: &History,
    from: &Scope,
    id: &str,
    waiting: &Undelivered,
) -> Result<Option<Position>, Error> {
    let parcel = &waiting.note.parcel;
    let mail = Mail {
        id: id.to_owned(),
        at: tx.now(),
        account: from.account.to_string(),
        region: from.region.to_string(),
        from: parcel.sender.clone().unwrap_or_else(|| waiting.note.by.clone()),
        to: waiting.note.to.lane().to_owned(),
        subject: parcel.subject.clone().unwrap_or_default(),
        body: parcel.body.clone(),
    };
    let (sequence, number) = tx.place();
    let position = Position::new(tx.now(), format!("{sequence:016x}{number:08x}"));
    let failed = |e| Error::failed("put a mail into the mailbox", e);
    history.note_at(tx, &scope(), STREAM, &position, &mail).map_err(failed)?;
    let mut mailbox = tx.get::<Mailbox>(&scope(), STREAM)?.map_or_else(Mailbox::default, |kept| (*kept).clone());
    mailbox.came += 1;
    let mut old = None;
    if mailbox.came.is_multiple_of(MAIL_KEPT) {
        // The thousand before the one that is full now.
        old = mailbox.mark.replace(position.to_string()).and_then(|mark| mark.parse().ok());
    }
    tx.put(&scope(), STREAM, mailbox)?;
    Ok(old)
}

/// Forgets what is behind the newest thousand or two.
pub(crate) fn forget(history: &History, until: &Position) -> Result<(), Error> {
    history.forget_until::<Mail>(&scope(), STREAM, until).map_err(|e| Error::failed("forget old mails", e))
}

/// The mailbox's mails, newest first, at most `limit`.
///
/// # Errors
/// The journal cannot be read.
pub fn mailbox(history: &History, limit: usize) -> Result<Vec<Mail>, Error> {
    let found = history.read::<Mail>(&scope(), STREAM, &Window::newest(None), limit);
    let found = found.map_err(|e| Error::failed("read the mailbox", e))?;
    Ok(found.into_iter().map(|(_, mail)| mail).collect())
}
