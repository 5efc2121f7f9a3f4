//! What the policies of a call's caller are asked about: the action, the resource and its condition keys.

use kiln_service_kit::{Access, Caller, CallerKind, Credential, Cx, Error, Grant, How, Request};
use parking_lot::Mutex;
use std::sync::Arc;

/// One thing that a call touches, as policies get to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// e.g. `s3:GetObjectVersion`.
    pub action: String,
    pub resource: String,
    pub keys: Vec<(String, String)>,
}

/// Lets everybody do everything, and keeps what it was asked.
#[derive(Default)]
struct Asked(Mutex<Vec<Question>>);

impl Access for Asked {
    fn credential(&self, _: &str) -> Result<Option<Credential>, Error> {
        Ok(None)
    }

    fn exists(&self, _: &Caller) -> Result<bool, Error> {
        Ok(true)
    }

    fn names_somebody(&self, _: &str) -> Result<bool, Error> {
        Ok(true)
    }

    fn authorize(&self, _: &Cx, grant: &Grant<'_>) -> Result<(), Error> {
        let keys: Vec<_> = grant.context.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let question = |resource: &String| Question {
            action: grant.action.to_owned(),
            resource: resource.clone(),
            keys: keys.clone(),
        };
        self.0.lock().extend(grant.resources.iter().map(question));
        Ok(())
    }
}

/// What a user's policies are asked before the call is handled; why not, where nobody is judged because the
/// operation's row does not know about what. The call is made by that row, as a dry run: nothing is written.
///
/// # Panics
/// When the call goes through and policies are not asked, and when no service of the platform serves it.
pub async fn judged<R: Request>(cx: &Cx, request: R) -> Result<Vec<Question>, Error> {
    let row = cx.platform().operation(R::SERVICE.name, R::OPERATION).expect("an operation that is served");
    let asked = Arc::new(Asked::default());
    cx.platform().set_access(asked.clone());
    let user = Caller {
        arn: format!("arn:aws:iam::{}:user/ada", cx.account()),
        kind: CallerKind::User { name: "ada".to_owned() },
        ..Caller::root(cx.account())
    };
    let answer = (row.call)(&cx.as_caller(user), request.into_value(), How { dry_run: true, typed: false }).await;
    let questions = std::mem::take(&mut *asked.0.lock());
    match answer {
        Err(error) if questions.is_empty() => Err(error),
        _ => {
            assert!(!questions.is_empty(), "{} went through unasked", R::OPERATION);
            Ok(questions)
        }
    }
}
