//! `power_state`: what the machine does when its user data is through.

use serde_json::Value;

use super::values::{string, strings};

/// Switch off or restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerState {
    /// The words for `shutdown`.
    pub arguments: Vec<String>,
    /// Only if this says so.
    pub condition: Condition,
}

/// When.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Said right away.
    Known(bool),
    /// A program that ends with 0.
    Command(Vec<String>),
}

/// Reads it. `timeout` is how long cloud-init waits for its own end; here nothing is left to wait for.
pub fn read(value: &Value) -> Result<PowerState, String> {
    let map = value.as_object().ok_or("it is not a mapping")?;
    if let Some(key) = map.keys().find(|k| !["mode", "delay", "message", "timeout", "condition"].contains(&k.as_str()))
    {
        return Err(format!("the key {key} is not supported"));
    }
    let mode = match map.get("mode").and_then(Value::as_str) {
        Some("poweroff") => "-P",
        Some("halt") => "-H",
        Some("reboot") => "-r",
        _ => return Err("mode is poweroff, halt or reboot".to_owned()),
    };
    let delay = match map.get("delay") {
        None | Some(Value::Null) => "now".to_owned(),
        Some(value) => match string(value)?.as_str() {
            "now" => "now".to_owned(),
            // Minutes; a leading zero does not make them octal.
            minutes => {
                let number: u32 = minutes
                    .trim_start_matches('+')
                    .parse()
                    .map_err(|_| format!("delay is now or minutes, not {minutes:?}"))?;
                format!("+{number}")
            }
        },
    };
    let mut arguments = vec![mode.to_owned(), delay];
    if let Some(message) = map.get("message").filter(|message| !message.is_null()) {
        arguments.push(string(message)?);
    }
    if let Some(timeout) = map.get("timeout") {
        string(timeout)?.parse::<f64>().map_err(|_| "timeout is a number of seconds".to_owned())?;
    }
    let condition = match map.get("condition") {
        None | Some(Value::Null) => Condition::Known(true),
        Some(Value::Bool(flag)) => Condition::Known(*flag),
        Some(Value::String(line)) => Condition::Command(vec!["/bin/sh".into(), "-c".into(), line.clone()]),
        Some(list) => Condition::Command(strings(list)?),
    };
    Ok(PowerState { arguments, condition })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_becomes_a_call_of_shutdown() {
        let read = |value| read(&value).map(|state| state.arguments.join(" "));
        assert_eq!(read(json!({"mode": "reboot"})), Ok("-r now".into()));
        assert_eq!(
            read(json!({"mode": "poweroff", "delay": "+05", "message": "bye", "timeout": 30})),
            Ok("-P +5 bye".into())
        );
        for wrong in [
            json!({}),
            json!({"mode": "sleep"}),
            json!({"mode": "halt", "delay": "soon"}),
            json!({"mode": "halt", "x": 1}),
        ] {
            assert!(read(wrong).is_err());
        }
    }
}
