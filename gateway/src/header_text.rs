//! Text in headers that is not ASCII. HTTP's headers are bytes; S3 takes each for a character of ISO-8859-1,
//! and gives them back so. Values of user metadata may be written as RFC 2047 says, which is undone before
//! they are stored, and are given back like that where they are not ASCII. So what came in goes out again.
//!
//! Source: Amazon S3 User Guide, "Working with object metadata", whose example is among the tests below. It
//! says nothing of other headers; that an override of an answer's header must fit into ISO-8859-1 is what S3 says
//! when it does not.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;

const METADATA: &str = "x-amz-meta-";

/// The text of a header that came in.
pub fn read(name: &str, value: &HeaderValue) -> String {
    let text: String = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    if name.starts_with(METADATA) { without_words(&text) } else { text }
}

/// The header that goes out; none where no header can say that text.
pub fn write(name: &str, text: &str) -> Option<HeaderValue> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return HeaderValue::from_str(text).ok();
    }
    if name.to_ascii_lowercase().starts_with(METADATA) {
        return HeaderValue::from_str(&format!("=?UTF-8?B?{}?=", STANDARD.encode(text))).ok();
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

/// The text with its encoded words (RFC 2047) decoded; white space between two of them is theirs.
fn without_words(text: &str) -> String {
    let (mut plain, mut rest, mut after_word) = (String::with_capacity(text.len()), text, false);
    while let Some(start) = rest.find("=?") {
        let between = &rest[..start];
        let Some((word, length)) = word(&rest[start..]) else {
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
fn word(text: &str) -> Option<(String, usize)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let data = &rest[..rest.find("?=")?];
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(data).ok()?,
        "Q" | "q" => quoted(data)?,
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
fn quoted(data: &str) -> Option<Vec<u8>> {
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

    fn there_and_back(name: &str, sent: &[u8]) -> (String, Vec<u8>) {
        let text = read(name, &HeaderValue::from_bytes(sent).expect("a header"));
        let back = write(name, &text).expect("a header").as_bytes().to_vec();
        (text, back)
    }

    #[test]
    fn metadata_that_is_not_ascii_comes_back_as_aws_s_example_has_it() {
        let (_, back) = there_and_back("x-amz-meta-nonascii", "ÄMÄZÕÑ S3".as_bytes());
        assert_eq!(back, b"=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=");
        let (text, back) = there_and_back("x-amz-meta-a", b"=?UTF-8?B?w4TDlg==?=");
        assert_eq!((text.as_str(), back.as_slice()), ("ÄÖ", b"=?UTF-8?B?w4TDlg==?=".as_slice()));
        assert_eq!(there_and_back("x-amz-meta-a", b"plain ?= =? text").1, b"plain ?= =? text");
        assert_eq!(there_and_back("x-amz-meta-a", b"=?UTF-8?Q?only_ascii?=").1, b"only ascii");
        assert_eq!(there_and_back("x-amz-meta-a", b"a =?iso-8859-1?q?=E4?= =?UTF-8?b?w7Y=?= b").0, "a äö b");
        assert_eq!(there_and_back("x-amz-meta-a", b"=?UTF-8?B?not base64?=").1, b"=?UTF-8?B?not base64?=");
        let (text, back) = there_and_back("x-amz-meta-a", b"=?UTF-8?Q?a=0D=0ASet-Cookie:_x?=");
        assert_eq!(text, "a\r\nSet-Cookie: x");
        assert!(back.starts_with(b"=?UTF-8?B?"), "no header is made of it");
    }

    #[test]
    fn other_headers_go_out_as_they_came() {
        let name = "attachment; filename=\"grün.pdf\"";
        assert_eq!(there_and_back("content-disposition", name.as_bytes()).1, name.as_bytes());
        assert_eq!(write("content-disposition", "grün").expect("Latin").as_bytes(), b"gr\xfcn");
        assert_eq!(write("content-disposition", "日本"), None);
        assert_eq!(write("content-disposition", "a\nb"), None);
    }
}
