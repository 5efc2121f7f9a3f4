//! What goes to standard output: a reader that has seen enough (`kiln logs | head`) is no failure.

use std::io::{ErrorKind, Write};

/// Prints the text. Ends the program quietly when nobody reads any more.
pub fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(format!("failed to write to standard output: {error}")),
    }
}
