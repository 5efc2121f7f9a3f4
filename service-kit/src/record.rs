//! The kinds of records that a service keeps, so that who knows no service can read them: the test that
//! today's code reads what earlier versions wrote.

use kiln_store::Record;

/// A kind of record.
#[derive(Clone, Copy)]
pub struct RecordType {
    /// See [`Record::KIND`].
    pub kind: &'static str,
    /// The type's name, with its path.
    pub name: fn() -> &'static str,
    /// Reads one as it was stored.
    pub read: fn(&str) -> Result<(), serde_json::Error>,
}

impl RecordType {
    /// That of a type.
    pub const fn of<R: Record>() -> Self {
        Self { kind: R::KIND, name: std::any::type_name::<R>, read: |json| serde_json::from_str::<R>(json).map(drop) }
    }
}

/// The kinds of these types: `records![Bucket, Object]`.
#[macro_export]
macro_rules! records {
    ($($record:ty),* $(,)?) => { const { &[$($crate::RecordType::of::<$record>()),*] } };
}
