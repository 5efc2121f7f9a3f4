//! User metadata that is not ASCII. Its values may be written as RFC 2047 says, which is undone before they are stored,
//! and are given back like that where they are not ASCII. So what came in goes out again. Other headers are HTTP's.
//!
//! Source: Amazon S3 User Guide, "Working with object metadata", whose example is among the tests below. It says
//! nothing of other headers; that an override of an answer's header must fit into ISO-8859-1 is what S3 says when it
//! does not.

use base64::{Engine, engine::general_purpose::STANDARD};

const METADATA: &str = "x-amz-meta-";

fn is_metadata(name: &str) -> bool {
    name.get(..METADATA.len()).is_some_and(|start| start.eq_ignore_ascii_case(METADATA))
}

/// The text of a value of metadata that came in.
pub fn value_read(name: &str, text: &str) -> Option<String> {
    is_metadata(name).then(|| without_words(text))
}

/// How a value of metadata that is not ASCII is written.
pub fn value_written(name: &str, text: &str) -> Option<String> {
    is_metadata(name).then(|| format!("=?UTF-8?B?{}?=", STANDARD.encode(text)))
}

/// The text with its encoded words (RFC 2047) decoded; white space between two of them is theirs.
fn without_words(text: &str) -> String {
    let (mut plain, mut rest, mut after_word) = (String::with_capacity(text.len()), text, false);
    while let Some(start) = rest.find("=?") {
        let between = &rest[..start];
        let Some((word, length)) = encoded_word(&rest[start..]) else {
            plain.push_str(&rest[..start + 2]);
            (rest, after_word) = (&rest[start + 2..], false);
            continue;
        };
        if !(after_word && between.chars().all(char::is_whitespace)) {
            plain.push_str(between);
        }
        plain.push_str(&word);
        (rest, after_word) = (&rest[start + length..], true);
    }
    plain + rest
}

/// The word that `text` begins with, and how much of it that is.
fn encoded_word(text: &str) -> Option<(String, usize)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let data = &rest[..rest.find("?=")?];
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(data).ok()?,
        "Q" | "q" => bytes_of_q(data)?,
        _ => return None,
    };
    let word = match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "us-ascii" => String::from_utf8(bytes).ok()?,
        "iso-8859-1" => bytes.into_iter().map(char::from).collect(),
        _ => return None,
    };
    Some((word, 2 + charset.len() + 1 + encoding.len() + 1 + data.len() + 2))
}

/// The bytes of a word of kind Q.
fn bytes_of_q(data: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(data.len()), data.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                let mut one = [0];
                hex::decode_to_slice(digits, &mut one).ok()?;
                one[0]
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is stored, and as it is given back where it is not ASCII.
    fn there_and_back(sent: &[u8]) -> (String, String) {
        let sent: String = sent.iter().map(|byte| char::from(*byte)).collect();
        let text = value_read("x-amz-meta-a", &sent).expect("metadata");
        let back = value_written("X-Amz-Meta-A", &text).expect("metadata");
        (text, back)
    }

    #[test]
    fn metadata_that_is_not_ascii_comes_back_as_aws_s_example_has_it() {
        let (_, back) = there_and_back("ÄMÄZÕÑ S3".as_bytes());
        assert_eq!(back, "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=");
        let (text, back) = there_and_back(b"=?UTF-8?B?w4TDlg==?=");
        assert_eq!((text.as_str(), back.as_str()), ("ÄÖ", "=?UTF-8?B?w4TDlg==?="));
        assert_eq!(there_and_back(b"plain ?= =? text").0, "plain ?= =? text");
        assert_eq!(there_and_back(b"=?UTF-8?Q?only_ascii?=").0, "only ascii");
        assert_eq!(there_and_back(b"a =?iso-8859-1?q?=E4?= =?UTF-8?b?w7Y=?= b").0, "a äö b");
        assert_eq!(there_and_back(b"=?UTF-8?B?not base64?=").0, "=?UTF-8?B?not base64?=");
        let (text, back) = there_and_back(b"=?UTF-8?Q?a=0D=0ASet-Cookie:_x?=");
        assert_eq!(text, "a\r\nSet-Cookie: x");
        assert!(back.starts_with("=?UTF-8?B?"), "no header is made of it");
    }

    #[test]
    fn other_headers_are_http_s() {
        for name in ["content-disposition", "x-amz-met", "x-amz-tagging"] {
            assert_eq!((value_read(name, "=?UTF-8?B?w4TDlg==?="), value_written(name, "grün")), (None, None), "{name}");
        }
    }
}
