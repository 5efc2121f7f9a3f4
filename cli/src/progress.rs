//! Long work: a bar on a terminal, plain lines otherwise.

use crate::control::ask;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// How often kiln is asked how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// One piece of long work.
pub struct Line {
    name: String,
    bar: Option<ProgressBar>,
    last: RefCell<String>,
}

impl Line {
    pub fn new(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1000);
            if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {elapsed} {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(name.to_owned());
            bar
        });
        Self { name: name.to_owned(), bar, last: RefCell::default() }
    }

    /// What happens now, and how far it is.
    pub fn show(&self, text: &str, fraction: Option<f64>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
            if let Some(fraction) = fraction {
                bar.set_position((fraction.clamp(0.0, 1.0) * 1000.0) as u64);
            }
        } else if *self.last.borrow() != text {
            eprintln!("{}: {text}", self.name);
            *self.last.borrow_mut() = text.to_owned();
        }
    }

    /// Asks kiln for long work, and meanwhile, now and then, how far it is; the work's answer.
    pub async fn follow(&self, dir: &Path, work: &str, progress: &str) -> Result<Json, String> {
        let work = ask(dir, "POST", work);
        tokio::pin!(work);
        loop {
            tokio::select! {
                answer = &mut work => return answer,
                () = tokio::time::sleep(LOOK) => {
                    let progress = ask(dir, "GET", progress).await?;
                    if let Some(text) = progress["text"].as_str() {
                        self.show(text, progress["fraction"].as_f64());
                    }
                }
            }
        }
    }

    /// It is done.
    pub fn done(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None if self.last.borrow().is_empty() => return,
            None => {}
        }
        eprintln!("{}: {text}", self.name);
    }
}
