//! The fields of lines and spans, as tracing's own formatter writes them, but cheaper.
//!
//! A span's fields are written out when it begins, whether a line follows or not, and every call has one: most are
//! plain texts, which need no escapes and are taken as they are, and all go to the writer in one piece.

use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};

/// Room for the fields of a call's span.
const ROOM: usize = 160;

/// Writes `name="text" name=value …`.
pub struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut written = Written(String::with_capacity(ROOM));
        fields.record(&mut written);
        writer.write_str(&written.0)
    }
}

struct Written(String);

impl Written {
    /// Hands a field to tracing's formatter. A string takes all it is given.
    fn by_default(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        let is_first = self.0.is_empty();
        record(&mut DefaultVisitor::new(Writer::new(&mut self.0), is_first));
    }
}

impl Visit for Written {
    fn record_str(&mut self, field: &Field, value: &str) {
        let name = field.name();
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if name == "message" || name.contains(['.', '#']) || !value.bytes().all(is_plain) {
            return self.by_default(|visitor| visitor.record_str(field, value));
        }
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.extend([name, "=\"", value, "\""]);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.by_default(|visitor| visitor.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.by_default(|visitor| visitor.record_debug(field, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::io::{self, Write};
    use std::sync::Arc;
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Lines;

        fn make_writer(&'a self) -> Lines {
            self.clone()
        }
    }

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn tell() {
        let cause = io::Error::other("behind it");
        let error = io::Error::other(cause);
        let error = &error as &dyn std::error::Error;
        let _pass = tracing::info_span!("pass", controller = "ec2/instance", n = 3).entered();
        let _call = tracing::info_span!("call", request_id = "a-b", odd = "a\"b\\c\nd\u{1b}é", empty = "").entered();
        tracing::info!(
            text = "plain",
            odd = "\u{7f}",
            yes = true,
            none = Option::<&str>::None,
            some = Some("x"),
            "said"
        );
        tracing::info!(error, "with \"quotes\" and {:?}", [1.5]);
        tracing::info!(r#type = "t", log.line = "l", debug = ?[1], display = %"d e");
        tracing::info!(first = "only fields");
    }

    #[test]
    fn lines_are_those_of_tracing_s_own_formatter() {
        let (own, theirs) = (Lines::default(), Lines::default());
        let plain = || tracing_subscriber::fmt().without_time().with_ansi(false);
        let subscriber = plain().with_writer(own.clone()).fmt_fields(Fields).finish();
        tracing::subscriber::with_default(subscriber, tell);
        tracing::subscriber::with_default(plain().with_writer(theirs.clone()).finish(), tell);
        let text = |lines: &Lines| String::from_utf8(lines.0.lock().clone()).expect("text");
        assert_eq!(text(&own), text(&theirs));
        assert!(text(&own).contains("pass{controller=\"ec2/instance\" n=3}:call{request_id=\"a-b\""), "{}", text(&own));
    }
}
