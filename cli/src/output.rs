//! What goes to standard output: a reader that has seen enough (`kiln logs | head`) is no failure, and a
//! terminal obeys nothing that a machine or a caller wrote (its console, names, reasons).

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};

/// Prints the text. Ends the program quietly when nobody reads any more.
pub fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { for_a_terminal(text) } else { text.into() };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(format!("failed to write to standard output: {error}")),
    }
}

/// Prints one line.
pub fn print_line(line: &str) -> Result<(), String> {
    print(&format!("{line}\n"))
}

/// The text with control characters spelled out; lines and columns stay.
pub fn for_a_terminal(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(obeyed) {
        return text.into();
    }
    // Consoles end their lines with both.
    let text = text.replace("\r\n", "\n");
    text.chars().map(|c| if obeyed(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_in_it() {
        assert_eq!(for_a_terminal("a\tb\n"), "a\tb\n");
        assert_eq!(for_a_terminal("ok\r\n\x1b]0;x\x07\u{9b}2J\rü"), "ok\n\\u{1b}]0;x\\u{7}\\u{9b}2J\\rü");
    }
}
