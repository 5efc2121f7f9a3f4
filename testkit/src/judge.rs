//! Who answers about rights in a test: everybody is there, nobody's keys are known, and a function decides.

use kiln_service_kit::{Access, Caller, Credential, Cx, Error, Grant};

/// Decides by its function.
pub struct Judge<F>(pub F);

impl<F> Access for Judge<F>
where
    F: Fn(&Cx, &Grant<'_>) -> Result<(), Error> + Send + Sync,
{
    fn credential(&self, _: &str) -> Result<Option<Credential>, Error> {
        Ok(None)
    }

    fn exists(&self, _: &Caller) -> Result<bool, Error> {
        Ok(true)
    }

    fn names_somebody(&self, _: &str) -> Result<bool, Error> {
        Ok(true)
    }

    fn authorize(&self, cx: &Cx, grant: &Grant<'_>) -> Result<(), Error> {
        self.0(cx, grant)
    }
}
