//! The service through its public operations, on a store in memory, with a clock that is moved by hand.

use crate::records::StateValue;
use kiln_cloudwatch_shapes::*;
use kiln_points::Points;
use kiln_service_kit::*;
use std::sync::Arc;

/// A kiln's parts; the time is 2026-01-01 12:00:30.
fn given() -> Cx {
    let clock = Clock::simulated(Timestamp::parse("2026-01-01T12:00:30Z").expect("a time"));
    let store = Store::in_memory(clock.clone());
    let points = Points::in_memory(clock.clone());
    let builder = PlatformBuilder::new(store, clock, IdSource::seeded(1)).part(points).service(crate::service());
    Cx::new(builder.build(), Scope::new("000000000000", "us-east-1"), Caller::root("000000000000"), "test")
}

fn ago(cx: &Cx, seconds: i64) -> Timestamp {
    Timestamp::from_millis(cx.now().millis() - seconds * 1000)
}

fn datum(name: &str, value: f64) -> MetricDatum {
    MetricDatum { metric_name: name.into(), value: Some(value), ..Default::default() }
}

async fn put(cx: &Cx, data: Vec<MetricDatum>) -> Result<(), Error> {
    let request = PutMetricDataRequest { namespace: "shop".into(), metric_data: data, ..Default::default() };
    cx.call(request).await.map(drop)
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.expect_err("must be refused").code.into_owned()
}

fn statistics(cx: &Cx, name: &str) -> GetMetricStatisticsRequest {
    GetMetricStatisticsRequest {
        namespace: "shop".into(),
        metric_name: name.into(),
        start_time: ago(cx, 600),
        end_time: ago(cx, -60),
        period: 60,
        ..Default::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_put_is_told_in_every_statistic() {
    let cx = given();
    let many = MetricDatum {
        value: None,
        values: vec![1.0, 2.0, 3.0],
        counts: vec![1.0, 2.0, 1.0],
        unit: Some("Count".into()),
        ..datum("m", 0.0)
    };
    put(&cx, vec![many.clone()]).await.unwrap();
    let all = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"].map(str::to_owned).to_vec();
    let found = cx.call(GetMetricStatisticsRequest { statistics: all, ..statistics(&cx, "m") }).await.unwrap();
    let [point] = found.datapoints.as_slice() else { panic!("one: {found:?}") };
    let shown = (point.sample_count, point.average, point.sum, point.minimum, point.maximum);
    assert_eq!(shown, (Some(4.0), Some(2.0), Some(8.0), Some(1.0), Some(3.0)));
    assert_eq!(point.timestamp, Some(Timestamp::parse("2026-01-01T12:00:00Z").unwrap()));
    assert_eq!((point.unit.as_deref(), found.label.as_deref()), (Some("Count"), Some("m")));
    let extended =
        GetMetricStatisticsRequest { extended_statistics: vec!["p50".into(), "tc75".into()], ..statistics(&cx, "m") };
    let found = cx.call(extended.clone()).await.unwrap();
    assert_eq!(found.datapoints[0].extended_statistics, [("p50".to_owned(), 2.0), ("tc75".to_owned(), 3.0)].into());
    let set = StatisticSet { sample_count: 2.0, sum: 9.0, minimum: 4.0, maximum: 5.0 };
    put(&cx, vec![MetricDatum { value: None, statistic_values: Some(set), ..datum("m", 0.0) }]).await.unwrap();
    let found = cx.call(GetMetricStatisticsRequest { unit: Some("None".into()), ..extended }).await.unwrap();
    assert_eq!(found.datapoints, [], "percentiles of a set are not known");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_put_is_refused_whole() {
    let cx = given();
    let set = StatisticSet { sample_count: 1.0, sum: 1.0, minimum: 1.0, maximum: 1.0 };
    let dimension = |name: &str| Dimension { name: name.into(), value: "x".into() };
    for (datum, expected) in [
        (MetricDatum { value: None, ..datum("m", 0.0) }, "MissingRequiredParameterException"),
        (MetricDatum { values: vec![1.0], ..datum("m", 0.0) }, "InvalidParameterCombinationException"),
        (MetricDatum { statistic_values: Some(set), ..datum("m", 0.0) }, "InvalidParameterCombinationException"),
        (MetricDatum { counts: vec![1.0], ..datum("m", 0.0) }, "InvalidParameterCombinationException"),
        (
            MetricDatum { value: None, values: vec![1.0, 2.0], counts: vec![1.0], ..datum("m", 0.0) },
            "InvalidParameterValueException",
        ),
        (MetricDatum { value: None, values: vec![1.0; 151], ..datum("m", 0.0) }, "InvalidParameterValueException"),
        (datum("m", f64::NAN), "InvalidParameterValueException"),
        (datum("m", 2f64.powi(361)), "InvalidParameterValueException"),
        (
            MetricDatum { timestamp: Some(ago(&cx, 15 * 24 * 3600)), ..datum("m", 0.0) },
            "InvalidParameterValueException",
        ),
        (MetricDatum { timestamp: Some(ago(&cx, -3 * 3600)), ..datum("m", 0.0) }, "InvalidParameterValueException"),
        (MetricDatum { storage_resolution: Some(5), ..datum("m", 0.0) }, "InvalidParameterValueException"),
        (
            MetricDatum { dimensions: vec![dimension("a"), dimension("a")], ..datum("m", 0.0) },
            "InvalidParameterValueException",
        ),
        (MetricDatum { dimensions: vec![dimension(":a")], ..datum("m", 0.0) }, "InvalidParameterValueException"),
        (datum("m\u{1f}x", 0.0), "InvalidParameterValueException"),
    ] {
        assert_eq!(code(put(&cx, vec![self::datum("good", 1.0), datum.clone()]).await), expected, "{datum:?}");
    }
    assert_eq!(code(put(&cx, vec![datum("m", 1.0); 1001]).await), "InvalidParameterValueException");
    assert_eq!(code(put(&cx, vec![]).await), "MissingRequiredParameterException");
    let of_aws =
        PutMetricDataRequest { namespace: "AWS/EC2".into(), metric_data: vec![datum("m", 1.0)], ..Default::default() };
    assert_eq!(code(cx.call(of_aws.clone()).await), "InvalidParameterValueException");
    cx.as_service("ec2.amazonaws.com").call(of_aws).await.expect("services may");
    let listed = cx.call(ListMetricsRequest { namespace: Some("shop".into()), ..Default::default() }).await.unwrap();
    assert_eq!(listed.metrics, [], "nothing of a refused call is kept");
}

#[tokio::test(start_paused = true)]
async fn statistics_say_what_they_cannot_give() {
    let cx = given();
    let good = GetMetricStatisticsRequest { statistics: vec!["Sum".into()], ..statistics(&cx, "m") };
    for (request, expected) in [
        (GetMetricStatisticsRequest { statistics: vec![], ..good.clone() }, "MissingRequiredParameterException"),
        (
            GetMetricStatisticsRequest { extended_statistics: vec!["p9".into()], ..good.clone() },
            "InvalidParameterCombinationException",
        ),
        (
            GetMetricStatisticsRequest { end_time: good.start_time, ..good.clone() },
            "InvalidParameterCombinationException",
        ),
        (GetMetricStatisticsRequest { period: 45, ..good.clone() }, "InvalidParameterValueException"),
        (
            GetMetricStatisticsRequest { start_time: ago(&cx, 14 * 24 * 3600), ..good.clone() },
            "InvalidParameterCombinationException",
        ),
    ] {
        assert_eq!(code(cx.call(request).await), expected);
    }
    let two_weeks =
        cx.call(GetMetricStatisticsRequest { start_time: ago(&cx, 14 * 24 * 3600), ..good }).await.unwrap_err();
    assert!(two_weeks.message.contains("20,1") && two_weeks.message.contains("1,440"), "{two_weeks}");
}

fn query(id: &str, name: &str) -> MetricDataQuery {
    let metric = Metric { namespace: Some("shop".into()), metric_name: Some(name.into()), dimensions: vec![] };
    let metric_stat = Some(MetricStat { metric, period: 60, stat: "Sum".into(), unit: None });
    MetricDataQuery { id: id.into(), metric_stat, ..Default::default() }
}

fn expression(id: &str, text: &str) -> MetricDataQuery {
    MetricDataQuery { id: id.into(), expression: Some(text.into()), ..Default::default() }
}

fn data(cx: &Cx, queries: Vec<MetricDataQuery>) -> GetMetricDataRequest {
    GetMetricDataRequest {
        metric_data_queries: queries,
        start_time: ago(cx, 330),
        end_time: ago(cx, -30),
        ..Default::default()
    }
}

#[tokio::test(start_paused = true)]
async fn data_are_read_computed_and_paged() {
    let cx = given();
    let at =
        |minutes: i64, name: &str, value| MetricDatum { timestamp: Some(ago(&cx, minutes * 60)), ..datum(name, value) };
    let all = (0..5).flat_map(|n| [at(n, "a", n as f64), at(n, "b", 10.0)]).collect();
    put(&cx, all).await.unwrap();
    let hidden = MetricDataQuery { return_data: Some(false), ..query("a", "a") };
    let label = |text: &str, query| MetricDataQuery { label: Some(text.into()), ..query };
    let queries = vec![
        hidden,
        label("b: ${SUM}", query("b", "b")),
        expression("e", "a + b"),
        expression("s", "SUM([e, FILL(b, 0)])"),
    ];
    let answer = cx.call(data(&cx, queries.clone())).await.unwrap();
    let shown: Vec<_> = answer
        .metric_data_results
        .iter()
        .map(|r| (r.id.clone().unwrap(), r.label.clone().unwrap(), r.values.clone()))
        .collect();
    assert_eq!(shown[0], ("b".into(), "b: 50".into(), vec![10.0; 5]));
    assert_eq!(shown[1], ("e".into(), "e".into(), vec![10.0, 11.0, 12.0, 13.0, 14.0]));
    assert_eq!(shown[2].2, [20.0, 21.0, 22.0, 23.0, 24.0, 0.0], "newest first");
    let paged = GetMetricDataRequest {
        max_datapoints: Some(7),
        scan_by: Some("TimestampAscending".into()),
        ..data(&cx, queries)
    };
    let first = cx.call(paged.clone()).await.unwrap();
    let lengths =
        |answer: &GetMetricDataResponse| answer.metric_data_results.iter().map(|r| r.values.len()).collect::<Vec<_>>();
    assert_eq!(lengths(&first), [5, 2, 0]);
    assert_eq!(first.metric_data_results[1].status_code.as_deref(), Some("PartialData"));
    let second = cx.call(GetMetricDataRequest { next_token: first.next_token, ..paged.clone() }).await.unwrap();
    assert_eq!(lengths(&second), [0, 3, 4]);
    let third = cx.call(GetMetricDataRequest { next_token: second.next_token, ..paged.clone() }).await.unwrap();
    assert_eq!((lengths(&third), third.next_token), (vec![0, 0, 2], None));
    assert_eq!(code(cx.call(GetMetricDataRequest { next_token: Some("x".into()), ..paged }).await), "InvalidNextToken");
    let search = vec![expression("q", "SEARCH('{shop} MetricName=\"a\" OR MetricName=\"b\"', 'Sum', 60)")];
    let answer = cx.call(data(&cx, search)).await.unwrap();
    let labels: Vec<_> = answer.metric_data_results.iter().filter_map(|r| r.label.clone()).collect();
    assert_eq!(labels, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn queries_that_cannot_be_are_refused() {
    let cx = given();
    for queries in [
        vec![expression("E", "1")],
        vec![expression("e", "f"), expression("f", "e")],
        vec![expression("e", "e")],
        vec![query("a", "a"), query("a", "a")],
        vec![expression("e", "5")],
        vec![expression("e", "NOPE(a)")],
        vec![MetricDataQuery { id: "x".into(), ..Default::default() }],
        vec![MetricDataQuery { expression: Some("a".into()), ..query("x", "x") }],
    ] {
        assert_eq!(code(cx.call(data(&cx, queries.clone())).await), "ValidationError", "{queries:?}");
    }
    for text in ["ANOMALY_DETECTION_BAND(a)", "SELECT AVG(CPUUtilization) FROM \"AWS/EC2\""] {
        assert_eq!(code(cx.call(data(&cx, vec![query("a", "a"), expression("e", text)])).await), "NotImplemented");
    }
}

fn alarm(name: &str) -> PutMetricAlarmRequest {
    PutMetricAlarmRequest {
        alarm_name: name.into(),
        namespace: Some("shop".into()),
        metric_name: Some("m".into()),
        statistic: Some("Maximum".into()),
        period: Some(60),
        evaluation_periods: Some(1),
        threshold: Some(10.0),
        comparison_operator: Some("GreaterThanThreshold".into()),
        ..Default::default()
    }
}

async fn one(cx: &Cx, name: &str) -> MetricAlarm {
    let request = DescribeAlarmsRequest { alarm_names: vec![name.into()], ..Default::default() };
    cx.call(request).await.unwrap().metric_alarms.pop().expect("it is there")
}

/// Passes until all rest.
async fn pass(cx: &Cx) {
    for _ in 0..4 {
        for controller in cx.platform().controllers() {
            for name in controller.all(cx.store()).unwrap() {
                let cx = Cx::for_service(cx.platform().clone(), name.scope.clone(), controller.acts_as());
                let pass = controller.pass(&cx, &name, &|_: &str| Chaos::None).await;
                assert!(pass.error.is_none(), "{:?}", pass.error);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_goes_through_all_its_states() {
    let cx = given();
    cx.call(alarm("hot")).await.unwrap();
    let made = one(&cx, "hot").await;
    assert_eq!(
        (made.state_value.as_deref(), made.state_reason.as_deref()),
        (Some("INSUFFICIENT_DATA"), Some("Unchecked: Initial alarm creation"))
    );
    put(&cx, vec![MetricDatum { timestamp: Some(ago(&cx, 60)), ..datum("m", 1.0) }]).await.unwrap();
    pass(&cx).await;
    assert_eq!(one(&cx, "hot").await.state_value.as_deref(), Some("OK"));
    // In the minute that goes on: it cannot become less.
    put(&cx, vec![datum("m", 50.0)]).await.unwrap();
    pass(&cx).await;
    let hot = one(&cx, "hot").await;
    assert_eq!(hot.state_value.as_deref(), Some("ALARM"));
    assert!(
        hot.state_reason.as_deref().unwrap().starts_with(
            "Threshold Crossed: 1 out of the last 1 datapoints [50.0 (01/01/26 12:00:00)] was greater than"
        )
    );
    let data: serde_json::Value = serde_json::from_str(hot.state_reason_data.as_deref().unwrap()).unwrap();
    assert_eq!(
        (data["period"].as_i64(), data["statistic"].as_str(), data["threshold"].as_f64()),
        (Some(60), Some("Maximum"), Some(10.0))
    );
    tokio::time::advance(std::time::Duration::from_secs(600)).await;
    pass(&cx).await;
    let gone = one(&cx, "hot").await;
    assert_eq!(
        (gone.state_value.as_deref(), gone.state_reason.as_deref()),
        (Some("INSUFFICIENT_DATA"), Some("Insufficient Data: 1 datapoint was unknown."))
    );
    let history = |item: &str| DescribeAlarmHistoryRequest {
        alarm_name: Some("hot".into()),
        history_item_type: Some(item.into()),
        ..Default::default()
    };
    let told = cx.call(history("StateUpdate")).await.unwrap().alarm_history_items;
    let summaries: Vec<_> = told.iter().filter_map(|item| item.history_summary.as_deref()).collect();
    assert_eq!(
        summaries,
        [
            "Alarm updated from ALARM to INSUFFICIENT_DATA",
            "Alarm updated from OK to ALARM",
            "Alarm updated from INSUFFICIENT_DATA to OK"
        ]
    );
    cx.call(DeleteAlarmsRequest { alarm_names: vec!["hot".into()] }).await.unwrap();
    let told = cx.call(history("ConfigurationUpdate")).await.unwrap().alarm_history_items;
    let summaries: Vec<_> = told.iter().filter_map(|item| item.history_summary.as_deref()).collect();
    assert_eq!(summaries, ["Alarm \"hot\" deleted", "Alarm \"hot\" created"], "history outlives the alarm");
}

#[tokio::test(start_paused = true)]
async fn an_average_waits_for_the_end_of_its_minute() {
    let cx = given();
    cx.call(PutMetricAlarmRequest { statistic: Some("Average".into()), ..alarm("mean") }).await.unwrap();
    put(&cx, vec![datum("m", 50.0)]).await.unwrap();
    pass(&cx).await;
    assert_eq!(one(&cx, "mean").await.state_value.as_deref(), Some("INSUFFICIENT_DATA"));
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    pass(&cx).await;
    assert_eq!(one(&cx, "mean").await.state_value.as_deref(), Some("ALARM"));
}

#[tokio::test(start_paused = true)]
async fn alarms_that_cannot_be_are_refused() {
    let cx = given();
    let good = || alarm("a");
    for (request, expected) in [
        (PutMetricAlarmRequest { threshold: None, ..good() }, "ValidationError"),
        (PutMetricAlarmRequest { evaluation_periods: None, ..good() }, "ValidationError"),
        (PutMetricAlarmRequest { period: Some(45), ..good() }, "ValidationError"),
        (PutMetricAlarmRequest { period: Some(3600), evaluation_periods: Some(200), ..good() }, "ValidationError"),
        (PutMetricAlarmRequest { period: Some(300), evaluation_periods: Some(300), ..good() }, "ValidationError"),
        (PutMetricAlarmRequest { datapoints_to_alarm: Some(2), ..good() }, "ValidationError"),
        (PutMetricAlarmRequest { treat_missing_data: Some("x".into()), ..good() }, "ValidationError"),
        (PutMetricAlarmRequest { statistic: None, ..good() }, "ValidationError"),
        (
            PutMetricAlarmRequest { extended_statistic: Some("p9".into()), ..good() },
            "InvalidParameterCombinationException",
        ),
        (PutMetricAlarmRequest { metrics: vec![query("a", "a")], ..good() }, "InvalidParameterCombinationException"),
        (PutMetricAlarmRequest { alarm_actions: vec!["nonsense".into()], ..good() }, "ValidationError"),
        (
            PutMetricAlarmRequest { alarm_actions: vec!["arn:aws:automate:us-east-1:ec2:stop".into()], ..good() },
            "ValidationError",
        ),
        (
            PutMetricAlarmRequest { alarm_actions: vec!["arn:aws:automate:us-east-1:ec2:recover".into()], ..good() },
            "NotImplemented",
        ),
        (
            PutMetricAlarmRequest {
                alarm_actions: vec!["arn:aws:autoscaling:us-east-1:0:scalingPolicy:x".into()],
                ..good()
            },
            "NotImplemented",
        ),
        (PutMetricAlarmRequest { threshold_metric_id: Some("a".into()), ..good() }, "NotImplemented"),
        (
            PutMetricAlarmRequest { comparison_operator: Some("LessThanLowerThreshold".into()), ..good() },
            "NotImplemented",
        ),
    ] {
        assert_eq!(code(cx.call(request.clone()).await), expected, "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn math_alarms_and_composite_alarms_follow() {
    let cx = given();
    let hidden = |query| MetricDataQuery { return_data: Some(false), ..query };
    let metrics = vec![hidden(query("e", "errors")), hidden(query("r", "requests")), expression("rate", "100 * e / r")];
    let rate = PutMetricAlarmRequest {
        alarm_name: "rate".into(),
        metrics,
        evaluation_periods: Some(1),
        threshold: Some(5.0),
        comparison_operator: Some("GreaterThanThreshold".into()),
        ..Default::default()
    };
    cx.call(rate).await.unwrap();
    cx.call(alarm("quiet")).await.unwrap();
    let rule = "ALARM(rate) AND NOT ALARM(\"quiet\")".to_owned();
    let both = PutCompositeAlarmRequest { alarm_name: "both".into(), alarm_rule: rule, ..Default::default() };
    cx.call(both.clone()).await.unwrap();
    let absent = PutCompositeAlarmRequest { alarm_rule: "OK(none)".into(), ..both.clone() };
    assert!(cx.call(absent).await.unwrap_err().message.contains("[none] in the alarm rule do not exist"));
    pass(&cx).await;
    let state = |name: &'static str| {
        let cx = cx.clone();
        async move { cx.store().get::<crate::records::Alarm>(cx.scope(), name).unwrap().unwrap().state.value }
    };
    assert_eq!(state("both").await, StateValue::Ok);
    let at = |name: &str, value| MetricDatum { timestamp: Some(ago(&cx, 60)), ..datum(name, value) };
    put(&cx, vec![at("errors", 10.0), at("requests", 100.0)]).await.unwrap();
    pass(&cx).await;
    assert_eq!((state("rate").await, state("both").await), (StateValue::Alarm, StateValue::Alarm));
    let family = |children: Option<&str>, parents: Option<&str>| DescribeAlarmsRequest {
        children_of_alarm_name: children.map(str::to_owned),
        parents_of_alarm_name: parents.map(str::to_owned),
        ..Default::default()
    };
    let children = cx.call(family(Some("both"), None)).await.unwrap().metric_alarms;
    assert_eq!(children.iter().filter_map(|alarm| alarm.alarm_name.as_deref()).collect::<Vec<_>>(), ["quiet", "rate"]);
    let parents = cx.call(family(None, Some("rate"))).await.unwrap().composite_alarms;
    assert_eq!(parents[0].alarm_name.as_deref(), Some("both"));
    let circle = PutCompositeAlarmRequest {
        alarm_name: "above".into(),
        alarm_rule: "NOT ALARM(both)".into(),
        ..Default::default()
    };
    cx.call(circle).await.unwrap();
    cx.call(PutCompositeAlarmRequest { alarm_rule: "ALARM(above)".into(), ..both.clone() }).await.unwrap();
    pass(&cx).await;
    let delete = DeleteAlarmsRequest { alarm_names: vec!["both".into()] };
    assert!(cx.call(delete.clone()).await.unwrap_err().message.contains("depending on it: above"));
    cx.call(PutCompositeAlarmRequest { alarm_name: "above".into(), alarm_rule: "FALSE".into(), ..Default::default() })
        .await
        .unwrap();
    cx.call(delete).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn states_are_set_actions_switched_and_tags_kept() {
    let cx = given();
    let tags = vec![Tag { key: "team".into(), value: "shop".into() }];
    cx.call(PutMetricAlarmRequest { tags, ..alarm("a") }).await.unwrap();
    let set = |name: &str, data: Option<&str>| SetAlarmStateRequest {
        alarm_name: name.into(),
        state_value: "ALARM".into(),
        state_reason: "testing".into(),
        state_reason_data: data.map(str::to_owned),
    };
    assert_eq!(code(cx.call(set("none", None)).await), "ResourceNotFound");
    assert_eq!(code(cx.call(set("a", Some("{"))).await), "InvalidFormatFault");
    cx.call(set("a", Some("{}"))).await.unwrap();
    assert_eq!(one(&cx, "a").await.state_value.as_deref(), Some("ALARM"));
    cx.call(DisableAlarmActionsRequest { alarm_names: vec!["a".into(), "none".into()] }).await.unwrap();
    assert_eq!(one(&cx, "a").await.actions_enabled, Some(false));
    cx.call(EnableAlarmActionsRequest { alarm_names: vec!["a".into()] }).await.unwrap();
    assert_eq!(one(&cx, "a").await.actions_enabled, Some(true));
    // It is put again: its state and tags stay.
    cx.call(PutMetricAlarmRequest { threshold: Some(1.0), ..alarm("a") }).await.unwrap();
    let again = one(&cx, "a").await;
    assert_eq!((again.threshold, again.state_value.as_deref()), (Some(1.0), Some("ALARM")));
    let arn = again.alarm_arn.unwrap();
    assert_eq!(arn, "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a");
    let tags = || cx.call(ListTagsForResourceRequest { resource_arn: arn.clone() });
    assert_eq!(tags().await.unwrap().tags.len(), 1);
    cx.call(TagResourceRequest { resource_arn: arn.clone(), tags: vec![Tag { key: "b".into(), value: "2".into() }] })
        .await
        .unwrap();
    cx.call(UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["team".into()] }).await.unwrap();
    assert_eq!(tags().await.unwrap().tags, [Tag { key: "b".into(), value: "2".into() }]);
    assert_eq!(
        code(cx.call(ListTagsForResourceRequest { resource_arn: format!("{arn}x") }).await),
        "ResourceNotFoundException"
    );
    let by = DescribeAlarmsForMetricRequest { metric_name: "m".into(), namespace: "shop".into(), ..Default::default() };
    assert_eq!(cx.call(by.clone()).await.unwrap().metric_alarms.len(), 1);
    let other = DescribeAlarmsForMetricRequest { statistic: Some("Sum".into()), ..by };
    assert_eq!(cx.call(other).await.unwrap().metric_alarms.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn dashboards_are_kept_and_checked() {
    let cx = given();
    let body = r#"{"widgets": [{"type": "text", "properties": {"markdown": "hi"}}]}"#;
    let put = |name: &str, body: &str| PutDashboardRequest {
        dashboard_name: name.into(),
        dashboard_body: body.into(),
        ..Default::default()
    };
    assert_eq!(cx.call(put("d", body)).await.unwrap().dashboard_validation_messages, []);
    let refused = cx.call(put("d", "{}")).await.unwrap_err();
    assert!(refused.is("DashboardInvalidInputError") && refused.message.contains("widgets"), "{refused}");
    assert_eq!(code(cx.call(put("d d", body)).await), "InvalidParameterValueException");
    let kept = cx.call(GetDashboardRequest { dashboard_name: "d".into() }).await.unwrap();
    assert_eq!(
        (kept.dashboard_body.as_deref(), kept.dashboard_arn.as_deref()),
        (Some(body), Some("arn:aws:cloudwatch::000000000000:dashboard/d"))
    );
    let listed = cx.in_region("eu-west-1").call(ListDashboardsRequest::default()).await.unwrap().dashboard_entries;
    assert_eq!((listed.len(), listed[0].size), (1, Some(body.len() as i64)), "they are in no region");
    let delete =
        |names: &[&str]| DeleteDashboardsRequest { dashboard_names: names.iter().map(|n| (*n).to_owned()).collect() };
    assert_eq!(code(cx.call(delete(&["d", "none"])).await), "DashboardNotFoundError");
    cx.call(delete(&["d"])).await.unwrap();
    assert_eq!(code(cx.call(GetDashboardRequest { dashboard_name: "d".into() }).await), "DashboardNotFoundError");
    let _ = Arc::new(());
}
