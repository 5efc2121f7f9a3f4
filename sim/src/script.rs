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
    /// `group NAME min N desired N max N`: a launch template and a group over three zones. `group NAME of IMAGE …`
    /// is made of an image that was taken before, else of the base image.
    Group { name: String, image: Option<String>, min: i32, desired: i32, max: i32 },
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
    /// `stack NAME from FILE`: of a template beside the scripts.
    CreateStack { name: String, template: String },
    /// `stack NAME becomes FILE`
    UpdateStack { name: String, template: String },
    /// `stack NAME goes`
    DeleteStack { name: String },
    /// `balancer NAME of GROUP`: a load balancer in three zones, a listener on port 80, a target group that the group
    /// fills and by whose health it goes.
    Balancer { name: String, group: String },
    /// `balancer NAME goes`; its target group stays.
    DeleteBalancer { name: String },
    /// `one of NAME answers 500`, `all of NAME answer 200`: what the program in a machine says from now on.
    Answers { name: String, all: bool, status: u16 },
    /// `image NAME of one of GROUP`: of a machine that goes on.
    TakeImage { name: String, group: String },
    /// `image NAME goes`: it and the snapshot of its disk.
    DeleteImage { name: String },
    /// `expect …`; `… within N s` lets time pass.
    Expect { what: Expectation, within: Option<Duration> },
}

/// What a script expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// `NAME in service N`, and `… in ZONE`
    InService { name: String, count: usize, zone: Option<String> },
    /// `NAME launched N`: by all the group's activities that ended well.
    Launched { name: String, count: usize },
    /// `stack NAME STATUS`, e.g. `CREATE_COMPLETE`; of one that is gone, `DELETE_COMPLETE`.
    Stack { name: String, status: String },
    /// `balancer NAME STATE`, e.g. `active`; `gone`.
    Balancer { name: String, state: String },
    /// `NAME with N healthy`: of the targets behind a load balancer.
    Healthy { name: String, count: usize },
    /// `image NAME STATE`, e.g. `available`; `gone`.
    Image { name: String, state: String },
    /// `N images on the host`: what holds bytes there, the base image among them.
    ImagesOnTheHost(usize),
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
        ["group", name, rest @ ..] => group(name, rest)?,
        ["stack", name, "from", file] => Command::CreateStack { name: text(name), template: text(file) },
        ["stack", name, "becomes", file] => Command::UpdateStack { name: text(name), template: text(file) },
        ["stack", name, "goes"] => Command::DeleteStack { name: text(name) },
        ["balancer", name, "of", group] => Command::Balancer { name: text(name), group: text(group) },
        ["balancer", name, "goes"] => Command::DeleteBalancer { name: text(name) },
        ["one", "of", name, "answers", status] => {
            Command::Answers { name: text(name), all: false, status: status.parse().ok()? }
        }
        ["all", "of", name, "answer", status] => {
            Command::Answers { name: text(name), all: true, status: status.parse().ok()? }
        }
        ["image", name, "of", "one", "of", group] => Command::TakeImage { name: text(name), group: text(group) },
        ["image", name, "goes"] => Command::DeleteImage { name: text(name) },
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
        ["expect", what @ .., "within", n, unit] => {
            Command::Expect { what: expectation(what)?, within: Some(duration(n, unit)?) }
        }
        ["expect", what @ ..] => Command::Expect { what: expectation(what)?, within: None },
        _ => return None,
    };
    Some(command)
}

fn text(word: &str) -> String {
    word.to_owned()
}

fn group(name: &str, rest: &[&str]) -> Option<Command> {
    let (image, rest) = match rest {
        ["of", image, rest @ ..] => (Some(text(image)), rest),
        rest => (None, rest),
    };
    let ["min", min, "desired", desired, "max", max] = rest else { return None };
    let (min, desired, max) = (min.parse().ok()?, desired.parse().ok()?, max.parse().ok()?);
    Some(Command::Group { name: text(name), image, min, desired, max })
}

fn expectation(words: &[&str]) -> Option<Expectation> {
    Some(match words {
        [name, "in", "service", n] => Expectation::InService { name: text(name), count: n.parse().ok()?, zone: None },
        [name, "in", "service", n, "in", zone] => {
            Expectation::InService { name: text(name), count: n.parse().ok()?, zone: Some(text(zone)) }
        }
        [name, "launched", n] => Expectation::Launched { name: text(name), count: n.parse().ok()? },
        ["stack", name, status] => Expectation::Stack { name: text(name), status: text(status) },
        ["balancer", name, state] => Expectation::Balancer { name: text(name), state: text(state) },
        [name, "with", n, "healthy"] => Expectation::Healthy { name: text(name), count: n.parse().ok()? },
        ["image", name, state] => Expectation::Image { name: text(name), state: text(state) },
        [n, "images", "on", "the", "host"] => Expectation::ImagesOnTheHost(n.parse().ok()?),
        _ => return None,
    })
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
                Command::Group { name: "web".into(), image: None, min: 1, desired: 3, max: 6 },
                Command::Tick(Duration::from_secs(90)),
                Command::Expect {
                    what: Expectation::InService { name: "web".into(), count: 3, zone: Some("us-east-1a".into()) },
                    within: Some(Duration::from_secs(5)),
                },
            ]
        );
        assert_eq!(parse("settle\ntick soon").unwrap_err(), "line 2: cannot read \"tick soon\"");
        assert!(parse("tick 1e300 h").is_err());
        assert!(parse("kill x of web").is_err());
        assert!(parse("expect web").is_err() && parse("expect within 5 s").is_err());
        let what = Expectation::Stack { name: "shop".into(), status: "CREATE_COMPLETE".into() };
        let expected = Command::Expect { what, within: None };
        assert_eq!(parse("expect stack shop CREATE_COMPLETE").unwrap()[0].1, expected);
    }
}
