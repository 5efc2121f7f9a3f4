//! DescribeAlarmHistory. Source: the API Reference: newest first, told of deleted alarms too.

use crate::errors::bad_token;
use crate::records::{Happened, arn};
use kiln_cloudwatch_shapes::*;
use kiln_service_kit::{Asked, Cx, Error, Operation, Target, Window, operation, page_of};

pub const OPERATIONS: &[Operation] =
    &[operation!(DescribeAlarmHistory: describe_alarm_history(DescribeAlarmHistoryRequest),
    on |cx, r| Target::new(arn(cx, r.alarm_name.as_deref().unwrap_or("*"))))];

/// Items on a page.
const PAGE: i32 = 100;

async fn describe_alarm_history(
    cx: &Cx,
    request: DescribeAlarmHistoryRequest,
) -> Result<DescribeAlarmHistoryResponse, Error> {
    if request.alarm_contributor_id.is_some() {
        return Err(Error::not_built("cloudwatch:DescribeAlarmHistory with AlarmContributorId (Metrics Insights)"));
    }
    let types = match request.alarm_types.as_slice() {
        [] => vec!["MetricAlarm".to_owned()],
        types => types.to_vec(),
    };
    let stream = match (&request.alarm_name, types.as_slice()) {
        (Some(name), _) => Happened::of_alarm(name),
        (None, [kind]) => Happened::of_type(kind),
        (None, _) => Happened::of_all(),
    };
    let ascends = request.scan_by.as_deref() == Some("TimestampAscending");
    let window =
        Window { from: request.start_date, to: request.end_date, newest_first: !ascends, ..Window::newest(None) };
    let limit = request.max_records.unwrap_or(PAGE) as usize;
    let asked = Asked { stream: &stream, window, token: request.next_token.as_deref(), limit };
    let item = request.history_item_type;
    let any = request.alarm_types.is_empty();
    let keep = |happened: &Happened| {
        item.as_ref().is_none_or(|item| *item == happened.item) && (any || types.contains(&happened.alarm_type))
    };
    let page = page_of::<Happened>(cx, asked, vec![], keep, bad_token)?;
    let shape = |happened: Happened| AlarmHistoryItem {
        alarm_name: Some(happened.alarm),
        alarm_type: Some(happened.alarm_type),
        timestamp: Some(happened.at),
        history_item_type: Some(happened.item),
        history_summary: Some(happened.summary),
        history_data: Some(happened.data),
        ..Default::default()
    };
    Ok(DescribeAlarmHistoryResponse {
        alarm_history_items: page.items.into_iter().map(shape).collect(),
        next_token: page.next_token,
    })
}
