//! Why a template was refused, and where.
//!
//! AWS answers every template mistake with the code `ValidationError` and a sentence. We keep AWS's sentence
//! (`message`) apart from the place (`place`), so a caller can compare the one with AWS and show a person the
//! other. `Display` prints both.

use std::fmt;

/// A line and a column in the template text, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The line, from 1; 0 when the value did not come from a text.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where in the template: `Resources/Web/Properties/ImageId` and the line and column it starts at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The keys from the root, joined with `/`; empty for the template itself.
    pub path: String,
    /// Where that value begins in the text.
    pub mark: Mark,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.is_empty(), self.mark.line) {
            (true, 0) => Ok(()),
            (true, _) => write!(f, "{}", self.mark),
            (false, 0) => write!(f, "{}", self.path),
            (false, _) => write!(f, "{} at {}", self.path, self.mark),
        }
    }
}

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The template or an argument is wrong: AWS's `ValidationError`.
    Validation,
    /// AWS could do this, Kiln cannot: the message names it.
    NotBuilt,
}

/// A refused template, parameter or value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TemplateError {
    /// Wrong input, or something not built.
    pub kind: ErrorKind,
    /// AWS's sentence where it is known.
    pub message: String,
    /// Where it is.
    pub place: Place,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.place != Place::default() {
            write!(f, " [{}]", self.place)?;
        }
        Ok(())
    }
}

/// The result of every step here.
pub type Result<T, E = TemplateError> = std::result::Result<T, E>;

impl TemplateError {
    /// A refusal without a place (an argument of the call, not a line of the template).
    pub fn plain(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Validation, message: message.into(), place: Place::default() }
    }
}

/// A place on the way down: each level borrows the one above, so walking a template allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
    mark: Mark,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The template itself.
    pub fn root() -> At<'static> {
        At { parent: None, step: Step::Root, mark: Mark::default() }
    }

    /// One key further down.
    pub fn key(&'a self, key: &'a str, mark: Mark) -> At<'a> {
        At { parent: Some(self), step: Step::Key(key), mark }
    }

    /// One list item further down.
    pub fn index(&'a self, index: usize, mark: Mark) -> At<'a> {
        At { parent: Some(self), step: Step::Index(index), mark }
    }

    /// The keys joined with `/`.
    pub fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut here = Some(self);
        while let Some(at) = here {
            match at.step {
                Step::Root => {}
                Step::Key(key) => steps.push(key.to_owned()),
                Step::Index(index) => steps.push(index.to_string()),
            }
            here = at.parent;
        }
        steps.reverse();
        steps.join("/")
    }

    /// The place for an error.
    pub fn place(&self) -> Place {
        Place { path: self.path(), mark: self.mark }
    }

    /// A refusal here.
    pub fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError { kind: ErrorKind::Validation, message: message.into(), place: self.place() }
    }

    /// Something AWS has and Kiln has not.
    pub fn not_built(&self, message: impl Into<String>) -> TemplateError {
        TemplateError { kind: ErrorKind::NotBuilt, message: message.into(), place: self.place() }
    }
}
