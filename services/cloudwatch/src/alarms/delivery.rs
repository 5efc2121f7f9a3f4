//! Where messages to topics are noted until the crate that carries them is there.

use kiln_service_kit::{Error, Record, Scope, Tx};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Address {
    Topic(String),
}

pub struct Policy;

impl Policy {
    pub const INSIDE: Self = Self;
}

#[derive(Default)]
pub struct Parcel {
    pub subject: Option<String>,
    pub body: String,
    pub more: (),
}

impl Parcel {
    pub fn of(body: String) -> Self {
        Self { body, ..Self::default() }
    }
}

pub struct Note {
    pub to: Address,
    pub by: String,
    pub source_arn: String,
    pub parcel: Parcel,
    pub policy: Policy,
    pub dead_letter: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Noted {
    pub to: Address,
    pub subject: Option<String>,
    pub body: String,
}

impl Record for Noted {
    const KIND: &'static str = "cloudwatch/noted";
}

pub fn can_carry(arn: &str) -> Result<Address, Error> {
    match arn.split(':').nth(2) {
        Some("sns") => Ok(Address::Topic(arn.to_owned())),
        _ => Err(Error::not_built(format!("delivery to {arn}"))),
    }
}

pub fn deliver(tx: &mut Tx<'_>, scope: &Scope, note: Note) -> Result<(), Error> {
    let (sequence, number) = tx.place();
    let noted = Noted { to: note.to, subject: note.parcel.subject, body: note.parcel.body };
    Ok(tx.put(scope, &format!("{sequence:016x}{number:08x}"), noted)?)
}
