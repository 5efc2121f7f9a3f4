//! XML as AWS's protocols use it: written for query, ec2 and rest-xml, read for rest-xml.

mod read;
mod write;

pub(crate) use read::decode;
pub(crate) use write::Writer;
