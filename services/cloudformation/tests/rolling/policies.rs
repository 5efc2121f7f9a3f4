//! The other policies: a new group instead of new instances, sizes that stay, signals of a creation.

use crate::shop::*;
use kiln_autoscaling_shapes as asg;
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_group_is_replaced_when_its_new_one_says_that_it_works() {
    let policies = "    UpdatePolicy: {AutoScalingReplacingUpdate: {WillReplace: true}, AutoScalingRollingUpdate: {}}
    CreationPolicy:
      ResourceSignal: {Count: 2, Timeout: PT10M}
      AutoScalingCreationPolicy: {MinSuccessfulInstancesPercent: 50}";
    let body = body("MinSize: 2\n      MaxSize: 3", policies);
    let shop = Shop::begun(&body).await;
    assert_eq!(shop.telling("").await, "CREATE_COMPLETE", "{:#?}", shop.story(0).await);
    let old = shop.group().await.auto_scaling_group_name;
    shop.ship("two", &body).await;
    assert_eq!(shop.telling("").await, "UPDATE_COMPLETE", "{:#?}", shop.story(0).await);
    let new = shop.group().await.auto_scaling_group_name;
    assert!(old != new && shop.groups().await == 1, "the old one is gone");
    assert_eq!(shop.versions().await, ["2", "2"]);
    // Another change needs no new group.
    let body = body.replace("MaxSize: 3", "MaxSize: 4");
    shop.ship("two", &body).await;
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE");
    assert_eq!((shop.group().await.auto_scaling_group_name, shop.sizes().await), (new.clone(), (2, 2, 4)));
    // A new one that does not work goes.
    let count = shop.story(0).await.len();
    shop.ship("three", &body).await;
    assert_eq!(shop.settled().await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!((shop.group().await.auto_scaling_group_name, shop.groups().await), (new, 1));
    assert_eq!(shop.versions().await, ["2", "2"]);
    let story = shop.story(count).await;
    let why = "UPDATE_FAILED: Received 0 SUCCESS signal(s) out of 2.  Unable to satisfy 50% MinSuccessfulInstancesPercent requirement";
    assert!(story.iter().any(|line| line == why), "{story:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_signal_ends_a_creation_at_once() {
    let policy = "    CreationPolicy: {ResourceSignal: {Count: 2, Timeout: PT10M}}";
    let shop = Shop::begun(&body("MinSize: 2\n      MaxSize: 2", policy)).await;
    let began = shop.kit.now();
    assert_eq!(shop.telling("1").await, "ROLLBACK_COMPLETE");
    assert!(shop.kit.now().since(began) < Duration::from_secs(60));
    let story = shop.story(0).await;
    let failed = story.iter().find(|line| line.starts_with("CREATE_FAILED")).expect("it failed");
    let why = "FAILURE signal(s) out of 2.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement";
    assert!(failed.ends_with(why), "{story:#?}");
}

#[tokio::test(start_paused = true)]
async fn sizes_that_the_template_does_not_change_stay_as_they_are() {
    let policies = "    UpdatePolicy:
      AutoScalingScheduledAction: {IgnoreUnmodifiedGroupSizeProperties: true}
      AutoScalingRollingUpdate: {MinInstancesInService: 2}";
    let of = |max: i32| body(&format!("MinSize: 1\n      MaxSize: {max}\n      DesiredCapacity: 1"), policies);
    let shop = Shop::given(&of(4)).await;
    let auto_scaling_group_name = shop.group().await.auto_scaling_group_name.expect("a name");
    let scaled = asg::UpdateAutoScalingGroupRequest {
        auto_scaling_group_name,
        min_size: Some(2),
        desired_capacity: Some(3),
        ..Default::default()
    };
    shop.call(scaled).await;
    shop.until_serving(3).await;
    shop.ship("two", &of(5)).await;
    assert!(shop.fewest().await >= 2);
    assert_eq!(shop.status().await, "UPDATE_COMPLETE", "{:#?}", shop.story(0).await);
    assert_eq!((shop.versions().await.len(), shop.sizes().await), (3, (2, 3, 5)));
    // Nothing to replace: they stay too.
    shop.ship("two", &of(6)).await;
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE");
    assert_eq!(shop.sizes().await, (2, 3, 6));
    // Without the policy the template's sizes count.
    shop.ship("two", &of(7).replace("Properties: true", "Properties: false")).await;
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE");
    assert_eq!(shop.sizes().await, (1, 1, 7));
}

#[tokio::test(start_paused = true)]
async fn instances_leave_with_their_zone() {
    let body = body("MinSize: 3\n      MaxSize: 4", &rolling("MaxBatchSize: 3"));
    let shop = Shop::given(&body).await;
    let zones = |group: asg::AutoScalingGroup| -> BTreeSet<String> {
        group.instances.into_iter().filter_map(|member| member.availability_zone).collect()
    };
    assert_eq!(zones(shop.group().await).len(), 3);
    shop.ship("one", &body.replace("!GetAZs ''", "[us-east-1b]")).await;
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE");
    assert_eq!(zones(shop.group().await), BTreeSet::from(["us-east-1b".to_owned()]));
    let told = "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 2 obsolete instance(s) in batches of 2.";
    assert!(shop.story(0).await.iter().any(|line| line == told), "{:#?}", shop.story(0).await);
}
