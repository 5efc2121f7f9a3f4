//! What a call touches, for policies: the ARNs that a statement's `Resource` is matched against, each
//! with condition keys of its own (`aws:ResourceTag/…` differs from resource to resource).
//!
//! A service says it for all its operations in one place, from the request; an operation's row may
//! say it itself instead (`operation!(…, on arns)`). Asked only where somebody's policies decide, so
//! that it costs the root user and Kiln's own services nothing.

use crate::{Cx, Error};
use futures_util::future::BoxFuture;
use kiln_protocol::{Protocol, Request, Shape, stored};
use serde_json::Value as Json;

/// One thing that a call touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Another action that the call needs as well, e.g. `ec2:CreateTags` to launch with tags; the
    /// call's own otherwise.
    pub action: Option<&'static str>,
    /// Empty: whatever the operation's row names.
    pub arn: String,
    /// Condition keys of this resource; a key given several times has several values.
    pub keys: Vec<(String, String)>,
}

impl Target {
    /// A resource without condition keys of its own.
    pub fn new(arn: impl Into<String>) -> Self {
        Self { action: None, arn: arn.into(), keys: vec![] }
    }

    /// With one more condition key.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.keys.push((key.into(), value.into()));
        self
    }

    /// With the tags that the resource has, under both names that policies know them by:
    /// `aws:ResourceTag/…` and, for instance, `ec2:ResourceTag/…`.
    pub fn tagged<'t>(mut self, service: &str, tags: impl IntoIterator<Item = (&'t String, &'t String)>) -> Self {
        for (key, value) in tags {
            self.keys.push((format!("aws:ResourceTag/{key}"), value.clone()));
            self.keys.push((format!("{service}:ResourceTag/{key}"), value.clone()));
        }
        self
    }

    /// With the tags that the request gives it: `aws:RequestTag/…` and `aws:TagKeys`.
    pub fn given_tags<'t>(mut self, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        for (key, value) in tags {
            self.keys.push((format!("aws:RequestTag/{key}"), value.to_owned()));
            self.keys.push(("aws:TagKeys".to_owned(), key.to_owned()));
        }
        self
    }
}

/// What an operation touches, from its request as JSON (by the model's names). None: the action has
/// no resource, and policies are asked about `*`.
pub type Targets = for<'a> fn(&'a Cx, operation: &'a str, request: &'a Json) -> BoxFuture<'a, Touched>;

/// What [`Targets`] answer.
pub type Touched = Result<Vec<Target>, Error>;

impl Cx {
    /// Asks whether the caller may make this call: once for each thing that it touches.
    #[doc(hidden)]
    pub async fn authorize_call<R: Request + Shape>(&self, request: &R) -> Result<(), Error> {
        if !self.platform().judges(self.caller()) {
            return Ok(());
        }
        let mut targets = self.touched(request).await?;
        if targets.is_empty() {
            targets.push(Target::new("*"));
        }
        self.judge::<R>(&targets, &[])
    }

    /// The same for the resources that an operation's row names, with the condition keys that the
    /// service knows of each.
    #[doc(hidden)]
    pub async fn authorize_on<R: Request + Shape>(
        &self,
        request: &R,
        arns: Vec<String>,
        keys: &[(&str, String)],
    ) -> Result<(), Error> {
        if !self.platform().judges(self.caller()) {
            return Ok(());
        }
        let known = self.touched(request).await?;
        let keys_of = |arn: &str| {
            let of_it = known.iter().filter(|target| target.arn == arn || target.arn.is_empty());
            of_it.flat_map(|target| target.keys.clone()).collect()
        };
        let with_keys = |arn: String| Target { action: None, keys: keys_of(&arn), arn };
        let targets: Vec<Target> = arns.into_iter().map(with_keys).collect();
        self.judge::<R>(&targets, keys)
    }

    async fn touched<R: Request + Shape>(&self, request: &R) -> Touched {
        match self.platform().targets(R::SERVICE.name) {
            Some(targets) => targets(self, R::OPERATION, &stored::to_json(request)).await,
            None => Ok(vec![]),
        }
    }

    fn judge<R: Request>(&self, targets: &[Target], more: &[(&str, String)]) -> Result<(), Error> {
        let action = format!("{}:{}", R::SERVICE.signing_name, R::OPERATION);
        for target in targets {
            let own = target.keys.iter().map(|(key, value)| (key.as_str(), value.clone()));
            let keys: Vec<(&str, String)> = more.iter().cloned().chain(own).collect();
            let asked = target.action.unwrap_or(&action);
            let judged = self.authorize(asked, std::slice::from_ref(&target.arn), &keys);
            judged.map_err(|error| in_words_of::<R>(error))?;
        }
        Ok(())
    }
}

/// EC2 words every refusal in its own way, also one of another service's action (`iam:PassRole`).
fn in_words_of<R: Request>(error: Error) -> Error {
    if R::SERVICE.protocol != Protocol::Ec2 || !error.is("AccessDenied") {
        return error;
    }
    let text = format!("You are not authorized to perform this operation. {}", error.message);
    Error::sender("UnauthorizedOperation", text).with_status(403)
}
