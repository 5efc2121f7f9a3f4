//! Streams of bytes that belong to no transaction and no type of entry: log events, which come in blocks.
//!
//! ```text
//! append ─▶ the writer's commit, shared with all that waits ─▶ durable
//! replace ─▶ some positions of a stream go and others come: one commit
//! positions ─▶ names only, from the index: what they tell is read without the blocks
//! ```
//! Who keeps such a kind trims it himself: how old a block may be is said by whose it is, not by its kind.

use crate::engine::{Item, Range};
use crate::journal::behind;
use crate::key::{self, Position, UNIT};
use crate::{Journal, JournalError};
use kiln_store::Scope;

/// A kind of blocks. Never change the name of one that has been released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks(pub &'static str);

/// A block and where it is.
pub type Placed = (Position, Vec<u8>);

/// A part of a stream: from a position on, up to but without another.
#[derive(Clone, Debug, Default)]
pub struct Between {
    /// The first that may be in it.
    pub from: Option<Position>,
    /// The first that is behind it.
    pub to: Option<Position>,
}

impl Between {
    fn range(&self) -> Range {
        Range { from: self.from.as_ref().map(Position::to_string), to: self.to.as_ref().map(Position::to_string) }
    }
}

impl Blocks {
    /// Appends blocks; durable when it answers. What is at a position already is replaced.
    pub async fn append(
        self,
        journal: &Journal,
        scope: &Scope,
        stream: &str,
        blocks: Vec<Placed>,
    ) -> Result<(), JournalError> {
        let stream = key::stream(self.0, scope, stream)?;
        journal.append(items(&stream, blocks)?).await
    }

    /// At most `limit` blocks of a part of a stream, from its end with `backwards`. Blocks for the disk.
    pub fn read(
        self,
        journal: &Journal,
        scope: &Scope,
        stream: &str,
        between: &Between,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<Placed>, JournalError> {
        let stream = key::stream(self.0, scope, stream)?;
        let found = journal.read(&stream, &between.range(), backwards, limit)?;
        found.into_iter().map(|(text, value)| Ok((position(&stream, &text)?, value))).collect()
    }

    /// The same without what is in them: costs no reading of blocks.
    pub fn positions(
        self,
        journal: &Journal,
        scope: &Scope,
        stream: &str,
        between: &Between,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<Position>, JournalError> {
        let stream = key::stream(self.0, scope, stream)?;
        let found = journal.positions(&stream, &between.range(), backwards, limit)?;
        found.into_iter().map(|text| position(&stream, &text)).collect()
    }

    /// Puts blocks in the place of others of a stream: all of it or nothing, durable on return. Blocks for the disk.
    pub fn replace(
        self,
        journal: &Journal,
        scope: &Scope,
        stream: &str,
        gone: &[Position],
        new: Vec<Placed>,
    ) -> Result<(), JournalError> {
        let stream = key::stream(self.0, scope, stream)?;
        let gone: Vec<String> = gone.iter().map(Position::to_string).collect();
        journal.replace(&stream, &gone, &items(&stream, new)?)
    }

    /// Takes a part of a stream out. Blocks for the disk.
    pub fn remove(self, journal: &Journal, scope: &Scope, stream: &str, between: &Between) -> Result<(), JournalError> {
        journal.remove_range(&key::stream(self.0, scope, stream)?, &between.range())
    }

    /// At most `limit` streams of the kind behind one, of all scopes: where a list of them goes on.
    pub fn streams(
        self,
        journal: &Journal,
        after: Option<&(Scope, String)>,
        limit: usize,
    ) -> Result<Vec<(Scope, String)>, JournalError> {
        let after = after.map(|(scope, stream)| key::stream(self.0, scope, stream)).transpose()?.unwrap_or_default();
        let names = journal.streams(&format!("{}{UNIT}", self.0), &after, limit)?;
        let parts = |name: String| {
            let mut parts = name.splitn(4, UNIT).skip(1);
            match (parts.next(), parts.next(), parts.next()) {
                (Some(account), Some(region), Some(stream)) => Ok((Scope::new(account, region), stream.to_owned())),
                _ => Err(JournalError::BadName { name: name.clone() }),
            }
        };
        names.into_iter().map(parts).collect()
    }
}

impl Position {
    /// The first position behind this one.
    pub fn next(&self) -> Position {
        Position { at: self.at, tie: behind(&self.tie) }
    }
}

fn items(stream: &str, blocks: Vec<Placed>) -> Result<Vec<Item>, JournalError> {
    let item = |(position, value): Placed| match position.tie.contains(UNIT) {
        true => Err(JournalError::BadName { name: position.tie }),
        false => Ok(Item { stream: stream.to_owned(), position: position.to_string(), value }),
    };
    blocks.into_iter().map(item).collect()
}

fn position(stream: &str, text: &str) -> Result<Position, JournalError> {
    text.parse().map_err(|_| JournalError::BadName { name: format!("{stream}{UNIT}{text}") })
}
