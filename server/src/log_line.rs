//! Lines as tracing's own formatter writes them, with the call in hand behind the spans; and their fields, cheaper.
//!
//! A span's fields are written out when it begins, whether a line follows or not, and every pass has one: most are
//! plain texts, which need no escapes and are taken as they are, and all go to the writer in one piece.

use kiln_service_kit::CallInHand;
use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Room for the fields of a pass's span.
const ROOM: usize = 160;

/// Writes `time LEVEL span{…}:call{…}: target: fields`.
pub struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        writer.write_char(' ')?;
        rest(context, writer, event)
    }
}

/// The line without its time.
fn rest<S, N>(context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    let meta = event.metadata();
    write!(writer, "{:>5} ", meta.level())?;
    let mut within = false;
    for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
        within = true;
        writer.write_str(span.name())?;
        let extensions = span.extensions();
        if let Some(fields) = extensions.get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
            write!(writer, "{{{fields}}}")?;
        }
        writer.write_char(':')?;
    }
    if let Some(call) = CallInHand::now() {
        within = true;
        write!(writer, "{call}")?;
    }
    if within {
        writer.write_char(' ')?;
    }
    write!(writer, "{}: ", meta.target())?;
    context.format_fields(writer.by_ref(), event)?;
    writeln!(writer)
}

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

    /// Without the time, which is never the same.
    struct Timeless;

    impl<S, N> FormatEvent<S, N> for Timeless
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'w> FormatFields<'w> + 'static,
    {
        fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
            rest(context, writer, event)
        }
    }

    fn tell() {
        let cause = io::Error::other("behind it");
        let error = io::Error::other(cause);
        let error = &error as &dyn std::error::Error;
        let _pass = tracing::info_span!("pass", controller = "ec2/instance", n = 3).entered();
        let _bare = tracing::warn_span!("bare").entered();
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
        let subscriber = plain().with_writer(own.clone()).event_format(Timeless).fmt_fields(Fields).finish();
        tracing::subscriber::with_default(subscriber, tell);
        tracing::subscriber::with_default(plain().with_writer(theirs.clone()).finish(), tell);
        let text = |lines: &Lines| String::from_utf8(lines.0.lock().clone()).expect("text");
        assert_eq!(text(&own), text(&theirs));
        assert!(
            text(&own).contains("pass{controller=\"ec2/instance\" n=3}:bare:call{request_id=\"a-b\""),
            "{}",
            text(&own)
        );
    }

    #[test]
    fn a_line_has_its_time_first() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).event_format(Line);
        tracing::subscriber::with_default(subscriber.fmt_fields(Fields).finish(), || tracing::warn!("said"));
        let line = String::from_utf8(lines.0.lock().clone()).expect("text");
        let (time, rest) = line.split_once(' ').expect("a time");
        assert!(time.ends_with('Z') && time.contains('T'), "{line}");
        assert_eq!(rest, format!(" WARN {}: said\n", module_path!()));
    }
}
