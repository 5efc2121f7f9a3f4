//! YAML values to what a key wants, with cloud-config's habits of writing them.

use serde_json::Value;

use super::super::yaml;

pub fn items(value: &Value) -> Result<&[Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| "it is not a list".to_owned())
}

pub fn strings(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.iter().map(string).collect(),
        other => Ok(vec![string(other)?]),
    }
}

pub fn string(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => yaml::binary(other)
            .and_then(|_| String::from_utf8(yaml::bytes(other)?).ok())
            .ok_or_else(|| "text was expected".to_owned()),
    }
}

pub fn boolean(value: &Value) -> Result<bool, String> {
    let text = string(value).map_err(|_| "true or false was expected".to_owned())?;
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err("true or false was expected".to_owned()),
    }
}

/// Names apart by commas.
pub fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Names apart by commas, or a list of them.
pub fn names(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(list) => Ok(split(list)),
        other => strings(other),
    }
}

/// Commands to one shell program: text as it is, lists with each word quoted.
pub fn commands(value: &Value) -> Result<String, String> {
    let mut program = "#!/bin/sh\n".to_owned();
    for item in items(value)? {
        match item {
            Value::Array(words) => {
                let words =
                    words.iter().map(|word| string(word).map(|word| quote(&word))).collect::<Result<Vec<_>, _>>()?;
                program.push_str(&words.join(" "));
            }
            Value::Null => continue,
            other => program.push_str(&string(other)?),
        }
        program.push('\n');
    }
    Ok(program)
}

/// Quotes a word for the shell.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_become_one_shell_program() {
        let given = json!(["echo $HOME", ["echo", "it's", 5], null]);
        assert_eq!(commands(&given).as_deref(), Ok("#!/bin/sh\necho $HOME\n'echo' 'it'\\''s' '5'\n"));
        assert!(commands(&json!("ls")).is_err());
    }

    #[test]
    fn truth_has_many_words() {
        for (value, wanted) in [(json!("Yes"), Ok(true)), (json!(0), Ok(false)), (json!(true), Ok(true))] {
            assert_eq!(boolean(&value), wanted);
        }
        assert!(boolean(&json!("perhaps")).is_err());
        assert!(boolean(&json!([])).is_err());
    }
}
