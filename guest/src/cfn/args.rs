//! The options of CloudFormation's programs, as their own parsers take them.

/// Options that were given.
#[derive(Debug)]
pub struct Args {
    values: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
    positional: Option<String>,
}

impl Args {
    /// Reads `words`. Options are a long name and a short letter (or a space).
    pub fn read(
        words: &[String],
        options: &[(&'static str, char)],
        flags: &[(&'static str, char)],
    ) -> Result<Args, String> {
        let mut args = Args { values: Vec::new(), flags: Vec::new(), positional: None };
        let find = |known: &[(&'static str, char)], word: &str| {
            known.iter().find_map(|(long, short)| {
                let matches = match word.strip_prefix("--") {
                    Some(name) => name == *long,
                    None => word.strip_prefix('-') == Some(short.encode_utf8(&mut [0; 4])),
                };
                matches.then_some(*long)
            })
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if word.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            if let Some(flag) = find(flags, name) {
                args.flags.push(flag);
            } else if let Some(option) = find(options, name) {
                let value = inline.or_else(|| words.next().cloned());
                args.values.push((option, value.ok_or(format!("{name} needs a value"))?));
            } else if word.starts_with('-') {
                return Err(format!("{word} is not supported"));
            } else if args.positional.replace(word.clone()).is_some() {
                return Err(format!("{word}: only one argument is expected"));
            }
        }
        Ok(args)
    }

    /// The last value of an option.
    pub fn one(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// An option that must be there.
    pub fn need(&self, name: &str) -> Result<&str, String> {
        self.one(name).ok_or_else(|| format!("--{name} is required"))
    }

    /// Whether a flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.flags.contains(&name)
    }

    /// What came without an option.
    pub fn positional(&self) -> Option<&str> {
        self.positional.as_deref()
    }
}
