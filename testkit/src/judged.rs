//! What the policies of a call's caller are asked about: the action, the resource and its condition keys.

use crate::Judge;
use kiln_service_kit::{Caller, CallerKind, Cx, Error, Grant, How, Request};
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

/// What a user's policies are asked before the call is handled; why not, where nobody is judged because the
/// operation's row does not know about what. The call is made by that row, as a dry run: nothing is written.
///
/// # Panics
/// When the call goes through and policies are not asked, and when no service of the platform serves it.
pub async fn judged<R: Request>(cx: &Cx, request: R) -> Result<Vec<Question>, Error> {
    let row = cx.platform().operation(R::SERVICE.name, R::OPERATION).expect("an operation that is served");
    let asked = Arc::<Mutex<Vec<Question>>>::default();
    let keeps = asked.clone();
    // Lets everybody do everything, and keeps what it was asked.
    cx.platform().set_access(Arc::new(Judge(move |_: &Cx, grant: &Grant<'_>| {
        let keys: Vec<_> = grant.context.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let question = |resource: &String| Question {
            action: grant.action.to_owned(),
            resource: resource.clone(),
            keys: keys.clone(),
        };
        keeps.lock().extend(grant.resources.iter().map(question));
        Ok(())
    })));
    let user = Caller {
        arn: format!("arn:aws:iam::{}:user/ada", cx.account()),
        kind: CallerKind::User { name: "ada".to_owned() },
        ..Caller::root(cx.account())
    };
    let answer = (row.call)(&cx.as_caller(user), request.into_value(), How { dry_run: true, typed: false }).await;
    let questions = std::mem::take(&mut *asked.lock());
    match answer {
        Err(error) if questions.is_empty() => Err(error),
        _ => {
            assert!(!questions.is_empty(), "{} went through unasked", R::OPERATION);
            Ok(questions)
        }
    }
}
