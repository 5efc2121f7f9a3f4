//! What a stack is asked to be and how that begins, whoever asks: below operations, controllers and resource types,
//! which know each other by what stands here and in the records.
//!
//! A wish (`request`) is prepared with what templates ask of the world (`world`), compared with what is there
//! (`changes`) and written down (`start`); the rest says what is allowed on the way.

pub mod attributes;
pub mod changes;
pub mod exports;
pub mod parameters;
pub mod policy;
pub mod references;
pub mod request;
pub mod reserved_tags;
pub mod role;
pub mod s3_url;
pub mod schemas;
pub mod secrets;
pub mod signals;
pub mod start;
pub mod world;
