//! Text in headers that is not ASCII. HTTP's headers are bytes; each is taken for a character of ISO-8859-1 and given
//! back so, and what came in goes out again. A service may have some of them written in another way, which its rules
//! say ([`RestRules::read_header`]).

use http::HeaderValue;
use kiln_service_kit::RestRules;

/// The text of a header that came in.
pub fn read(rules: Option<&dyn RestRules>, name: &str, value: &HeaderValue) -> String {
    let text: String = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    rules.and_then(|rules| rules.read_header(name, &text)).unwrap_or(text)
}

/// The header that goes out; none where no header can say that text.
pub fn write(rules: Option<&dyn RestRules>, name: &str, text: &str) -> Option<HeaderValue> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return HeaderValue::from_str(text).ok();
    }
    if let Some(written) = rules.and_then(|rules| rules.write_header(name, text)) {
        return HeaderValue::from_str(&written).ok();
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_out_as_they_came() {
        let sent = HeaderValue::from_bytes("attachment; filename=\"grün.pdf\"".as_bytes()).expect("a header");
        for name in ["content-disposition", "x-amz-meta-of-some-service"] {
            let text = read(None, name, &sent);
            assert_eq!(write(None, name, &text).expect("a header"), sent, "{name}");
        }
        let words = HeaderValue::from_static("=?UTF-8?B?w4TDlg==?=");
        assert_eq!(read(None, "x-amz-meta-a", &words), "=?UTF-8?B?w4TDlg==?=", "no rule says that it is more");
        assert_eq!(write(None, "content-disposition", "grün").expect("Latin").as_bytes(), b"gr\xfcn");
        assert_eq!(write(None, "content-disposition", "日本"), None);
        assert_eq!(write(None, "content-disposition", "a\nb"), None);
    }
}
