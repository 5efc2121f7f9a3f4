//! The call that is being handled: what is logged meanwhile says which it is.
//!
//! Not a span of `tracing`, which is written out when it begins and costs a call from memory a twentieth of its time,
//! though few calls log anything (docs/decisions/0019-metrics.md): it is told only when a line is written.

use crate::{Cx, Operation, Scope};
use std::fmt;
use std::sync::Arc;

tokio::task_local! {
    static IN_HAND: Arc<CallInHand>;
}

/// A call that is being handled.
pub struct CallInHand {
    request_id: Arc<str>,
    service: &'static str,
    operation: &'static str,
    scope: Scope,
    /// The call that made this one.
    within: Option<Arc<CallInHand>>,
}

impl CallInHand {
    /// The one that is handled by whoever asks, if any.
    pub fn now() -> Option<Arc<CallInHand>> {
        IN_HAND.try_with(Arc::clone).ok()
    }

    /// Whether the one in hand was made by another.
    pub(crate) fn is_within() -> bool {
        IN_HAND.try_with(|call| call.within.is_some()).unwrap_or(false)
    }

    /// Does `work` as this call's.
    pub(crate) async fn handled<T>(cx: &Cx, operation: &Operation, work: impl Future<Output = T>) -> T {
        let call = CallInHand {
            request_id: cx.shared_request_id(),
            service: operation.model.name,
            operation: operation.name,
            scope: cx.scope().clone(),
            within: Self::now(),
        };
        IN_HAND.scope(Arc::new(call), work).await
    }
}

/// As `tracing` writes a span before a line: `call{request_id="…" service="…" operation="…" account="…"}:`, behind the
/// one that it is within.
impl fmt::Display for CallInHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(within) = &self.within {
            within.fmt(f)?;
        }
        let Self { request_id, service, operation, scope, .. } = self;
        let account = &*scope.account;
        write!(f, "call{{request_id={request_id:?} service={service:?} operation={operation:?} account={account:?}}}:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &'static str, within: Option<Arc<CallInHand>>) -> Arc<CallInHand> {
        let scope = Scope::new("111111111111", "us-east-1");
        Arc::new(CallInHand { request_id: "a-b".into(), service: "ec2", operation, scope, within })
    }

    #[tokio::test]
    async fn what_is_in_hand_is_known_also_after_a_wait_and_behind_what_it_is_within() {
        assert!(CallInHand::now().is_none());
        let outer = call("RunInstances", None);
        let told = IN_HAND.scope(outer, async {
            tokio::task::yield_now().await;
            let inner = call("CreateTags", CallInHand::now());
            let within = IN_HAND.scope(inner, async { CallInHand::now().expect("one").to_string() }).await;
            (within, CallInHand::now().expect("the outer again").to_string())
        });
        let (within, after) = told.await;
        let of = |operation| {
            format!(r#"call{{request_id="a-b" service="ec2" operation="{operation}" account="111111111111"}}:"#)
        };
        assert_eq!(within, of("RunInstances") + &of("CreateTags"));
        assert_eq!(after, of("RunInstances"));
    }
}
