//! CloudFormation's programs: `cfn-init`, `cfn-signal`, `cfn-get-metadata`, `cfn-hup`.
//!
//! ```text
//!   program ─► endpoint.rs ─► CloudFormation (knows the machine by its address)
//!   cfn-init: metadata ─► config.rs (pure: what, in which order) ─► apply.rs
//!   cfn-hup:  metadata, again and again ─► hup.rs
//! ```

mod apply;
mod args;
mod config;
mod endpoint;
mod hup;

use std::process::ExitCode;

use serde_json::Value;

use crate::machine::Machine;
use crate::seed::{SEED_DIR, Seed};
use args::Args;
use endpoint::Endpoint;

/// `cfn-init`.
pub fn init_main(words: &[String]) -> ExitCode {
    ending("cfn-init", init(words))
}

/// `cfn-signal`. Like AWS's, it ends with 0 when the signal was taken, whatever it said.
pub fn signal_main(words: &[String]) -> ExitCode {
    ending("cfn-signal", signal(words))
}

/// `cfn-get-metadata`.
pub fn metadata_main(words: &[String]) -> ExitCode {
    ending("cfn-get-metadata", metadata(words))
}

/// `cfn-hup`.
pub fn hup_main(words: &[String]) -> ExitCode {
    ending("cfn-hup", hup::run(words))
}

fn ending(program: &str, done: Result<(), String>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{program}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn endpoint(args: &Args) -> Result<Endpoint, String> {
    let machine = Machine::at("/");
    Endpoint::new(args.one("url"), Seed::read(&machine.path(SEED_DIR)))
}

fn init(words: &[String]) -> Result<(), String> {
    let args = Args::read(
        words,
        &[
            ("stack", 's'),
            ("resource", 'r'),
            ("region", ' '),
            ("role", ' '),
            ("credential-file", 'f'),
            ("configsets", 'c'),
            ("url", 'u'),
        ],
        &[("verbose", 'v')],
    )?;
    let endpoint = endpoint(&args)?;
    let metadata = endpoint.metadata(args.need("stack")?, args.need("resource")?)?;
    let configs = config::read(&metadata, args.one("configsets").unwrap_or("default"))?;
    apply::all(&Machine::at("/"), &configs, args.has("verbose"))
}

fn metadata(words: &[String]) -> Result<(), String> {
    let args = Args::read(
        words,
        &[
            ("stack", 's'),
            ("resource", 'r'),
            ("region", ' '),
            ("role", ' '),
            ("credential-file", 'f'),
            ("key", 'k'),
            ("url", 'u'),
        ],
        &[],
    )?;
    let metadata = endpoint(&args)?.metadata(args.need("stack")?, args.need("resource")?)?;
    let wanted = match args.one("key") {
        None => &metadata,
        Some(key) => key
            .split('.')
            .try_fold(&metadata, |value, name| value.get(name))
            .ok_or_else(|| format!("the metadata has no key {key}"))?,
    };
    match wanted {
        Value::String(text) => println!("{text}"),
        other => println!("{other:#}"),
    }
    Ok(())
}

fn signal(words: &[String]) -> Result<(), String> {
    let args = Args::read(
        words,
        &[
            ("stack", ' '),
            ("resource", ' '),
            ("region", ' '),
            ("role", ' '),
            ("credential-file", 'f'),
            ("exit-code", 'e'),
            ("success", 's'),
            ("reason", 'r'),
            ("id", 'i'),
            ("data", 'd'),
            ("url", 'u'),
        ],
        &[],
    )?;
    let success = succeeded(&args)?;
    if let Some(url) = args.positional() {
        let id = match args.one("id") {
            Some(id) => id.to_owned(),
            None => Seed::read(&Machine::at("/").path(SEED_DIR))?.instance_id,
        };
        return endpoint::signal_url(url, success, &id, args.one("reason"), args.one("data"));
    }
    endpoint(&args)?.signal(args.need("stack")?, args.need("resource")?, success, args.one("id"))
}

fn succeeded(args: &Args) -> Result<bool, String> {
    match (args.one("exit-code"), args.one("success")) {
        (Some(code), None) => code
            .trim()
            .parse::<i32>()
            .map(|code| code == 0)
            .map_err(|_| format!("--exit-code {code:?} is not a number")),
        (None, Some(word)) => match word.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("--success is true or false, not {other}")),
        },
        (None, None) => Ok(true),
        (Some(_), Some(_)) => Err("--exit-code and --success exclude each other".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_read_from_the_exit_code_or_the_word() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            succeeded(&Args::read(&words, &[("exit-code", 'e'), ("success", 's')], &[])?)
        };
        assert_eq!(read(&["-e", "0"]), Ok(true));
        assert_eq!(read(&["--exit-code=7"]), Ok(false));
        assert_eq!(read(&["-s", "false"]), Ok(false));
        assert_eq!(read(&[]), Ok(true));
        assert!(read(&["-e", "x"]).is_err());
        assert!(read(&["-e", "0", "-s", "true"]).is_err());
    }
}
