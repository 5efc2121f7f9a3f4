//! PutDashboard, GetDashboard, ListDashboards, DeleteDashboards. Source: the API Reference; "Dashboard body structure and
//! syntax". Dashboards are an account's, in no region.

use super::tags;
use crate::dashboard_body;
use crate::errors::{bad_token, bad_value};
use crate::records::Dashboard;
use crate::targets::{dashboard, dashboard_arn};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, Target, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteDashboards: delete_dashboards(DeleteDashboardsRequest),
        on |cx, r| r.dashboard_names.iter().map(|name| dashboard(cx, name)).collect::<Vec<Target>>()),
    operation!(GetDashboard: get_dashboard(GetDashboardRequest), on |cx, r| dashboard(cx, &r.dashboard_name)),
    operation!(ListDashboards: list_dashboards(ListDashboardsRequest), on |cx, _| dashboard(cx, "*")),
    operation!(PutDashboard: put_dashboard(PutDashboardRequest), on |cx, r| dashboard(cx, &r.dashboard_name)),
];

/// Dashboards on a page.
const PAGE: usize = 1_000;
/// Characters of a name.
const LONGEST: usize = 255;
/// Bytes of a body: what a request can have.
const LARGEST: usize = 1 << 20;

fn not_there(name: &str) -> Error {
    Error::sender("DashboardNotFoundError", format!("Dashboard {name} does not exist")).with_status(404)
}

async fn put_dashboard(cx: &Cx, request: PutDashboardRequest) -> Result<PutDashboardResponse, Error> {
    let name = &request.dashboard_name;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return Err(bad_value(format!(
            "The value {name} for field DashboardName contains invalid characters. It can only contain alphanumerics, \
             dash (-) and underscore (_)."
        )));
    }
    if request.dashboard_body.len() > LARGEST {
        return Err(bad_value(format!("The field DashboardBody must not be longer than {LARGEST} bytes.")));
    }
    let checked = dashboard_body::check(&request.dashboard_body);
    if !checked.errors.is_empty() {
        let text = format!(
            "The dashboard body is invalid, there are {} validation errors:\n{}",
            checked.errors.len(),
            dashboard_body::shown(&checked.errors)
        );
        return Err(Error::sender("DashboardInvalidInputError", text));
    }
    let given = tags::read(cx, &request.tags)?;
    let scope = cx.global_scope();
    cx.store()
        .write::<_, Error>(|tx| {
            let tags = tx.get::<Dashboard>(&scope, name)?.map_or(given, |before| before.tags.clone());
            let (body, modified) = (request.dashboard_body.clone(), tx.now());
            tx.put(&scope, name, Dashboard { name: name.clone(), body, modified, tags })?;
            Ok(())
        })
        .await?;
    let message = |(path, message): (String, String)| DashboardValidationMessage {
        data_path: Some(path),
        message: Some(message),
    };
    Ok(PutDashboardResponse { dashboard_validation_messages: checked.warnings.into_iter().map(message).collect() })
}

async fn get_dashboard(cx: &Cx, request: GetDashboardRequest) -> Result<GetDashboardResponse, Error> {
    let name = request.dashboard_name;
    let kept = cx.store().get::<Dashboard>(&cx.global_scope(), &name)?.ok_or_else(|| not_there(&name))?;
    Ok(GetDashboardResponse {
        dashboard_arn: Some(dashboard_arn(cx, &name)),
        dashboard_body: Some(kept.body.clone()),
        dashboard_name: Some(name),
    })
}

async fn list_dashboards(cx: &Cx, request: ListDashboardsRequest) -> Result<ListDashboardsResponse, Error> {
    let prefix = request.dashboard_name_prefix.as_deref().unwrap_or("");
    let found = cx.store().list_prefix::<Dashboard>(&cx.global_scope(), prefix)?;
    let page = paginate(found, |(name, _)| name, request.next_token.as_deref(), PAGE, bad_token)?;
    let entry = |(_, kept): &(_, std::sync::Arc<Dashboard>)| DashboardEntry {
        dashboard_name: Some(kept.name.clone()),
        dashboard_arn: Some(dashboard_arn(cx, &kept.name)),
        last_modified: Some(kept.modified),
        size: Some(kept.body.len() as i64),
    };
    Ok(ListDashboardsResponse {
        dashboard_entries: page.items.iter().map(entry).collect(),
        next_token: page.next_token,
    })
}

async fn delete_dashboards(cx: &Cx, request: DeleteDashboardsRequest) -> Result<DeleteDashboardsResponse, Error> {
    let scope = cx.global_scope();
    cx.store()
        .write(|tx| {
            // All or none.
            for name in &request.dashboard_names {
                if !tx.delete::<Dashboard>(&scope, name) {
                    return Err(not_there(name));
                }
            }
            Ok(())
        })
        .await?;
    Ok(DeleteDashboardsResponse {})
}
