//! MIME multi-part messages, as far as user data uses them.
//!
//! `cloud-init devel make-mime`, Terraform's `cloudinit_config` and CDK write
//! these; nothing else about mail is needed, so no mail library is.

use base64::Engine;

/// One leaf of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leaf {
    /// Content type in lower case, without parameters.
    pub content_type: String,
    /// The name it was attached under.
    pub filename: Option<String>,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The decoded content.
    pub content: Vec<u8>,
}

/// Deepest multi-part inside multi-part.
const DEEPEST: usize = 8;
/// Most leaves in one message.
const MOST_LEAVES: usize = 256;

/// Whether `data` is taken for a MIME message: as by cloud-init, when its beginning says so.
pub fn is_mime(data: &[u8]) -> bool {
    let start = data[..data.len().min(4096)].to_ascii_lowercase();
    start.windows(b"mime-version:".len()).any(|window| window == b"mime-version:")
}

fn header_like(line: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// The leaves of a message, in order.
pub fn leaves(data: &[u8]) -> Result<Vec<Leaf>, String> {
    let mut found = Vec::new();
    collect(data, 0, &mut found)?;
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
        .find(|(name, _)| name == "filename")
        .or_else(|| parameters.into_iter().find(|(name, _)| name == "name"))
        .map(|(_, value)| value);
    let content = decode(body, header(&headers, "content-transfer-encoding").unwrap_or("7bit"))?;
    // A type that is none is the usual one (RFC 2045, section 5.2).
    let content_type = match content_type.split('/').collect::<Vec<_>>().as_slice() {
        [main, sub] if !main.is_empty() && !sub.is_empty() => content_type,
        _ => "text/plain".to_owned(),
    };
    found.push(Leaf { content_type, filename, headers, content });
    Ok(())
}

fn decode(body: &[u8], encoding: &str) -> Result<Vec<u8>, String> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "7bit" | "8bit" | "binary" => Ok(body.to_vec()),
        "base64" => {
            let compact: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            // Padding is often left out.
            let bits = compact.trim_ascii_end().iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1);
            base64::engine::general_purpose::STANDARD_NO_PAD
                .decode(&compact[..bits])
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
    let mut fields = fields(value).into_iter();
    let content_type = fields.next().unwrap_or_default().trim().to_ascii_lowercase();
    let parameters = fields.filter_map(|field| {
        let (name, value) = field.split_once('=')?;
        let (name, value) = (name.trim().to_ascii_lowercase(), unquoted(value.trim()));
        // RFC 2231: charset'language'percent-encoded
        Some(match name.strip_suffix('*') {
            Some(name) => (name.to_owned(), percent_decoded(value.splitn(3, '\'').last().unwrap_or(""))),
            None => (name, value),
        })
    });
    (content_type, parameters.collect())
}

/// At each semicolon that is not in quotes.
fn fields(value: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        if c == ';' && !quoted {
            fields.push(String::new());
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted && !escaped;
        if let Some(field) = fields.last_mut() {
            field.push(c);
        }
    }
    fields
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut out = String::new();
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        out.extend(if c == '\\' { rest.next() } else { Some(c) });
    }
    out
}

fn percent_decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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
        let seen: Vec<_> =
            leaves.iter().map(|leaf| (&*leaf.content_type, leaf.filename.as_deref(), &*leaf.content)).collect();
        assert_eq!(
            seen,
            [
                ("text/x-shellscript", Some("first.sh"), b"#!/bin/sh\necho one".as_slice()),
                ("text/cloud-config", None, b"#cloud-config\n"),
                ("text/plain", None, b"#!/bin/sh\r\necho a=b c"),
            ]
        );
    }

    #[test]
    fn odd_headers_are_read() {
        let one = |head: &str, body: &str| {
            let message = format!("MIME-Version: 1.0\n{head}\n\n{body}");
            let mut leaves = leaves(message.as_bytes()).expect("a valid message");
            assert_eq!(leaves.len(), 1);
            leaves.remove(0)
        };
        let leaf =
            one("CONTENT-TYPE: TEXT/X-Shellscript;name=\"a;b \\\"c.sh\"\nX-Merge-Type: dict(replace)\n +list()", "x");
        assert_eq!((&*leaf.content_type, leaf.filename.as_deref()), ("text/x-shellscript", Some("a;b \"c.sh")));
        assert!(leaf.headers.contains(&("x-merge-type".into(), "dict(replace) +list()".into())));
        let leaf = one("Content-Disposition: attachment; filename*=utf-8''a%20b.sh\nContent-Type: nonsense", "x");
        assert_eq!((&*leaf.content_type, leaf.filename.as_deref()), ("text/plain", Some("a b.sh")));
        assert_eq!(one("Content-Transfer-Encoding: BASE64", "eHk").content, b"xy");
        assert_eq!(one("Content-Transfer-Encoding: base64", "eHk=\n").content, b"xy");
    }

    #[test]
    fn scripts_and_configs_are_not_mime() {
        // One that prints the words is read as a message without headers: as the script it is.
        let script = b"#!/bin/sh\necho MIME-Version: 1.0\n";
        assert!(is_mime(script));
        let leaves = leaves(script).expect("a message");
        assert_eq!((&*leaves[0].content_type, &*leaves[0].content), ("text/plain", script.as_slice()));
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
