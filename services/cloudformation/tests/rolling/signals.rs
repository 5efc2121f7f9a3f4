//! New instances say how they are, or nothing at all.

use crate::shop::*;
use kiln_autoscaling_shapes as asg;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn each_batch_waits_for_its_signals() {
    let sizes = "MinSize: 1\n      MaxSize: 3\n      DesiredCapacity: 2";
    let body = body(sizes, &rolling(&format!("MinInstancesInService: 1, {SIGNALS}")));
    let shop = Shop::given(&body).await;
    let early = shop.signal("i-00000000000000000", true).await.expect_err("nothing waits for it");
    assert!(early.message.contains("can not be signaled"), "{early}");
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    assert_eq!(shop.telling("").await, "UPDATE_COMPLETE");
    assert_eq!(shop.versions().await, ["2", "2"]);
    assert_eq!(shop.sizes().await, (1, 2, 3));
    assert_eq!(
        shop.story(count).await,
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 1 instance(s) in service. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 2.",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [a]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [a] (Progress 50%).",
            "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT10M.",
            "UPDATE_IN_PROGRESS: Received SUCCESS signal with UniqueId b",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [c]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [c] (Progress 100%).",
            "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT10M.",
            "UPDATE_IN_PROGRESS: Received SUCCESS signal with UniqueId d",
            "UPDATE_COMPLETE",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_that_says_nothing_is_rolled_back() {
    let sizes = "MinSize: 2\n      MaxSize: 4";
    let body = body(sizes, &rolling(&format!("MinInstancesInService: 2, {SIGNALS}")));
    let shop = Shop::given(&body).await;
    let before = shop.serving().await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    let began = shop.kit.now();
    // None of the old ones goes: the new one never says that it works.
    assert_eq!(shop.fewest().await, 2);
    assert_eq!(shop.status().await, "UPDATE_ROLLBACK_COMPLETE", "{:#?}", shop.story(count).await);
    assert!(shop.kit.now().since(began) >= Duration::from_secs(600));
    assert_eq!(shop.serving().await, before);
    assert_eq!(shop.sizes().await, (2, 2, 4));
    assert_eq!(
        shop.story(count).await,
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 2 instance(s) in service. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 3.",
            "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Waiting on 1 resource signal(s) with a timeout of PT10M.",
            "UPDATE_IN_PROGRESS: Failed to receive 1 resource signal(s) for the current batch.  Each resource signal timeout is counted as a FAILURE.",
            "UPDATE_FAILED: Received 0 SUCCESS signal(s) out of 2.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 1 obsolete instance(s) in batches of 1, while keeping at least 2 instance(s) in service. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 3.",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [a]; replacing with 0 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [a] (Progress 100%).",
            "UPDATE_COMPLETE",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_signal_is_enough_and_the_way_back_rolls_too() {
    let sizes = "MinSize: 1\n      MaxSize: 3\n      DesiredCapacity: 3";
    let policy = format!("MaxBatchSize: 2, {SIGNALS}, SuspendProcesses: [AZRebalance, HealthCheck]");
    let body = body(sizes, &rolling(&policy));
    let shop = Shop::given(&body).await;
    let suspends = |processes: &[&str]| {
        let scaling_processes = processes.iter().map(|name| (*name).to_owned()).collect();
        let group = shop.group();
        async move {
            let auto_scaling_group_name = group.await.auto_scaling_group_name.expect("a name");
            asg::SuspendProcessesRequest { auto_scaling_group_name, scaling_processes }
        }
    };
    // What the user suspended stays suspended.
    shop.call(suspends(&["HealthCheck"]).await).await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    shop.until("Waiting on 2 resource signal(s)", 1).await;
    let new: Vec<_> = shop.serving().await.into_iter().filter(|(_, version)| version == "2").collect();
    let processes = |group: asg::AutoScalingGroup| -> Vec<String> {
        group.suspended_processes.into_iter().filter_map(|process| process.process_name).collect()
    };
    assert_eq!(processes(shop.group().await), ["HealthCheck", "AZRebalance"]);
    shop.signal(&new[0].0, true).await.expect("it waits");
    let other = shop.signal(&new[0].0, false).await.expect_err("it said otherwise before");
    assert!(other.message.contains("was already received"), "{other}");
    shop.signal(&new[1].0, false).await.expect("it waits");
    assert_eq!(shop.telling("2").await, "UPDATE_ROLLBACK_COMPLETE", "{:#?}", shop.story(count).await);
    assert_eq!(shop.versions().await, ["1", "1", "1"]);
    assert_eq!(shop.sizes().await, (1, 3, 3));
    assert_eq!(processes(shop.group().await), ["HealthCheck"]);
    let story = shop.story(count).await;
    let failed = "UPDATE_FAILED: Received 1 FAILURE signal(s) out of 3.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement";
    let at = story.iter().position(|line| line == failed).unwrap_or_else(|| panic!("{story:#?}"));
    assert_eq!(
        story[at + 2],
        "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 2. Waiting on resource signals with a timeout of PT10M when new instances are added to the autoscaling group."
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_signals_may_be_enough() {
    let sizes = "MinSize: 1\n      MaxSize: 4\n      DesiredCapacity: 2";
    let policy = format!("MaxBatchSize: 1, MinInstancesInService: 1, MinSuccessfulInstancesPercent: 50, {SIGNALS}");
    let body = body(sizes, &rolling(&policy));
    let shop = Shop::given(&body).await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    shop.until("Waiting on 1 resource signal(s)", 1).await;
    // The first says nothing, the second that it works, under a name of its own.
    shop.until("Waiting on 1 resource signal(s)", 2).await;
    shop.signal("web.internal", true).await.expect("it waits");
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE", "{:#?}", shop.story(count).await);
    assert_eq!(shop.versions().await, ["2", "2"]);
    let story = shop.story(count).await;
    assert!(story.iter().any(|line| line.contains("Failed to receive 1 resource signal(s)")), "{story:#?}");
}
