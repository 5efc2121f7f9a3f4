//! An operation ends though its caller hangs up in the middle of it: between the steps that it is
//! made of nobody could tell what of it was done, and the log of calls would not know it.
//!
//! Most operations read, and are done the first time they are asked; these cost no task.

use futures_util::future::poll_immediate;
use kiln_protocol::{Error, Value};
use kiln_service_kit::{Cx, Operation, invoke};

/// Calls an operation and sees to it that it ends. `value` has the shape of its input.
///
/// What operations answer, and what they refuse with which code, is told to whoever asks for it
/// (`KILN_LOG=kiln::answered=trace,kiln::refused=trace`): calls from outside that got as far as their operation, before
/// the answer is put into the wire's form. The client tests count them.
pub async fn called(cx: Cx, operation: &'static Operation, value: Value) -> Result<Value, Error> {
    let answer = finish(async move { invoke(&cx, operation, value).await }).await;
    let (service, operation) = (operation.model.name, operation.name);
    match &answer {
        Ok(_) => tracing::trace!(target: "kiln::answered", service, operation),
        Err(error) => tracing::trace!(target: "kiln::refused", service, operation, code = &*error.code),
    }
    answer
}

/// Runs `work` to its end, whether or not the returned future is waited for once it was polled.
/// A panic in it goes on here.
async fn finish<W>(work: W) -> W::Output
where
    W: Future + Send + 'static,
    W::Output: Send,
{
    let mut work = Box::pin(work);
    if let Some(done) = poll_immediate(&mut work).await {
        return done;
    }
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Tasks are broken off only where the runtime ends, and we with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_is_done_at_once_needs_no_task() {
        assert_eq!(finish(async { tokio::task::try_id() }).await, None);
    }

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it_any_longer() {
        let (go, wait) = oneshot::channel::<()>();
        let (done, seen) = oneshot::channel();
        let work = async move {
            wait.await.expect("told to go on");
            done.send("the second step").expect("somebody looks");
        };
        {
            let mut call = Box::pin(finish(work));
            assert_eq!(poll_immediate(&mut call).await, None);
        }
        go.send(()).expect("it still waits");
        assert_eq!(seen.await, Ok("the second step"));
    }

    #[tokio::test]
    #[should_panic(expected = "in the second step")]
    async fn a_panic_is_the_caller_s() {
        finish(async {
            tokio::task::yield_now().await;
            panic!("in the second step");
        })
        .await
    }
}
