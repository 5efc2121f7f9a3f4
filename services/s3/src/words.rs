//! What S3 says of values in heads that its model does not have. AWS documents few of these texts; they are as its
//! answers have them, where these are known.

use crate::checksum::Algorithm;
use crate::errors;
use kiln_service_kit::{Error, Location, Member};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is where `encoding-type=url` was asked for.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

/// A key as a URL has it.
pub fn plain_url(key: &str) -> String {
    utf8_percent_encode(key, PLAIN).to_string()
}

/// The words for a header or a key of the query whose value is not among those that the model has. Nothing:
/// the protocol's own.
pub fn bad_value(member: &Member, given: &str) -> Option<Error> {
    let (Location::Header(name) | Location::Query(name)) = member.location else { return None };
    let text = match name.to_ascii_lowercase().as_str() {
        // Judged with the checksums that it speaks of.
        "x-amz-sdk-checksum-algorithm" => return None,
        "x-amz-storage-class" => return Some(errors::invalid_storage_class(given)),
        "x-amz-checksum-type" => return Some(errors::invalid_checksum(name)),
        "x-amz-checksum-algorithm" => {
            let all = Algorithm::ALL.map(Algorithm::name).join(", ");
            return Some(errors::invalid_request(&format!(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{all}]"
            )));
        }
        "x-amz-server-side-encryption" => "The encryption method specified is not supported".to_owned(),
        "x-amz-metadata-directive" => "Unknown metadata directive.".to_owned(),
        "x-amz-tagging-directive" => "Unknown tagging directive.".to_owned(),
        "x-amz-object-ownership" => format!("Invalid x-amz-object-ownership header: {given}"),
        "x-amz-object-attributes" => "Invalid attribute name specified.".to_owned(),
        "encoding-type" => "Invalid Encoding Method specified in Request".to_owned(),
        "partnumber" => "Part number must be an integer between 1 and 10000, inclusive".to_owned(),
        "max-keys" => "Provided max-keys not an integer or within integer range".to_owned(),
        "max-buckets" => "Argument max-buckets must be an integer between 1 and 10000".to_owned(),
        "max-uploads" | "max-parts" | "part-number-marker" => not_a_count(name),
        _ => format!("The value given for {name} is not valid"),
    };
    Some(match member.sensitive {
        true => errors::invalid_request(&text),
        false => errors::invalid_argument(name, given, &text),
    })
}

/// The text for a number that is below zero.
pub fn not_a_count(name: &str) -> String {
    format!("Argument {name} must be an integer between 0 and 2147483647")
}

/// The bytes of a header that was read as ISO 8859-1, where they are UTF-8; the text as it is otherwise. For
/// headers whose text is percent-encoded UTF-8, which some clients leave as it is.
pub fn as_utf8(header: &str) -> String {
    let bytes: Option<Vec<u8>> = header.chars().map(|c| u8::try_from(c).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| header.to_owned())
}
