//! `write_files`: what is to be in a file, whose, and when it is written.

use base64::Engine;
use serde_json::Value;

use super::super::{parts::gunzip, yaml};
use super::values::{boolean, string};
use crate::files::{WantedFile, parse_mode};

/// One item of the list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// What is written.
    pub wanted: WantedFile,
    /// Written at the end, when packages and users are there.
    pub defer: bool,
    /// Where its content is fetched from; what `content` says stands in when that fails.
    pub source: Option<String>,
    /// Whether there is a `content` to stand in.
    pub has_content: bool,
    /// What cloud-init only warns of, and so do we; the file is written all the same.
    pub warnings: Vec<String>,
}

/// Reads an item.
pub fn file(item: &Value) -> Result<File, String> {
    let map = item.as_object().ok_or("it is not a mapping")?;
    let mut file = File::default();
    let wanted = &mut file.wanted;
    // Unless said, files and the folders made for them are root's, whoever wrote there before.
    (wanted.owner, wanted.group) = (Some("root".to_owned()), Some("root".to_owned()));
    let mut encoding = String::new();
    for (key, value) in map {
        match key.as_str() {
            "path" => wanted.path = string(value)?,
            "content" if value.is_null() => {}
            "source" => file.source = Some(source(value)?),
            "content" => {
                file.has_content = true;
                let text = || string(value).map(String::into_bytes);
                wanted.content = yaml::bytes(value).map_or_else(text, Ok)?;
            }
            "encoding" => encoding = string(value)?,
            "append" => wanted.append = boolean(value)?,
            "permissions" => match permissions(value) {
                Ok(mode) => wanted.mode = Some(mode),
                Err(problem) => file.warnings.push(format!("{problem}; it is 0644")),
            },
            "owner" => {
                let owner = string(value)?;
                let (user, group) = owner.split_once(':').map_or((owner.as_str(), None), |(u, g)| (u, Some(g)));
                let given = |name: Option<&str>| {
                    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty() && name != "-1")
                };
                (wanted.owner, wanted.group) = (given(Some(user)), given(group));
            }
            "defer" => file.defer = boolean(value)?,
            other => return Err(format!("the key {other} is not supported")),
        }
    }
    if wanted.path.is_empty() {
        return Err("it has no path".to_owned());
    }
    wanted.mode = wanted.mode.or(Some(0o644));
    let base64 = |content: &[u8]| {
        let compact: Vec<u8> = content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        base64::engine::general_purpose::STANDARD
            .decode(compact)
            .map_err(|cause| format!("its content is not valid base64: {cause}"))
    };
    wanted.content = match encoding.trim().to_ascii_lowercase().as_str() {
        "b64" | "base64" => base64(&wanted.content)?,
        "gz" | "gzip" => gunzip(&wanted.content)?,
        "gz+b64" | "gz+base64" | "gzip+b64" | "gzip+base64" => gunzip(&base64(&wanted.content)?)?,
        "" | "text/plain" => std::mem::take(&mut wanted.content),
        other => {
            file.warnings.push(format!("there is no encoding {other}; its content is taken as it is"));
            std::mem::take(&mut wanted.content)
        }
    };
    Ok(file)
}

/// `{uri: …}`; headers of the request are not served.
fn source(value: &Value) -> Result<String, String> {
    let map = value.as_object().ok_or("source is not a mapping")?;
    match map.keys().find(|key| *key != "uri") {
        Some(other) => Err(format!("the key source.{other} is not supported")),
        None => string(map.get("uri").ok_or("source has no uri")?),
    }
}

/// Octal in text; a number that YAML read as one is that number.
fn permissions(value: &Value) -> Result<u32, String> {
    match value.as_u64().map(u32::try_from) {
        Some(Ok(mode)) if mode <= 0o7777 => Ok(mode),
        Some(_) => Err(format!("{value} is no file mode")),
        None => parse_mode(&string(value)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_are_decoded_and_carry_their_mode_and_owner() {
        let read = |item: Value| file(&item).expect("valid");
        let one = read(
            json!({"path": "/a", "content": "aGVsbG8K", "encoding": "B64", "permissions": "0600", "owner": "root:adm"}),
        );
        assert_eq!((&*one.wanted.content, one.wanted.mode), (b"hello\n".as_slice(), Some(0o600)));
        assert_eq!((one.wanted.owner.as_deref(), one.wanted.group.as_deref()), (Some("root"), Some("adm")));
        let packed = "H4sIAAAAAAAAA8tIzcnJ5wIAIDA6NgYAAAA=";
        assert_eq!(read(json!({"path": "/b", "encoding": "gz+b64", "content": packed})).wanted.content, b"hello\n");
        let tagged =
            yaml::parse(&format!("path: /b\nencoding: gzip\ncontent: !!binary |\n  {packed}\n")).expect("YAML");
        assert_eq!(read(tagged).wanted.content, b"hello\n");
        let plain = read(json!({"path": "/c", "append": true, "content": "more", "owner": "shop"}));
        assert_eq!((plain.wanted.append, plain.wanted.mode, plain.defer), (true, Some(0o644), false));
        assert_eq!((plain.wanted.owner.as_deref(), plain.wanted.group), (Some("shop"), None));
        assert_eq!(read(json!({"path": "/e", "source": {"uri": "http://x/"}})).source.as_deref(), Some("http://x/"));
        assert!(read(json!({"path": "/d", "defer": true})).defer);
        assert_eq!(read(json!({"path": "/d", "permissions": 420})).wanted.mode, Some(0o644));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let odd = file(&json!({"path": "/a", "encoding": "rot13", "permissions": "rw"})).expect("written all the same");
        assert_eq!(odd.warnings.len(), 2, "{:?}", odd.warnings);
        for item in [
            json!({}),
            json!(5),
            json!({"path": "/a", "source": {"uri": "http://x/", "headers": {}}}),
            json!({"path": "/a", "encoding": "b64", "content": "*"}),
        ] {
            assert!(file(&item).is_err(), "{item}");
        }
    }
}
