//! Every step run twice and broken once.

use crate::shop::*;
use kiln_testkit::break_each_step;

/// A release that works, and one that does not: its first instance says so.
#[test]
fn it_comes_to_the_same_end_whatever_step_breaks() {
    let sizes = "MinSize: 1\n      MaxSize: 2";
    let body = body(sizes, &rolling(&format!("MinInstancesInService: 1, SuspendProcesses: [AZRebalance], {SIGNALS}")));
    let broken = break_each_step(platform, |kit| {
        let body = body.clone();
        async move {
            let shop = Shop::on(kit, &body).await;
            let mut told = vec![];
            for release in ["2", "3"] {
                shop.ship(release, &body).await;
                told.push(shop.telling("3").await);
                told.push(format!("{:?} {:?}", shop.versions().await, shop.sizes().await));
                told.push(format!("{:?}", shop.group().await.suspended_processes));
            }
            // The ids of instances differ, and a signal may come before or after the batch is told of.
            let mut story: Vec<String> =
                shop.story(0).await.into_iter().map(|line| line.replace(char::is_lowercase, "")).collect();
            story.sort();
            told.extend(story);
            told.join("\n")
        }
    });
    assert!(broken.steps.iter().any(|step| step.contains("cloudformation/stack")), "{:#?}", broken.steps);
}
