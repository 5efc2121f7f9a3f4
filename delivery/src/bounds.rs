//! Noting, and how much may wait: by target, by account and in all, in notes and in bytes. The counts are records of the
//! same transaction, so that they are right after any crash. What finds no room is refused to whoever would have told it,
//! before the fact is kept: a target that takes nothing holds up those who tell it things, and nobody else.

use crate::{Address, Note, Undelivered};
use kiln_service_kit::{Error, Record, Scope, StoreError, Tx};
use serde::{Deserialize, Serialize};

/// How much waits somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub notes: u64,
    pub bytes: u64,
}

impl Record for Load {
    const KIND: &'static str = "delivery/load";
}

/// Most that waits for one target, for one account's targets and in all; an eighth and a half.
const BY_LANE: Load = Load { notes: 12_500, bytes: 16 << 20 };
const BY_ACCOUNT: Load = Load { notes: 50_000, bytes: 64 << 20 };
const IN_ALL: Load = Load { notes: 100_000, bytes: 128 << 20 };

/// What a note takes beside its parcel.
const EACH: u64 = 512;

/// The largest parcel: SNS's and SQS's 256 KiB, in an envelope, escaped.
const LARGEST: u64 = 2 << 20;

/// Notes something to be delivered, in the transaction that makes it true. `scope` is that of the thing that tells it.
///
/// # Errors
/// Too much waits already: `Throttled`, 429. Nothing was noted then: who need not tell it may go on with the transaction.
pub fn deliver(tx: &mut Tx<'_>, scope: &Scope, note: Note) -> Result<(), Error> {
    let size = EACH + note.parcel.size();
    if size > LARGEST {
        return Err(Error::sender("InvalidParameter", "Invalid parameter: Message too long"));
    }
    let mut loads = vec![];
    for (at, id, most) in places(scope, &note.to) {
        let before = tx.get::<Load>(&at, &id)?.map_or_else(Load::default, |load| (*load).clone());
        let load = Load { notes: before.notes + 1, bytes: before.bytes + size };
        if load.notes > most.notes || load.bytes > most.bytes {
            let text = "Rate exceeded: too much waits to be delivered already.";
            return Err(Error::sender("Throttled", text).with_status(429));
        }
        loads.push((at, id, load));
    }
    for (at, id, load) in loads {
        tx.put(&at, &id, load)?;
    }
    let (sequence, number) = tx.place();
    let now = tx.now();
    let waiting = Undelivered { note, noted: now, due: now, tries: 0, failed: None };
    Ok(tx.put(scope, &format!("{sequence:016x}{number:08x}"), waiting)?)
}

/// Notes something that has happened whether or not anybody can be told: what finds no room is left out, and the log says
/// so. A group that heals, a stack that goes on, an alarm that changes do not wait for a target that takes nothing.
/// Answers why it was left out; none if it was noted.
///
/// # Errors
/// The store cannot be read or written.
pub fn deliver_if_it_fits(tx: &mut Tx<'_>, scope: &Scope, note: Note) -> Result<Option<Error>, Error> {
    let (to, source) = (note.to.lane().to_owned(), note.source_arn.clone());
    match deliver(tx, scope, note) {
        Ok(()) => Ok(None),
        Err(error) if error.is("Throttled") || error.is("InvalidParameter") => {
            tracing::warn!(to, source, error = error.chain(), "what happened is not told");
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

/// Takes a note away, if it still is there; whether it was.
pub(crate) fn take(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<bool, StoreError> {
    let Some(waiting) = tx.get::<Undelivered>(scope, id)? else { return Ok(false) };
    let size = EACH + waiting.note.parcel.size();
    for (at, id, _) in places(scope, &waiting.note.to) {
        let before = tx.get::<Load>(&at, &id)?.map_or_else(Load::default, |load| (*load).clone());
        match before.notes {
            0 | 1 => {
                tx.delete::<Load>(&at, &id);
            }
            notes => tx.put(&at, &id, Load { notes: notes - 1, bytes: before.bytes.saturating_sub(size) })?,
        }
    }
    tx.delete::<Undelivered>(scope, id);
    Ok(true)
}

/// Where a note counts, and how much may wait there.
fn places(scope: &Scope, to: &Address) -> [(Scope, String, Load); 3] {
    let account = Scope::new(scope.account.clone(), "");
    [
        (account.clone(), format!("to {}", to.lane()), BY_LANE),
        (account, "account".to_owned(), BY_ACCOUNT),
        (Scope::new("", ""), "all".to_owned(), IN_ALL),
    ]
}
