//! The scripts' language: one command per line, in the words an operator would use.
//!
//! ```text
//! # three machines, one dies
//! group web min 3 desired 3 max 6
//! settle
//! kill one of web
//! tick 60 s
//! expect web in service 3
//! ```

use std::time::Duration;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `group NAME min N desired N max N`: a launch template and a group over all zones.
    Group { name: String, min: i32, desired: i32, max: i32 },
    /// `desired NAME N`
    Desired { name: String, capacity: i32 },
    /// `kill one of NAME`, `kill 2 of NAME`, `kill all of NAME`: SIGKILL to the first process.
    Kill { name: String, count: Option<usize> },
    /// `switch off one of NAME`: the machine powers itself off.
    SwitchOff { name: String },
    /// `next N launches fail: TEXT`: the host cannot do it; EC2 tries again.
    FailLaunches { count: usize, text: String },
    /// `no room for N launches`: EC2 says that there is no capacity.
    NoRoom { count: usize },
    /// `az ZONE down`, `az ZONE up`: the power of a zone.
    Zone { zone: String, up: bool },
    /// `suspend NAME PROCESS`, `resume NAME PROCESS`
    Process { name: String, process: String, resume: bool },
    /// `delete NAME`: with its instances.
    Delete { name: String },
    /// `tick N s`, `tick N min`
    Tick(Duration),
    /// `settle`: until nothing is done any more.
    Settle,
    /// `expect NAME in service N`, and `… in ZONE`; `… within N s` lets time pass.
    Expect { name: String, count: usize, zone: Option<String>, within: Option<Duration> },
}

/// Reads a script; an error names the line.
pub fn parse(text: &str) -> Result<Vec<(String, Command)>, String> {
    let mut commands = vec![];
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let command = command(line).ok_or_else(|| format!("line {}: cannot read \"{line}\"", number + 1))?;
        commands.push((line.to_owned(), command));
    }
    Ok(commands)
}

fn command(line: &str) -> Option<Command> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let command = match words.as_slice() {
        ["group", name, "min", min, "desired", desired, "max", max] => Command::Group {
            name: (*name).to_owned(),
            min: min.parse().ok()?,
            desired: desired.parse().ok()?,
            max: max.parse().ok()?,
        },
        ["desired", name, n] => Command::Desired { name: (*name).to_owned(), capacity: n.parse().ok()? },
        ["kill", "all", "of", name] => Command::Kill { name: (*name).to_owned(), count: None },
        ["kill", "one", "of", name] => Command::Kill { name: (*name).to_owned(), count: Some(1) },
        ["kill", n, "of", name] => Command::Kill { name: (*name).to_owned(), count: Some(n.parse().ok()?) },
        ["switch", "off", "one", "of", name] => Command::SwitchOff { name: (*name).to_owned() },
        ["next", n, "launches", "fail:", ..] => {
            Command::FailLaunches { count: n.parse().ok()?, text: line.split_once(": ")?.1.to_owned() }
        }
        ["no", "room", "for", n, "launches"] => Command::NoRoom { count: n.parse().ok()? },
        ["az", zone, "down"] => Command::Zone { zone: (*zone).to_owned(), up: false },
        ["az", zone, "up"] => Command::Zone { zone: (*zone).to_owned(), up: true },
        ["suspend", name, process] => process_of(name, process, false),
        ["resume", name, process] => process_of(name, process, true),
        ["delete", name] => Command::Delete { name: (*name).to_owned() },
        ["tick", n, unit] => Command::Tick(duration(n, unit)?),
        ["settle"] => Command::Settle,
        ["expect", name, "in", "service", n, rest @ ..] => {
            let (zone, rest) = match rest {
                ["in", zone, rest @ ..] => (Some((*zone).to_owned()), rest),
                rest => (None, rest),
            };
            let within = match rest {
                ["within", n, unit] => Some(duration(n, unit)?),
                [] => None,
                _ => return None,
            };
            Command::Expect { name: (*name).to_owned(), count: n.parse().ok()?, zone, within }
        }
        _ => return None,
    };
    Some(command)
}

fn process_of(name: &str, process: &str, resume: bool) -> Command {
    Command::Process { name: name.to_owned(), process: process.to_owned(), resume }
}

fn duration(number: &str, unit: &str) -> Option<Duration> {
    let seconds = match unit {
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_mistakes_named() {
        let script = "# begin\n\ngroup web min 1 desired 3 max 6\n tick 1.5 min\nexpect web in service 3 in us-east-1a within 5 s";
        let commands: Vec<Command> = parse(script).unwrap().into_iter().map(|(_, command)| command).collect();
        assert_eq!(
            commands,
            [
                Command::Group { name: "web".into(), min: 1, desired: 3, max: 6 },
                Command::Tick(Duration::from_secs(90)),
                Command::Expect {
                    name: "web".into(),
                    count: 3,
                    zone: Some("us-east-1a".into()),
                    within: Some(Duration::from_secs(5)),
                },
            ]
        );
        assert_eq!(parse("settle\ntick soon").unwrap_err(), "line 2: cannot read \"tick soon\"");
        assert!(parse("tick 1e300 h").is_err());
        assert!(parse("kill x of web").is_err());
    }
}
