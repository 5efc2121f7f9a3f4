//! Batch by batch, while enough instances serve.

use crate::shop::*;
use kiln_cloudformation_shapes::CancelUpdateStackRequest;
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn instances_are_replaced_batch_by_batch_while_enough_serve() {
    let body = body(
        "MinSize: 2\n      MaxSize: 4\n      DesiredCapacity: 3",
        &rolling("MinInstancesInService: 3, MaxBatchSize: 1"),
    );
    let shop = Shop::given(&body).await;
    let before: BTreeSet<String> = shop.serving().await.into_iter().map(|(id, _)| id).collect();
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    assert!(shop.fewest().await >= 3);
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE", "{:#?}", shop.story(0).await);
    assert_eq!(shop.versions().await, ["2", "2", "2"]);
    assert!(shop.serving().await.iter().all(|(id, _)| !before.contains(id)));
    assert_eq!(shop.sizes().await, (2, 3, 4));
    assert_eq!(
        shop.story(count).await,
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS: Rolling update initiated. Terminating 3 obsolete instance(s) in batches of 1, while keeping at least 3 instance(s) in service.",
            "UPDATE_IN_PROGRESS: Temporarily setting autoscaling group MinSize and DesiredCapacity to 4.",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [a]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [a] (Progress 33%).",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [b]; replacing with 1 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [b] (Progress 67%).",
            "UPDATE_IN_PROGRESS: Terminating instance(s) [c]; replacing with 0 new instance(s).",
            "UPDATE_IN_PROGRESS: Successfully terminated instance(s) [c] (Progress 100%).",
            "UPDATE_COMPLETE",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn it_pauses_between_batches_and_can_be_cancelled() {
    let sizes = "MinSize: 2\n      MaxSize: 3";
    let body = body(sizes, &rolling("MinInstancesInService: 1, PauseTime: PT5M"));
    let shop = Shop::given(&body).await;
    let count = shop.story(0).await.len();
    shop.ship("two", &body).await;
    let began = shop.kit.now();
    assert_eq!(shop.settled().await, "UPDATE_COMPLETE");
    let took = shop.kit.now().since(began);
    assert!((600..660).contains(&took.as_secs()), "{took:?}");
    let story = shop.story(count).await;
    assert!(
        story[1].ends_with("Pausing for PT5M when new instances are added to the autoscaling group."),
        "{story:#?}"
    );
    let pause = "UPDATE_IN_PROGRESS: New instance(s) added to autoscaling group - Pausing for PT5M.";
    assert_eq!(story.iter().filter(|line| *line == pause).count(), 2, "{story:#?}");
    // The one that was replaced already comes back, after a pause.
    shop.ship("three", &body).await;
    shop.until(pause, 3).await;
    shop.call(CancelUpdateStackRequest { stack_name: STACK.into(), ..Default::default() }).await;
    assert_eq!(shop.settled().await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(shop.versions().await, ["2", "2"]);
    assert_eq!(shop.sizes().await, (2, 2, 3));
    let story = shop.story(count).await;
    assert!(story.contains(&"UPDATE_FAILED: Resource update cancelled".to_owned()), "{story:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_group_cannot_hold_is_refused_when_it_comes_to_it() {
    let sizes = "MinSize: 2\n      MaxSize: 2";
    let body = body(sizes, &rolling("MinInstancesInService: 2"));
    let shop = Shop::given(&body).await;
    let (before, count) = (shop.serving().await, shop.story(0).await.len());
    shop.ship("two", &body).await;
    assert_eq!(shop.settled().await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(shop.serving().await, before);
    let why = "UPDATE_FAILED: MinInstancesInService must be less than the autoscaling group's MaxSize";
    assert_eq!(shop.story(count).await[1], why);
}
