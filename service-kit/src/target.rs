//! What a call touches, for policies: the ARNs that a statement's `Resource` is matched against, each
//! with condition keys of its own (`aws:ResourceTag/…` differs from resource to resource).
//!
//! A thing whose kind can have a policy of its own says whose it is and what that policy is ([`Owned`]): then
//! everybody is judged, by it and by their own policies, and whoever is of another account is let in only
//! where both say so. A handler that finds another account's thing asks [`Cx::is_let_in`]: a row that forgets
//! to name a thing leaves it closed.
//!
//! ```text
//! row ── targets, each with its owner's policy ── judged one by one ──> Cx that knows whose things it may use
//!     ── handler finds a thing of another account ── Cx::is_let_in(name, owner) ──> goes on, or access is denied
//! ```
//!
//! Each operation's row says it (`operation!(…, on …)`, docs/guides/add-an-operation.md): which members of
//! its request name things, or that the action has no resource. A row that says nothing does not compile.
//! Asked only where somebody's policies decide, so that it costs the root user and Kiln's own services
//! nothing; of a service whose things have policies of their own ([`Service::owns`](crate::Service::owns)) always.

use crate::{Cx, Error, Grant, ResourcePolicy};
use futures_util::future::BoxFuture;
use kiln_protocol::{Protocol, Request, ServiceModel};
use std::sync::Arc;

/// One thing that a call touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Another action that the call needs as well, e.g. `ec2:CreateTags` to launch with tags; the
    /// call's own otherwise.
    pub action: Option<&'static str>,
    pub arn: String,
    /// Condition keys of this resource; a key given several times has several values.
    pub keys: Vec<(String, String)>,
    /// Whose it is, where its kind can have a policy of its own.
    pub owner: Option<Owned>,
    /// Nothing goes without that policy, not for the account's root user; see [`Target::only_by`].
    pub needs_policy: bool,
}

/// Whose a thing is, and the policy that is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The account that it belongs to.
    pub account: String,
    /// What explanations call the policy, and the handler the thing: the ARN of what has the policy (of an
    /// object, its bucket).
    pub name: String,
    /// The policy; none where none is set, or where nobody is to hear it.
    pub policy: Option<Arc<str>>,
}

impl Target {
    /// A resource without condition keys of its own.
    pub fn new(arn: impl Into<String>) -> Self {
        Self { action: None, arn: arn.into(), keys: vec![], owner: None, needs_policy: false }
    }

    /// What policies are asked about where an action knows no kinds of resources.
    pub fn everything() -> Self {
        Self::new("*")
    }

    /// Asked as another action, whatever the call's own is.
    pub fn by(self, action: &'static str) -> Self {
        Self { action: Some(action), ..self }
    }

    /// Of somebody, with the policy that is on it.
    pub fn of(self, owner: Owned) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Of somebody, and closed to everybody, its account's root user and policies among them, unless the policy that is
    /// on it lets them in: a key.
    pub fn only_by(self, owner: Owned) -> Self {
        Self { owner: Some(owner), needs_policy: true, ..self }
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

/// What a row's `on` answers. No target at all: the request names nothing, and policies are asked about
/// `*`.
pub type Touched = Result<Vec<Target>, Error>;

/// Whatever a row may answer for what its operation touches.
pub trait IntoTouched {
    /// The targets that it stands for.
    fn into_touched(self) -> Touched;
}

impl IntoTouched for Touched {
    fn into_touched(self) -> Touched {
        self
    }
}

impl IntoTouched for Result<Target, Error> {
    fn into_touched(self) -> Touched {
        self.map(|target| vec![target])
    }
}

impl IntoTouched for Target {
    fn into_touched(self) -> Touched {
        Ok(vec![self])
    }
}

impl IntoTouched for Vec<Target> {
    fn into_touched(self) -> Touched {
        Ok(self)
    }
}

/// ARNs of things of which no condition key is known.
impl IntoTouched for Vec<String> {
    fn into_touched(self) -> Touched {
        Ok(self.into_iter().map(Target::new).collect())
    }
}

/// What was found when a call was judged: names and owners of other accounts' things that it may use.
#[derive(Debug, Default)]
pub struct LetIn(Vec<(String, String)>);

impl Cx {
    /// Asks whether the caller may make this call: once for each thing that it touches, with further
    /// condition keys for all of them. What it touches is looked for only where policies decide.
    #[doc(hidden)]
    pub fn authorize_on<'r, R: Request, T: IntoTouched>(
        &self,
        request: &'r R,
        touched: impl FnOnce(&Cx, &'r R) -> T,
        keys: impl FnOnce(&Cx, &'r R) -> Vec<(&'static str, String)>,
    ) -> Result<LetIn, Error> {
        match self.is_judged::<R>() {
            true => self.judge(&Asked::by::<R>(), touched(self, request).into_touched()?, &keys(self, request)),
            false => Ok(LetIn::default()),
        }
    }

    /// The same where other services are asked what is touched.
    #[doc(hidden)]
    pub async fn authorize_on_awaited<R: Request>(
        &self,
        request: &R,
        touched: impl for<'a> FnOnce(&'a Cx, &'a R) -> BoxFuture<'a, Touched>,
    ) -> Result<LetIn, Error> {
        match self.is_judged::<R>() {
            true => self.judge(&Asked::by::<R>(), touched(self, request).await?, &[]),
            false => Ok(LetIn::default()),
        }
    }

    /// Asks the same of one thing that a handler comes upon itself (one key of many).
    pub fn authorize_target(&self, action: &'static str, target: &Target) -> Result<(), Error> {
        self.ask(target.action.unwrap_or(action), target, &[])
    }

    fn is_judged<R: Request>(&self) -> bool {
        self.platform().judges(self.caller()) || self.platform().owns(R::SERVICE)
    }

    fn judge(&self, asked: &Asked, mut targets: Vec<Target>, more: &[(&str, String)]) -> Result<LetIn, Error> {
        if targets.is_empty() {
            targets.push(Target::everything());
        }
        let Asked { service, operation, .. } = *asked;
        let action = format!("{}:{operation}", service.action_prefix());
        // The one key that every action of EC2 knows, those that list things among them.
        let is_ec2 = service.protocol == Protocol::Ec2;
        let region = is_ec2.then(|| ("ec2:Region", self.region().to_owned()));
        let more: Vec<(&str, String)> = more.iter().cloned().chain(region).collect();
        for target in &targets {
            if target.owner.is_some() && !self.platform().owns(service) {
                let text = format!("things of {} have policies, and its Service does not say so", service.name);
                return Err(Error::internal(text));
            }
            let judged = self.ask(target.action.unwrap_or(&action), target, &more);
            judged.map_err(|error| asked.in_words_of_its_service(error))?;
        }
        let owners = targets.into_iter().filter_map(|target| target.owner);
        let others = owners.filter(|owner| owner.account != self.caller().account);
        Ok(LetIn(others.map(|owner| (owner.name, owner.account)).collect()))
    }

    fn ask(&self, action: &str, target: &Target, more: &[(&str, String)]) -> Result<(), Error> {
        let own = target.keys.iter().map(|(key, value)| (key.as_str(), value.clone()));
        let keys: Vec<(&str, String)> = more.iter().cloned().chain(own).collect();
        let resource_policy = target.owner.as_ref().map(|owner| ResourcePolicy {
            name: &owner.name,
            document: owner.policy.as_deref(),
            trust: false,
            needed: target.needs_policy,
            account: &owner.account,
        });
        let resources = std::slice::from_ref(&target.arn);
        self.platform().authorize(self, &Grant { action, resources, context: &keys, resource_policy })
    }

    /// The same context, with the other accounts' things that its call was let in to; none where there are none.
    #[doc(hidden)]
    pub fn let_in(&self, to: LetIn) -> Option<Cx> {
        (self.has_others() || !to.0.is_empty()).then(|| self.with_others(to.0.into()))
    }
}

/// The call that is judged, without its type: what is below is compiled once, not for each of some hundred calls.
struct Asked {
    service: &'static ServiceModel,
    operation: &'static str,
    errors: &'static [(&'static str, u16)],
}

impl Asked {
    fn by<R: Request>() -> Self {
        Self { service: R::SERVICE, operation: R::OPERATION, errors: R::ERRORS }
    }

    /// EC2 words every refusal in its own way, also one of another service's action (`iam:PassRole`); SNS's model has a code
    /// of its own for it.
    fn in_words_of_its_service(&self, error: Error) -> Error {
        const OWN: &str = "AuthorizationError";
        if error.is("AccessDenied") && self.errors.iter().any(|(code, _)| *code == OWN) {
            return Error { code: OWN.into(), ..error };
        }
        if self.service.protocol != Protocol::Ec2 || !error.is("AccessDenied") {
            return error;
        }
        let text = format!("You are not authorized to perform this operation. {}", error.message);
        Error::sender("UnauthorizedOperation", text).with_status(403)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Clock, IdSource, PlatformBuilder, Scope, Store};

    #[test]
    fn a_thing_is_let_in_to_by_its_name_and_its_owner_for_one_call() {
        let clock = Clock::system();
        let platform = PlatformBuilder::new(Store::in_memory(clock.clone()), clock, IdSource::seeded(1)).build();
        let own = Cx::new(platform, Scope::new("111111111111", "us-east-1"), Caller::root("111111111111"), "id");
        let judged = own.let_in(LetIn(vec![("docs".to_owned(), "222222222222".to_owned())])).expect("of another's");
        assert!(judged.is_let_in("docs", "222222222222"));
        assert!(!judged.is_let_in("docs", "333333333333"), "the name is another owner's by now");
        assert!(!judged.is_let_in("doc", "222222222222"));
        assert!(own.let_in(LetIn::default()).is_none(), "nothing to remember");
        let next = judged.let_in(LetIn::default()).expect("the next call forgets");
        assert!(!next.is_let_in("docs", "222222222222"));
    }
}
