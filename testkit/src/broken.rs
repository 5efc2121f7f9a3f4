//! Every controller's promise: a step may run twice, may fail before it did anything, may do its
//! work and fail to say so, and the end is the same.

use crate::kit::{Builder, Chaotic, Testkit, simulate};
use kiln_service_kit::Chaos;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What [`break_each_step`] or [`break_steps`] did.
#[derive(Debug)]
pub struct Broken {
    /// The steps that were broken, in the order of the unbroken run.
    pub steps: Vec<String>,
    /// How often the scenario ran.
    pub runs: usize,
}

/// Plays a scenario unbroken, then with every step twice, then once per step and way to break it
/// (before, after). `scenario` plays and returns its end as text, without random ids (see
/// [`Story::plain`](crate::Story::plain)); every run must end alike. Panics naming each step that
/// made a difference.
pub fn break_each_step<F, Fut>(platform: impl Fn() -> Builder, scenario: F) -> Broken
where
    F: Fn(Arc<Testkit>) -> Fut,
    Fut: Future<Output = String>,
{
    break_steps(platform, |_| true, scenario)
}

/// Like [`break_each_step`], and breaks one by one only those steps whose text (`controller thing: step`) is
/// asked for: the others are broken in other scenarios.
pub fn break_steps<F, Fut>(platform: impl Fn() -> Builder, asked: impl Fn(&str) -> bool, scenario: F) -> Broken
where
    F: Fn(Arc<Testkit>) -> Fut,
    Fut: Future<Output = String>,
{
    let play = |chaotic: Chaotic| {
        simulate(async {
            let kit = Arc::new(platform().with_chaos(chaotic).start().await);
            let end = scenario(kit.clone()).await;
            (end, kit.steps(), kit.story().text())
        })
    };
    let (wanted, steps, story) = play(Chaotic::No);
    let (again, steps_again, _) = play(Chaotic::No);
    assert_eq!((&wanted, &steps), (&again, &steps_again), "the same seed told another story");
    let asked: Vec<(usize, &String)> = steps.iter().enumerate().filter(|(_, step)| asked(step)).collect();
    assert!(!asked.is_empty(), "the scenario takes no such steps:\n{story}");

    let mut runs = 2;
    let mut failures = vec![];
    let ways = asked.iter().flat_map(|(number, step)| {
        [Chaos::FailBefore, Chaos::FailAfter, Chaos::Twice]
            .map(|chaos| (Chaotic::Step(*number, chaos), format!("{chaos:?} at step {number}, {step}")))
    });
    for (chaotic, what) in [(Chaotic::Twice, "every step twice".to_owned())].into_iter().chain(ways) {
        runs += 1;
        match catch_unwind(AssertUnwindSafe(|| play(chaotic))) {
            Ok((end, _, _)) if end == wanted => {}
            Ok((end, _, story)) => failures.push(format!("{what}:\nends with\n{end}\ninstead of\n{wanted}\n{story}")),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                failures.push(format!("{what}: {}", text.unwrap_or_else(|| "panicked".to_owned())));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {runs} runs end otherwise:\n\n{}", failures.len(), failures.join("\n\n"));
    Broken { steps: asked.into_iter().map(|(_, step)| step.clone()).collect(), runs }
}
