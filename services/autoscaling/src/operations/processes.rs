//! Suspending and resuming what Auto Scaling does by itself.

use crate::changes;
use crate::errors::validation;
use crate::records::{Process, Suspension};
use crate::targets::group;
use kiln_autoscaling_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(SuspendProcesses: suspend_processes(SuspendProcessesRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
    operation!(ResumeProcesses: resume_processes(ResumeProcessesRequest),
        on |cx, r| group(cx, &r.auto_scaling_group_name)),
];

/// The processes named; all when none is.
fn named(given: &[String]) -> Result<Vec<Process>, Error> {
    if given.is_empty() {
        return Ok(Process::ALL.to_vec());
    }
    let find = |name: &String| {
        let found = Process::ALL.into_iter().find(|process| process.name() == name);
        found.ok_or_else(|| validation(format!("Invalid process name: {name}")))
    };
    given.iter().map(find).collect()
}

async fn suspend_processes(cx: &Cx, request: SuspendProcessesRequest) -> Result<SuspendProcessesResponse, Error> {
    let processes = named(&request.scaling_processes)?;
    let name = &request.auto_scaling_group_name;
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            for process in processes {
                if !group.is_suspended(process) {
                    let reason = format!("User suspended at {}", tx.now().iso8601());
                    group.suspended.push(Suspension { process: process.name().to_owned(), reason });
                }
            }
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(SuspendProcessesResponse {})
}

async fn resume_processes(cx: &Cx, request: ResumeProcessesRequest) -> Result<ResumeProcessesResponse, Error> {
    let processes = named(&request.scaling_processes)?;
    let name = &request.auto_scaling_group_name;
    cx.store()
        .write(|tx| {
            let mut group = changes::group_to_change(tx, cx.scope(), name)?;
            group.suspended.retain(|s| !processes.iter().any(|process| process.name() == s.process));
            tx.put_if_changed(cx.scope(), name, group)?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(ResumeProcessesResponse {})
}
