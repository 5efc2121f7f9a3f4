//! What can go wrong in a driver, by what the caller can do about it.

/// Result of a driver call.
pub type DriverResult<T> = Result<T, DriverError>;

/// A failure of a machine driver. The text of each says what to do; the cause
/// is kept as `source` and is printed once, where the error is handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The named thing is not there.
    #[error("there is no {kind} {name}")]
    NotFound {
        /// machine, image, VPC, …
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The request itself makes no sense (a bad name, an address outside its subnet).
    #[error("{0}")]
    Invalid(String),
    /// The thing is in a state that does not allow this.
    #[error("{kind} {name} {problem}")]
    Conflict {
        /// machine, image, VPC, …
        kind: &'static str,
        /// Its name.
        name: String,
        /// e.g. "is running: stop it first"
        problem: String,
    },
    /// The disk that holds the state directory is full.
    #[error("failed to {doing}: no space left on the disk; free some space, then try again")]
    NoSpace {
        /// What was being done.
        doing: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A program this needs is not installed.
    #[error("the program {program} is not installed: {install}")]
    MissingPackage {
        /// The program looked for.
        program: String,
        /// The command that installs it.
        install: String,
    },
    /// Machines need root.
    #[error("real machines need root: run kiln as root or with sudo")]
    NotRoot,
    /// A layer's bytes are not those its name promises.
    #[error("layer {layer} of image {image} is corrupt (its digest is {actual}): {remedy}")]
    CorruptLayer {
        /// The image.
        image: String,
        /// The digest that was promised.
        layer: String,
        /// What was found, or "missing".
        actual: String,
        /// What to do.
        remedy: String,
    },
    /// This host has no room for one more.
    #[error("not enough capacity on this host: {0}")]
    Capacity(String),
    /// A failed step, with its cause.
    #[error("failed to {doing}")]
    Failed {
        /// What was being done, e.g. "mount layer sha256-…".
        doing: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The driver cannot do this at all.
    #[error("{driver} machines cannot {what}")]
    Unsupported {
        /// local, simulated
        driver: &'static str,
        /// What was asked.
        what: String,
    },
}

impl DriverError {
    /// There is no such thing.
    pub fn not_found(kind: &'static str, name: impl ToString) -> Self {
        Self::NotFound { kind, name: name.to_string() }
    }

    /// A step failed; a full disk is told apart by its error number.
    pub fn failed(doing: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let (doing, source) = (doing.into(), source.into());
        let full = source.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull);
        if full {
            return Self::NoSpace { doing, source: Some(source) };
        }
        Self::Failed { doing, source }
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// What somebody may read who asked by the API: what to do, and nothing of the host's paths or system.
    pub fn told(&self) -> String {
        match self {
            Self::Failed { .. } => "an internal error occurred".to_owned(),
            Self::NoSpace { .. } => "no space left on the disk; free some space, then try again".to_owned(),
            other => other.to_string(),
        }
    }

    /// The whole chain on one line, for the log and for who asks on the host.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let full = std::io::Error::from_raw_os_error(28);
        let error = DriverError::failed("write a layer", full);
        assert!(matches!(error, DriverError::NoSpace { .. }), "{error:?}");
    }

    #[test]
    fn the_chain_names_every_cause_once() {
        let cause = std::io::Error::other("boom");
        let error = DriverError::failed("mount layer x", cause);
        assert_eq!(error.chain(), "failed to mount layer x: boom");
    }

    #[test]
    fn a_failing_driver_tells_its_paths_to_the_log_alone() {
        let cause = std::io::Error::other("/var/lib/kiln/images/layers/x: permission denied");
        let error = DriverError::failed("write /var/lib/kiln/machines/i-1/machine.json", cause);
        assert_eq!(error.told(), "an internal error occurred");
        assert!(error.chain().contains("machines/i-1") && error.chain().contains("permission denied"));
        let full = DriverError::failed("write /var/lib/kiln/x", std::io::Error::from_raw_os_error(28));
        assert!(!full.told().contains("/var/lib") && full.told().contains("no space left"), "{}", full.told());
        assert_eq!(DriverError::not_found("image", "img-1").told(), "there is no image img-1");
    }
}
