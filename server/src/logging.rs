//! The server's log: lines on standard error, `KILN_LOG` chooses (default `info`).

use tracing_subscriber::EnvFilter;

/// Starts logging; a bad filter is an error rather than silence.
pub fn start() -> Result<(), String> {
    let filter = match std::env::var("KILN_LOG") {
        Ok(text) => EnvFilter::try_new(&text).map_err(|e| format!("KILN_LOG={text} is not a log filter: {e}"))?,
        Err(_) => EnvFilter::new("info"),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
}
