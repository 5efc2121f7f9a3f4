//! Alarms: what their points and other alarms say, and what they set in motion.

use super::{base_image, run, state_of};
use kiln_cloudwatch_shapes as cw;
use kiln_testkit::{Broken, Testkit, break_each_step};
use std::sync::OnceLock;
use std::time::Duration;

fn alarm(name: &str, instance: &str, action: &str) -> cw::PutMetricAlarmRequest {
    cw::PutMetricAlarmRequest {
        alarm_name: name.to_owned(),
        namespace: Some("shop".to_owned()),
        metric_name: Some(name.to_owned()),
        dimensions: vec![cw::Dimension { name: "InstanceId".to_owned(), value: instance.to_owned() }],
        statistic: Some("Maximum".to_owned()),
        period: Some(60),
        evaluation_periods: Some(1),
        threshold: Some(1.0),
        comparison_operator: Some("GreaterThanThreshold".to_owned()),
        alarm_actions: (!action.is_empty())
            .then(|| format!("arn:aws:automate:us-east-1:ec2:{action}"))
            .into_iter()
            .collect(),
        ..Default::default()
    }
}

async fn measured(kit: &Testkit, name: &str, instance: &str, value: f64) {
    let datum = cw::MetricDatum {
        metric_name: name.to_owned(),
        dimensions: vec![cw::Dimension { name: "InstanceId".to_owned(), value: instance.to_owned() }],
        value: Some(value),
        ..Default::default()
    };
    let request =
        cw::PutMetricDataRequest { namespace: "shop".to_owned(), metric_data: vec![datum], ..Default::default() };
    kit.call(request).await.expect("kept");
}

async fn states(kit: &Testkit) -> String {
    let types = ["MetricAlarm", "CompositeAlarm"].map(str::to_owned).to_vec();
    let found =
        kit.call(cw::DescribeAlarmsRequest { alarm_types: types, ..Default::default() }).await.expect("described");
    let metric = found.metric_alarms.into_iter().map(|alarm| (alarm.alarm_name, alarm.state_value, None));
    let composite = found.composite_alarms.into_iter().map(|a| (a.alarm_name, a.state_value, a.actions_suppressed_by));
    format!("{:?}", metric.chain(composite).collect::<Vec<_>>())
}

/// An alarm stops a machine; another suppresses what a composite one would do, and lets it go.
pub fn set_in_motion() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || Testkit::new(1).services([kiln_ec2::service(), kiln_cloudwatch::service()]);
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            let image = base_image(&kit).await;
            let instance = run(&kit, &image, None).await;
            let mut told = vec![state_of(&kit, &instance).await];
            kit.call(alarm("idle", &instance, "stop")).await.expect("made");
            kit.call(alarm("works", &instance, "")).await.expect("made");
            let composite = cw::PutCompositeAlarmRequest {
                alarm_name: "both".to_owned(),
                alarm_rule: "ALARM(idle)".to_owned(),
                actions_suppressor: Some("works".to_owned()),
                actions_suppressor_wait_period: Some(120),
                actions_suppressor_extension_period: Some(60),
                ..Default::default()
            };
            kit.call(composite).await.expect("made");
            measured(&kit, "works", &instance, 5.0).await;
            kit.settle().await;
            told.push(states(&kit).await);
            measured(&kit, "idle", &instance, 5.0).await;
            kit.settle().await;
            told.push(states(&kit).await);
            kit.advance(Duration::from_secs(1800)).await;
            told.push(state_of(&kit, &instance).await);
            told.push(states(&kit).await);
            format!("{told:#?}")
        })
    })
}

/// An alarm on a machine, and nobody who has machines: what it sets in motion is refused, and history says so.
pub fn refused() -> &'static Broken {
    static DONE: OnceLock<Broken> = OnceLock::new();
    let services = || Testkit::new(1).services([kiln_cloudwatch::service()]);
    DONE.get_or_init(|| {
        break_each_step(services, |kit| async move {
            kit.call(alarm("idle", "i-0123456789abcdef0", "reboot")).await.expect("made");
            measured(&kit, "idle", "i-0123456789abcdef0", 5.0).await;
            kit.settle().await;
            let history = cw::DescribeAlarmHistoryRequest {
                alarm_name: Some("idle".to_owned()),
                history_item_type: Some("Action".to_owned()),
                ..Default::default()
            };
            let told = kit.call(history).await.expect("told").alarm_history_items;
            format!("{:?}", told.into_iter().map(|item| item.history_summary).collect::<Vec<_>>())
        })
    })
}
