//! XML as AWS's protocols use it: written for query, ec2 and rest-xml, read for rest-xml.

mod read;
mod write;

pub(crate) use read::decode;
pub(crate) use write::Writer;

use crate::Member;

/// The name, without its prefix, of a member that is no element of its own but an attribute of its structure's.
fn attribute(member: &Member) -> Option<&'static str> {
    member.element.strip_prefix("xsi:")
}
