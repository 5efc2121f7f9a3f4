//! User data, as given, to an ordered list of things to do.
//!
//! ```text
//!   bytes ─► base64? ─► gunzip ─► MIME leaves ─► by content type, or by first words ─► Part
//!                          ▲                         │ #include, #cloud-config-archive
//!                          └─────────────────────────┘
//! ```
//!
//! The rules are those of cloud-init ("User data formats"): the first words are looked for behind
//! white space and whatever their case, text that is not UTF-8 is of no kind, parts are called by
//! their file names, `part-001` and so on where they have none. What is not served stays in the
//! list as such, so that boot says so by name instead of passing it over.

use std::io::Read;

use base64::Engine;
use serde_json::Value;

use super::mime::{self, Leaf};
use super::yaml;

/// One thing the user data asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A program with a `#!` line.
    Script {
        /// How often it runs.
        when: When,
        /// File name to keep it under.
        name: String,
        /// The program.
        content: Vec<u8>,
    },
    /// A `#cloud-config` document.
    CloudConfig(Document),
    /// A program for every boot, before everything else.
    Boothook {
        /// File name to keep it under.
        name: String,
        /// The program.
        content: Vec<u8>,
    },
    /// Something this program does not do, in words.
    NotSupported(String),
}

/// A `#cloud-config` document and how its part says that it is merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The name of its part.
    pub name: String,
    /// YAML.
    pub text: String,
    /// The `Merge-Type` or `X-Merge-Type` header.
    pub merge: Option<String>,
}

/// How often a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// User data itself: once per instance unless `scripts-user` says otherwise.
    User,
    /// On every boot.
    PerBoot,
    /// Once per instance.
    PerInstance,
    /// Once, also in machines made of this one's image.
    PerOnce,
}

/// Gets what an `#include` names; the flag asks for the copy of an earlier boot.
pub type Fetch<'a> = &'a mut dyn FnMut(&str, bool) -> Result<Vec<u8>, String>;

/// Largest user data after decompression: 16 KB of zeros must not fill memory.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// Most parts, and most URLs that are included.
const MOST_PARTS: usize = 256;
/// Deepest inclusion in inclusion.
const DEEPEST: usize = 8;

/// Content types that say no more than "look at the first words".
const LOOKED_AT: [&str; 3] = ["text/plain", "text/x-not-multipart", "text/x-shellscript"];
/// Content types of compressed parts.
const COMPRESSED: [&str; 8] = [
    "application/gzip",
    "application/gzip-compressed",
    "application/gzipped",
    "application/x-compress",
    "application/x-compressed",
    "application/x-gunzip",
    "application/x-gzip",
    "application/x-gzip-compressed",
];
/// First words and the content type they stand for; a longer one before what it begins with.
const FIRST_WORDS: [(&str, &str); 11] = [
    ("#cloud-config-archive", "text/cloud-config-archive"),
    ("#cloud-config-jsonp", "text/cloud-config-jsonp"),
    ("## template: jinja", "text/jinja2"),
    ("#cloud-boothook", "text/cloud-boothook"),
    ("#include-once", "text/x-include-once-url"),
    ("#cloud-config", "text/cloud-config"),
    ("#part-handler", "text/part-handler"),
    ("#upstart-job", "text/upstart-job"),
    ("#include", "text/x-include-url"),
    ("#!", "text/x-shellscript"),
    ("## template:jinja", "text/jinja2"),
];

/// Takes user data apart.
pub fn read(data: &[u8], fetch: Fetch<'_>) -> Result<Vec<Part>, String> {
    // EC2 decodes what RunInstances was given; who encoded it twice finds it still encoded.
    let decoded = base64::engine::general_purpose::STANDARD.decode(data);
    let mut reader = Reader { parts: Vec::new(), fetched: 0, fetch };
    reader.message(decoded.as_deref().unwrap_or(data), 0)?;
    Ok(reader.parts)
}

/// Decompresses gzip data; other data is returned as it is.
pub fn gunzip(data: &[u8]) -> Result<Vec<u8>, String> {
    if data.starts_with(&[0x1f, 0x8b]) { unpack(data) } else { Ok(data.to_vec()) }
}

fn unpack(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(data)
        .take(MOST_BYTES + 1)
        .read_to_end(&mut out)
        .map_err(|cause| format!("the gzip data is broken: {cause}"))?;
    if out.len() as u64 > MOST_BYTES {
        return Err(format!("the gzip data is larger than {MOST_BYTES} bytes when unpacked"));
    }
    Ok(out)
}

struct Reader<'a> {
    parts: Vec<Part>,
    fetched: usize,
    fetch: Fetch<'a>,
}

impl Reader<'_> {
    fn message(&mut self, data: &[u8], depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("#include inside #include, deeper than {DEEPEST}"));
        }
        let data = gunzip(data)?;
        if !mime::is_mime(&data) {
            let content_type = "text/x-not-multipart".to_owned();
            return self.leaf(Leaf { content_type, content: data, ..Leaf::default() }, depth);
        }
        mime::leaves(&data)?.into_iter().try_for_each(|leaf| self.leaf(leaf, depth))
    }

    fn leaf(&mut self, mut leaf: Leaf, depth: usize) -> Result<(), String> {
        if COMPRESSED.contains(&leaf.content_type.as_str()) {
            leaf.content = unpack(&leaf.content)?;
            leaf.content_type = "text/plain".to_owned();
        }
        if LOOKED_AT.contains(&leaf.content_type.as_str())
            && let Some(found) = by_first_words(&leaf.content)
        {
            leaf.content_type = found.to_owned();
        }
        match leaf.content_type.as_str() {
            "text/x-include-url" | "text/x-include-once-url" => return self.include(&leaf.content, depth),
            "text/cloud-config-archive" => return self.archive(leaf.content),
            _ => {}
        }
        if self.parts.len() == MOST_PARTS {
            return Err(format!("the user data has more than {MOST_PARTS} parts"));
        }
        let part = self.part(leaf)?;
        self.parts.extend(part);
        Ok(())
    }

    fn part(&self, leaf: Leaf) -> Result<Option<Part>, String> {
        let number = self.parts.len() + 1;
        let name = file_name(leaf.filename.as_deref(), number);
        let content = leaf.content;
        let script = |when| Part::Script { when, name: name.clone(), content: unix_lines(content.clone()) };
        let not_supported = |what: &str| Part::NotSupported(format!("user data part {number}: {what}"));
        Ok(Some(match leaf.content_type.as_str() {
            "text/x-shellscript" => script(When::User),
            "text/x-shellscript-per-boot" => script(When::PerBoot),
            "text/x-shellscript-per-instance" => script(When::PerInstance),
            "text/x-shellscript-per-once" => script(When::PerOnce),
            "text/cloud-config" => {
                let text = String::from_utf8(content)
                    .map_err(|_| format!("user data part {number}: the #cloud-config is not UTF-8 text"))?;
                let header = |wanted| leaf.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
                let merge = header("merge-type").or_else(|| header("x-merge-type")).cloned();
                Part::CloudConfig(Document { name, text, merge })
            }
            "text/cloud-boothook" => {
                let content = unix_lines(content);
                let content = content.strip_prefix(b"#cloud-boothook".as_slice()).unwrap_or(&content);
                Part::Boothook { name, content: content.trim_ascii_start().to_vec() }
            }
            "text/jinja2" => not_supported("user data templates (jinja)"),
            "text/part-handler" => not_supported("#part-handler"),
            "text/cloud-config-jsonp" => not_supported("#cloud-config-jsonp"),
            "text/upstart-job" => not_supported("#upstart-job"),
            _ if content.is_empty() => return Ok(None),
            "text/plain" | "text/x-not-multipart" if std::str::from_utf8(&content).is_err() => {
                not_supported("it is not UTF-8 text, so its first line tells nothing")
            }
            "text/plain" | "text/x-not-multipart" => not_supported("it begins neither with #! nor with #cloud-config"),
            other => not_supported(&format!("its content type {other}")),
        }))
    }

    /// `#include`: URLs, one a line, also behind the word itself.
    fn include(&mut self, content: &[u8], depth: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(content).into_owned();
        let mut once = false;
        for line in text.lines() {
            let lower = line.to_ascii_lowercase();
            let rest = if lower.starts_with("#include-once") {
                once = true;
                &line["#include-once".len()..]
            } else if lower.starts_with("#include") {
                once = false;
                &line["#include".len()..]
            } else {
                line
            };
            let url = rest.trim();
            if url.is_empty() || url.starts_with('#') {
                continue;
            }
            self.fetched += 1;
            if self.fetched > MOST_PARTS {
                return Err(format!("the user data includes more than {MOST_PARTS} URLs"));
            }
            let found = (self.fetch)(url, once).map_err(|problem| format!("#include {url}: {problem}"))?;
            self.message(&found, depth + 1)?;
        }
        Ok(())
    }

    /// `#cloud-config-archive`: a YAML list of parts.
    fn archive(&mut self, content: Vec<u8>) -> Result<(), String> {
        let wrong = |what: &str| format!("#cloud-config-archive: {what}");
        let text = String::from_utf8(content).map_err(|_| wrong("it is not UTF-8 text"))?;
        let entries = match yaml::parse(&text).map_err(|problem| wrong(&problem))? {
            Value::Array(entries) => entries,
            Value::Null => Vec::new(),
            _ => return Err(wrong("it is not a list")),
        };
        for entry in entries {
            let leaf = archived(&entry).map_err(|problem| wrong(&problem))?;
            if self.parts.len() == MOST_PARTS {
                return Err(wrong(&format!("more than {MOST_PARTS} parts")));
            }
            let part = self.part(leaf)?;
            self.parts.extend(part);
        }
        Ok(())
    }
}

/// An entry of an archive: text, or a mapping of content, type, filename and headers.
fn archived(entry: &Value) -> Result<Leaf, String> {
    let mut leaf = Leaf::default();
    let mut given_type = None;
    let mut binary = false;
    match entry {
        Value::Object(map) if yaml::binary(entry).is_none() => {
            for (key, value) in map {
                let text = || value.as_str().map(str::to_owned).ok_or(format!("{key} is not text"));
                match key.as_str() {
                    "content" => {
                        binary = yaml::binary(value).is_some();
                        leaf.content = yaml::bytes(value).ok_or("content is not text")?;
                    }
                    "type" => given_type = Some(text()?.to_ascii_lowercase()),
                    "filename" => leaf.filename = Some(text()?),
                    "launch-index" => return Err("launch-index is not supported".to_owned()),
                    _ => leaf.headers.push((key.to_ascii_lowercase(), text()?)),
                }
            }
        }
        other => {
            binary = yaml::binary(other).is_some();
            leaf.content = yaml::bytes(other).ok_or("an entry is neither text nor a mapping")?;
        }
    }
    leaf.content_type = match given_type {
        Some(given) => given,
        None => {
            let usual = if binary { "application/octet-stream" } else { "text/cloud-config" };
            by_first_words(&leaf.content).unwrap_or(usual).to_owned()
        }
    };
    Ok(leaf)
}

fn by_first_words(content: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(content).ok()?.trim_start();
    FIRST_WORDS.iter().find(|(words, _)| starts_with(text, words)).map(|(_, kind)| *kind)
}

fn starts_with(text: &str, words: &str) -> bool {
    text.as_bytes().get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words.as_bytes()))
}

/// Text of a Windows editor: when the first line ends so, every line does.
fn unix_lines(content: Vec<u8>) -> Vec<u8> {
    match content.iter().position(|byte| *byte == b'\n') {
        Some(end) if end > 0 && content[end - 1] == b'\r' => {}
        _ => return content,
    }
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\r' || rest.peek() != Some(&b'\n') {
            out.push(byte);
        }
    }
    out
}

/// The name a part is kept under: it never leaves its folder.
fn file_name(name: Option<&str>, number: usize) -> String {
    let plain: String = name
        .unwrap_or("")
        .chars()
        .map(|c| if c == '/' { '_' } else { c })
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')'))
        .take(200)
        .collect();
    match plain.as_str() {
        "" | "." | ".." => format!("part-{number:03}"),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).expect("memory is writable");
        encoder.finish().expect("memory is writable")
    }

    fn read(data: &[u8]) -> Result<Vec<Part>, String> {
        super::read(data, &mut |_, _| Err("nothing is fetched in this test".to_owned()))
    }

    fn script(name: &str, content: &[u8]) -> Part {
        Part::Script { when: When::User, name: name.into(), content: content.to_vec() }
    }

    fn config(name: &str, text: &str) -> Part {
        Part::CloudConfig(Document { name: name.into(), text: text.into(), merge: None })
    }

    #[test]
    fn a_script_is_a_script_however_it_is_wrapped() {
        let text = b"#!/bin/bash\necho hello\n";
        let encode = |data: &[u8]| base64::engine::general_purpose::STANDARD.encode(data).into_bytes();
        for given in [text.to_vec(), gzip(text), encode(text), encode(&gzip(text)), gzip(&gzip(text)[..])] {
            let wanted = match read(&given) {
                // Compressed twice is not unpacked twice.
                Ok(parts) if given == gzip(&gzip(text)) => {
                    return assert!(matches!(parts[..], [Part::NotSupported(_)]));
                }
                other => other,
            };
            assert_eq!(wanted, Ok(vec![script("part-001", text)]));
        }
        assert_eq!(read(b"#!/bin/sh\r\necho a\r\n"), Ok(vec![script("part-001", b"#!/bin/sh\necho a\n")]));
        assert_eq!(read(b"#!/bin/sh\nprintf 'a\r\n'"), Ok(vec![script("part-001", b"#!/bin/sh\nprintf 'a\r\n'")]));
    }

    #[test]
    fn the_first_words_count_behind_white_space_and_in_any_case() {
        assert_eq!(read(b"\n  #Cloud-Config\na: 1\n"), Ok(vec![config("part-001", "\n  #Cloud-Config\na: 1\n")]));
        assert_eq!(read(b"\n#!/bin/sh\n"), Ok(vec![script("part-001", b"\n#!/bin/sh\n")]));
        assert_eq!(read(b""), Ok(vec![]));
        for (data, word) in [
            (b"#!/bin/sh\necho \xff\n".as_slice(), "not UTF-8"),
            (b"hello\n", "neither"),
            (b"\x00\x01binary", "neither"),
            (b"## template: jinja\n#cloud-config\n", "jinja"),
            (b"#part-handler\n", "part-handler"),
            (b"#cloud-config-jsonp\n[]", "jsonp"),
        ] {
            match read(data).expect("readable").as_slice() {
                [Part::NotSupported(what)] => assert!(what.contains(word), "{what}"),
                other => panic!("{data:?} became {other:?}"),
            }
        }
    }

    #[test]
    fn a_message_keeps_order_names_and_headers() {
        let message = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/x-shellscript\nContent-Disposition: attachment; filename=\"../../set up.sh\"\n\n#!/bin/sh\n--B\nX-MERGE-TYPE: list(append)\nContent-Type: Text/Cloud-Config\n\n#cloud-config\nruncmd: [ls]\n--B\nContent-Type: text/cloud-boothook\n\n#cloud-boothook\n#!/bin/sh\n--B\nContent-Type: text/x-shellscript-per-boot\n\n#!/bin/sh\n--B\nContent-Type: application/octet-stream\n\n#!/bin/sh\n--B\nContent-Type: text/x-shellscript\n\n#cloud-config\n--B--\n";
        assert_eq!(
            read(message),
            Ok(vec![
                script(".._.._setup.sh", b"#!/bin/sh"),
                Part::CloudConfig(Document {
                    name: "part-002".into(),
                    text: "#cloud-config\nruncmd: [ls]".into(),
                    merge: Some("list(append)".into()),
                }),
                Part::Boothook { name: "part-003".into(), content: b"#!/bin/sh".to_vec() },
                Part::Script { when: When::PerBoot, name: "part-004".into(), content: b"#!/bin/sh".to_vec() },
                Part::NotSupported("user data part 5: its content type application/octet-stream".into()),
                config("part-006", "#cloud-config"),
            ])
        );
    }

    #[test]
    fn compressed_parts_are_told_by_their_type() {
        let encode = |data: &[u8]| base64::engine::general_purpose::STANDARD.encode(data);
        let message = |kind: &str, body: &[u8]| {
            format!("MIME-Version: 1.0\nContent-Type: {kind}\nContent-Transfer-Encoding: base64\n\n{}\n", encode(body))
        };
        let text = b"#!/bin/sh\n";
        assert_eq!(read(message("application/x-gzip", &gzip(text)).as_bytes()), Ok(vec![script("part-001", text)]));
        assert!(read(message("application/gzip", text).as_bytes()).is_err());
    }

    #[test]
    fn archives_and_includes_are_followed() {
        let archive = b"#cloud-config-archive\n- {type: text/cloud-boothook, content: \"#!/bin/sh\\n\"}\n- \"#!/bin/sh\\necho a\\n\"\n- {content: \"a: 1\", filename: one, Merge-Type: list(append)}\n- {content: !!binary AAE=, type: application/x}\n";
        assert_eq!(
            read(archive),
            Ok(vec![
                Part::Boothook { name: "part-001".into(), content: b"#!/bin/sh\n".to_vec() },
                script("part-002", b"#!/bin/sh\necho a\n"),
                Part::CloudConfig(Document {
                    name: "one".into(),
                    text: "a: 1".into(),
                    merge: Some("list(append)".into()),
                }),
                Part::NotSupported("user data part 4: its content type application/x".into()),
            ])
        );
        assert!(read(b"#cloud-config-archive\na: 1\n").is_err());

        let mut asked = Vec::new();
        let parts =
            super::read(b"#include http://a/1\n# no\nhttp://a/2\n#include-once\nhttp://a/3\n", &mut |url, once| {
                asked.push((url.to_owned(), once));
                match url {
                    "http://a/2" => Ok(gzip(b"#include\nhttp://a/4")),
                    _ => Ok(format!("#!{url}").into_bytes()),
                }
            });
        let names = ["http://a/1", "http://a/4", "http://a/3"];
        let wanted = names.iter().enumerate();
        assert_eq!(
            parts,
            Ok(wanted.map(|(n, url)| script(&format!("part-00{}", n + 1), format!("#!{url}").as_bytes())).collect())
        );
        let flags: Vec<bool> = asked.iter().map(|(_, once)| *once).collect();
        assert_eq!(flags, [false, false, false, true]);

        let round = super::read(b"#include\nhttp://a/\n", &mut |_, _| Ok(b"#include\nhttp://a/".to_vec()));
        assert!(round.expect_err("it includes itself").contains("deeper"));
        assert!(read(b"#include\nhttp://a/\n").expect_err("not there").starts_with("#include http://a/: "));
    }

    #[test]
    fn broken_and_exploding_gzip_are_errors() {
        assert!(read(&[0x1f, 0x8b, 0, 0]).is_err());
        let bomb = gzip(&vec![0; MOST_BYTES as usize + 1]);
        assert!(read(&bomb).expect_err("refused").contains("larger than"));
    }
}
