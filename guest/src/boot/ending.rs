//! The end of user data: its last words, and whether the machine goes off or restarts.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::cloud_config::{Condition, PowerState};
use super::output::Output;
use super::status::DATA_SOURCE;
use crate::machine::Machine;

/// `final_message` with its variables filled in: `$uptime`, `${timestamp}`, also in capitals.
pub fn final_message(template: &str, machine: &Machine) -> Result<String, String> {
    if template.trim_start().to_ascii_lowercase().starts_with("## template:") || template.contains("{{") {
        return Err("#cloud-config final_message: templates (jinja) are not supported".to_owned());
    }
    let uptime = std::fs::read_to_string(machine.path("/proc/uptime")).ok();
    let uptime = uptime.as_deref().and_then(|text| text.split_whitespace().next()).unwrap_or("unknown");
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let values = [
        ("version", format!("kiln-guest-{}", env!("CARGO_PKG_VERSION"))),
        ("timestamp", super::status::mail_date(seconds)),
        ("datasource", DATA_SOURCE.to_owned()),
        ("uptime", uptime.to_owned()),
    ];
    let mut text = template.to_owned();
    for (name, value) in values {
        for name in [name.to_owned(), name.to_ascii_uppercase()] {
            text = text.replace(&format!("${{{name}}}"), &value).replace(&format!("${name}"), &value);
        }
    }
    Ok(format!("{}\n", text.trim_end()))
}

/// Carries out `power_state`, when everything else is done and said.
pub fn power(state: &PowerState, machine: &Machine, output: &mut Output) {
    let wanted = match &state.condition {
        Condition::Known(wanted) => Ok(*wanted),
        Condition::Command(words) => holds(words, output),
    };
    let spoken = format!("shutdown {}", state.arguments.join(" "));
    match wanted {
        Ok(true) if machine.is_live() => {
            output.say(&format!("power_state: {spoken}"));
            let started = Command::new("shutdown").args(&state.arguments).stdin(Stdio::null()).status();
            match started {
                Ok(status) if status.success() => {}
                Ok(status) => output.say(&format!("power_state: `{spoken}` ended with {status}")),
                Err(cause) => output.say(&format!("power_state: cannot start `{spoken}`: {cause}")),
            }
        }
        Ok(true) => output.say(&format!("power_state: `{spoken}` is only done on a running system")),
        Ok(false) => output.say("power_state: its condition does not hold"),
        Err(problem) => output.say(&format!("power_state: {problem}; nothing is done")),
    }
}

fn holds(words: &[String], output: &mut Output) -> Result<bool, String> {
    let (program, args) = words.split_first().ok_or("its condition is empty")?;
    let status = output.run(Command::new(program).args(args))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("its condition ended with {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_know_the_time_the_machine_is_up() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("proc")).expect("a folder");
        std::fs::write(dir.path().join("proc/uptime"), "12.34 5.6\n").expect("written");
        let said = |text: &str| final_message(text, &Machine::at(dir.path()));
        assert_eq!(
            said("up $UPTIME or ${uptime} s, from $datasource\n\n"),
            Ok(format!("up 12.34 or 12.34 s, from {DATA_SOURCE}\n"))
        );
        assert!(said("## template: jinja\nup {{uptime}}").is_err());
    }
}
