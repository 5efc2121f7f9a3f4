//! MIME multi-part messages, as far as user data uses them.
//!
//! `cloud-init devel make-mime`, Terraform's `cloudinit_config` and CDK write
//! these; nothing else about mail is needed, so no mail library is.

use base64::Engine;

/// One leaf of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Content type in lower case, without parameters.
    pub content_type: String,
    /// The name it was attached under.
    pub filename: Option<String>,
    /// The decoded content.
    pub content: Vec<u8>,
}

/// Deepest multi-part inside multi-part.
const DEEPEST: usize = 8;
/// Most leaves in one message.
const MOST_LEAVES: usize = 256;

/// Whether `data` looks like a MIME message.
pub fn is_mime(data: &[u8]) -> bool {
    let start = &data[..data.len().min(4096)];
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let first = start.trim_start().lines().next().unwrap_or("");
    (first.starts_with("mime-version:") || first.starts_with("content-type:"))
        || (header_like(first) && start.contains("\nmime-version:"))
}

fn header_like(line: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// The leaves of a message, in order.
pub fn leaves(data: &[u8]) -> Result<Vec<Leaf>, String> {
    let mut found = Vec::new();
    let start = data.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    collect(&data[start..], 0, &mut found)?;
    Ok(found)
}

fn collect(message: &[u8], depth: usize, found: &mut Vec<Leaf>) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("MIME parts nest deeper than {DEEPEST}"));
    }
    let (headers, body) = split_headers(message);
    let (content_type, parameters) = match header(&headers, "content-type") {
        Some(value) => content_type(value),
        None => ("text/plain".to_owned(), Vec::new()),
    };
    if content_type.starts_with("multipart/") {
        let boundary = parameters
            .iter()
            .find(|(name, _)| name == "boundary")
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
            .ok_or("a MIME multi-part message names no boundary")?;
        let parts = split_parts(body, boundary);
        if parts.is_empty() {
            return Err(format!("the MIME boundary {boundary:?} occurs nowhere in the message"));
        }
        for part in parts {
            collect(part, depth + 1, found)?;
        }
        return Ok(());
    }
    if found.len() == MOST_LEAVES {
        return Err(format!("the message has more than {MOST_LEAVES} parts"));
    }
    let filename = header(&headers, "content-disposition")
        .into_iter()
        .flat_map(|value| self::content_type(value).1)
        .chain(parameters)
        .find(|(name, _)| name == "filename" || name == "name")
        .map(|(_, value)| value);
    let encoding = header(&headers, "content-transfer-encoding").unwrap_or("7bit");
    found.push(Leaf { content_type, filename, content: decode(body, encoding)? });
    Ok(())
}

fn decode(body: &[u8], encoding: &str) -> Result<Vec<u8>, String> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "7bit" | "8bit" | "binary" => Ok(body.to_vec()),
        "base64" => {
            let compact: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            base64::engine::general_purpose::STANDARD
                .decode(compact)
                .map_err(|cause| format!("a MIME part is not valid base64: {cause}"))
        }
        "quoted-printable" => Ok(quoted_printable(body)),
        other => Err(format!("MIME transfer encoding {other:?} is not supported")),
    }
}

fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| (byte as char).to_digit(16);
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (b'=', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => rest = after,
            (b'=', [high, low, after @ ..]) => {
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) {
                    out.push((high * 16 + low) as u8);
                    rest = after;
                } else {
                    out.push(byte);
                    rest = tail;
                }
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}

/// Headers with folded lines joined, names in lower case; and the body.
fn split_headers(message: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return (headers, after);
        }
        match (text.starts_with([' ', '\t']), headers.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(text.trim());
            }
            _ => match text.split_once(':') {
                Some((name, value)) if header_like(text) => {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                // A part without headers: its first line is content already.
                _ => return (headers, rest),
            },
        }
        rest = after;
    }
    (headers, rest)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// `text/x-shellscript; charset="utf-8"` to its type and its parameters.
fn content_type(value: &str) -> (String, Vec<(String, String)>) {
    let mut fields = value.split(';');
    let content_type = fields.next().unwrap_or("").trim().to_ascii_lowercase();
    let parameters = fields
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()))
        .collect();
    (content_type, parameters)
}

/// What lies between the boundary lines.
fn split_parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut begin: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let closing = text.strip_suffix(b"--").unwrap_or(text) == delimiter.as_bytes();
        if text == delimiter.as_bytes() || closing {
            if let Some(begin) = begin {
                parts.push(without_last_newline(&body[begin..at]));
            }
            begin = (text == delimiter.as_bytes()).then_some(at + line.len());
            if begin.is_none() {
                return parts;
            }
        }
        at += line.len();
    }
    // Tolerated, as cloud-init does: no closing line.
    if let Some(begin) = begin.filter(|begin| *begin < body.len()) {
        parts.push(&body[begin..]);
    }
    parts
}

/// The newline before a boundary belongs to the boundary.
fn without_last_newline(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Content-Type: multipart/mixed;\n boundary=\"==OUTER==\"\nMIME-Version: 1.0\n\npreamble\n--==OUTER==\nContent-Type: text/x-shellscript; charset=\"us-ascii\"\nContent-Disposition: attachment; filename=\"first.sh\"\n\n#!/bin/sh\necho one\n--==OUTER==\nContent-Type: multipart/mixed; boundary=INNER\n\n--INNER\r\nContent-Type: text/cloud-config\r\nContent-Transfer-Encoding: base64\r\n\r\nI2Nsb3VkLWNv\r\nbmZpZwo=\r\n--INNER\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n#!/bin/sh\r\necho a=3Db =\r\nc\r\n--INNER--\r\n\n--==OUTER==--\nepilogue\n";

    #[test]
    fn nested_parts_come_out_in_order_and_decoded() {
        assert!(is_mime(MESSAGE.as_bytes()));
        let leaves = leaves(MESSAGE.as_bytes()).expect("a valid message");
        assert_eq!(
            leaves,
            vec![
                Leaf {
                    content_type: "text/x-shellscript".into(),
                    filename: Some("first.sh".into()),
                    content: b"#!/bin/sh\necho one".to_vec(),
                },
                Leaf { content_type: "text/cloud-config".into(), filename: None, content: b"#cloud-config\n".to_vec() },
                Leaf {
                    content_type: "text/plain".into(),
                    filename: None,
                    content: b"#!/bin/sh\r\necho a=b c".to_vec(),
                },
            ]
        );
    }

    #[test]
    fn scripts_and_configs_are_not_mime() {
        assert!(!is_mime(b"#!/bin/sh\necho MIME-Version: 1.0\n"));
        assert!(!is_mime(b"#cloud-config\nruncmd: [ls]\n"));
    }

    #[test]
    fn broken_messages_say_what_is_broken() {
        let no_boundary = b"Content-Type: multipart/mixed\n\nx";
        assert!(leaves(no_boundary).expect_err("refused").contains("boundary"));
        let nowhere = b"Content-Type: multipart/mixed; boundary=B\n\nx";
        assert!(leaves(nowhere).expect_err("refused").contains("nowhere"));
        let base64 = b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n*not base64*";
        assert!(leaves(base64).expect_err("refused").contains("base64"));
    }
}
