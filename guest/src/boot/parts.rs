//! User data, as given, to an ordered list of things to do.
//!
//! ```text
//!   bytes ─► gunzip ─► MIME leaves ─► by content type, or by first line ─► Part
//! ```
//!
//! What is not supported stays in the list as such, so that boot says so by name
//! instead of passing it over.

use std::io::Read;

use super::mime;

/// One thing the user data asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A program with a `#!` line.
    Script {
        /// File name to keep it under.
        name: String,
        /// The program.
        content: Vec<u8>,
    },
    /// A `#cloud-config` document.
    CloudConfig(String),
    /// Something this program does not do, in words.
    NotSupported(String),
}

/// Largest user data after decompression: 16 KB of zeros must not fill memory.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Takes user data apart.
pub fn read(data: &[u8]) -> Result<Vec<Part>, String> {
    let data = gunzip(data)?;
    let mut parts = Vec::new();
    if mime::is_mime(&data) {
        for leaf in mime::leaves(&data)? {
            let content = gunzip(&leaf.content)?;
            let number = parts.len() + 1;
            let part = match leaf.content_type.as_str() {
                "text/x-shellscript" => script(number, leaf.filename.as_deref(), content),
                "text/cloud-config" => cloud_config(content)?,
                "text/plain" | "application/octet-stream" | "application/gzip" | "application/x-gzip" => {
                    by_first_line(number, leaf.filename.as_deref(), content)?
                }
                other => Part::NotSupported(format!("user data part {number} of type {other}")),
            };
            parts.push(part);
        }
    } else {
        parts.push(by_first_line(1, None, data)?);
    }
    Ok(parts)
}

/// Decompresses gzip data; other data is returned as it is.
pub fn gunzip(data: &[u8]) -> Result<Vec<u8>, String> {
    if !data.starts_with(&[0x1f, 0x8b]) {
        return Ok(data.to_vec());
    }
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

fn by_first_line(number: usize, name: Option<&str>, content: Vec<u8>) -> Result<Part, String> {
    let first = content
        .split(|byte| *byte == b'\n')
        .next()
        .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
        .unwrap_or(String::new());
    let not_supported = |what: &str| Ok(Part::NotSupported(what.to_owned()));
    match first.as_str() {
        line if line.starts_with("#!") => Ok(script(number, name, content)),
        "#cloud-config" => cloud_config(content),
        line if line.starts_with("#cloud-config ") => cloud_config(content),
        line if line.starts_with("#include") => not_supported("#include user data"),
        line if line.starts_with("#cloud-boothook") => not_supported("#cloud-boothook user data"),
        line if line.starts_with("#cloud-config-archive") => not_supported("#cloud-config-archive user data"),
        line if line.starts_with("## template:") => not_supported("user data templates (jinja)"),
        line if line.starts_with("#part-handler") => not_supported("#part-handler user data"),
        _ => {
            Ok(Part::NotSupported(format!("user data part {number}: it begins neither with #! nor with #cloud-config")))
        }
    }
}

fn script(number: usize, name: Option<&str>, content: Vec<u8>) -> Part {
    let plain = name
        .unwrap_or("")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect::<String>();
    let name = match plain.trim_start_matches('.') {
        "" => format!("part-{number:03}"),
        plain => format!("part-{number:03}-{plain}"),
    };
    Part::Script { name, content }
}

fn cloud_config(content: Vec<u8>) -> Result<Part, String> {
    String::from_utf8(content)
        .map(Part::CloudConfig)
        .map_err(|_| "the #cloud-config user data is not UTF-8 text".to_owned())
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

    #[test]
    fn a_script_is_a_script_also_when_compressed() {
        let script = b"#!/bin/bash\necho hello\n";
        let wanted = vec![Part::Script { name: "part-001".into(), content: script.to_vec() }];
        assert_eq!(read(script), Ok(wanted.clone()));
        assert_eq!(read(&gzip(script)), Ok(wanted));
    }

    #[test]
    fn a_message_keeps_order_and_names_what_it_can_not_do() {
        let message = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/x-shellscript\nContent-Disposition: attachment; filename=\"../../setup.sh\"\n\n#!/bin/sh\n--B\nContent-Type: text/cloud-config\n\n#cloud-config\nruncmd: [ls]\n--B\nContent-Type: text/cloud-boothook\n\nx\n--B--\n";
        assert_eq!(
            read(message),
            Ok(vec![
                Part::Script { name: "part-001-setup.sh".into(), content: b"#!/bin/sh".to_vec() },
                Part::CloudConfig("#cloud-config\nruncmd: [ls]".into()),
                Part::NotSupported("user data part 3 of type text/cloud-boothook".into()),
            ])
        );
    }

    #[test]
    fn includes_and_unknown_text_are_named() {
        for (data, word) in [
            ("#include\nhttp://x/\n", "#include"),
            ("## template: jinja\n#cloud-config\n", "jinja"),
            ("hello\n", "neither"),
            ("#cloud-config-archive\n", "archive"),
        ] {
            let parts = read(data.as_bytes()).expect("readable");
            match parts.as_slice() {
                [Part::NotSupported(what)] => assert!(what.contains(word), "{what}"),
                other => panic!("{data:?} became {other:?}"),
            }
        }
    }

    #[test]
    fn broken_and_exploding_gzip_are_errors() {
        assert!(read(&[0x1f, 0x8b, 0, 0]).is_err());
        let bomb = gzip(&vec![0; MOST_BYTES as usize + 1]);
        assert!(read(&bomb).expect_err("refused").contains("larger than"));
    }
}
