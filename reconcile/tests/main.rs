//! The runner, shown with a toy service whose pots are filled cup by cup.

mod toy;

use kiln_service_kit::Error;
use kiln_testkit::{break_each_step, simulate};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use toy::{Manner, Pot, Toy, cups, put};

const SECOND: Duration = Duration::from_secs(1);

fn at_once() -> Manner {
    Manner::Works(Duration::ZERO)
}

#[test]
fn many_wakes_of_one_name_are_one_look() {
    let toy = Toy::new(at_once());
    simulate(async {
        let kit = toy.platform().start().await;
        for _ in 0..100 {
            put(&kit, "tea", 0).await;
        }
        kit.advance(SECOND).await;
        assert_eq!(toy.passes("tea"), 1);
    });
}

#[test]
fn a_name_is_looked_at_by_one_pass_at_a_time_and_others_side_by_side() {
    let toy = Toy::new(Manner::Works(SECOND));
    simulate(async {
        let kit = toy.platform().start().await;
        for id in ["tea", "coffee", "cocoa"] {
            put(&kit, id, 2).await;
        }
        kit.advance(SECOND / 2).await;
        // Woken in the middle of a step; what it wants now is one cup more.
        let more = Pot { wanted: 3, cups: 0, tries: 0 };
        kit.store().write::<_, Error>(|tx| Ok(tx.put(&kit.scope(), "tea", more.clone())?)).await.expect("written");
        let took = kit.settle().await;
        assert_eq!((cups(&kit, "tea"), cups(&kit, "coffee"), cups(&kit, "cocoa")), (3, 2, 2));
        assert!(took < 4 * SECOND, "three cups one after the other, pots side by side: {took:?}");
    });
    assert_eq!(toy.seen.most_at_once_per_name.load(Ordering::Relaxed), 1);
    assert_eq!(toy.seen.most_at_once.load(Ordering::Relaxed), 3);
}

#[test]
fn a_failing_step_is_tried_again_ever_later_until_it_works() {
    let toy = Toy::new(Manner::Fails(5));
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.settle().await;
        assert_eq!(cups(&kit, "tea"), 1);
        assert!(kit.platform().reports()[0].3.failing.is_none(), "the failure is forgotten once it worked");
    });
    let acts = toy.seen.acts.lock().unwrap().clone();
    let waits: Vec<u128> = acts.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).collect();
    assert_eq!(waits, [200, 400, 800, 1600, 3200]);
}

#[test]
fn a_failing_controller_that_wakes_itself_does_not_spin() {
    let toy = Toy::new(Manner::FailsAndWrites);
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.advance(60 * SECOND).await;
        let pot = kit.store().get::<Pot>(&kit.scope(), "tea").expect("readable").expect("there");
        assert!((5..=62).contains(&pot.tries), "tried {} times in a minute", pot.tries);
        assert!(kit.platform().reports()[0].3.failing.is_some());
    });
}

#[test]
fn a_change_ends_a_long_back_off() {
    let toy = Toy::new(Manner::Fails(7));
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        // The seventh try fails at 12.6 s; by itself the next came at 25.4 s.
        kit.advance(15 * SECOND).await;
        assert_eq!(cups(&kit, "tea"), 0);
        put(&kit, "tea", 1).await;
        kit.advance(SECOND).await;
        assert_eq!(cups(&kit, "tea"), 1);
    });
}

#[test]
fn a_controller_that_never_rests_is_slowed_down() {
    let toy = Toy::new(Manner::Restless);
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.advance(100 * SECOND).await;
    });
    let acts = toy.seen.acts.lock().unwrap().len();
    assert!((140..=160).contains(&acts), "50 at once, then one a second: {acts}");
}

#[test]
fn what_waits_for_a_time_is_looked_at_then() {
    let toy = Toy::new(Manner::Waits(30 * SECOND));
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        let took = kit.until("the pot is full", 59 * SECOND, || async { cups(&kit, "tea") == 1 }).await;
        assert!(took >= 30 * SECOND && took < 31 * SECOND, "{took:?}");
        assert_eq!(toy.passes("tea"), 4, "waits, fills, looks again, and once more for its own change at most");
    });
}

#[test]
fn the_full_pass_finds_what_nobody_told() {
    let flag = Arc::new(AtomicBool::new(false));
    let toy = Toy::new(Manner::Watches(flag.clone()));
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.advance(10 * SECOND).await;
        flag.store(true, Ordering::Relaxed);
        kit.advance(45 * SECOND).await;
        assert_eq!(cups(&kit, "tea"), 0);
        kit.advance(10 * SECOND).await;
        assert_eq!(cups(&kit, "tea"), 1);
    });
}

#[test]
fn a_wake_from_outside_the_store_is_a_look() {
    let flag = Arc::new(AtomicBool::new(false));
    let toy = Toy::new(Manner::Watches(flag.clone()));
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.advance(SECOND).await;
        flag.store(true, Ordering::Relaxed);
        kit.platform().wake("toy/fill", kiln_service_kit::Name::new(&kit.scope(), "tea"));
        kit.advance(SECOND).await;
        assert_eq!(cups(&kit, "tea"), 1);
    });
}

#[test]
fn more_changes_than_the_feed_holds_lose_nothing() {
    let toy = Toy::new(at_once());
    simulate(async {
        let kit = toy.platform().start().await;
        // In memory a write does not yield: the runner sees none of these until all are done.
        for number in 0..5000 {
            put(&kit, &format!("pot-{number}"), 1).await;
        }
        kit.advance(10 * SECOND).await;
        assert!((0..5000).all(|number| cups(&kit, &format!("pot-{number}")) == 1));
    });
}

#[test]
fn a_reader_that_lagged_reads_on_and_looks_at_nothing_else() {
    let toy = Toy::new(Manner::KnowsChangesOnly);
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.advance(SECOND).await;
        let before = toy.passes("tea");
        // More than the live feed holds (4,096), and more than one piece of the history.
        for number in 0..6000 {
            put(&kit, &format!("pot-{number}"), 1).await;
        }
        kit.advance(10 * SECOND).await;
        assert!((0..6000).all(|number| cups(&kit, &format!("pot-{number}")) == 1), "a change was missed");
        assert_eq!(toy.passes("tea"), before, "nothing happened to tea");
    });
}

#[test]
fn what_was_lost_for_good_is_found_by_a_spread_look_at_all() {
    let toy = Toy::new(at_once());
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.advance(SECOND).await;
        // More commits than the history keeps (100,000): the first of them are lost.
        for number in 0..1000 {
            put(&kit, &format!("pot-{number}"), 1).await;
        }
        for _ in 0..100_000 {
            put(&kit, "tea", 1).await;
        }
        kit.advance(11 * SECOND).await;
        assert!((0..1000).all(|number| cups(&kit, &format!("pot-{number}")) == 1), "found before the round is over");
        let passes = toy.seen.passes.lock().unwrap().clone();
        let mut by_time = std::collections::BTreeMap::<_, usize>::new();
        for (at, _) in passes.iter().filter(|(_, id)| id.starts_with("pot-")) {
            *by_time.entry(*at).or_default() += 1;
        }
        assert!(*by_time.values().max().unwrap() < 100, "spread over ten seconds: {by_time:?}");
    });
}

#[test]
fn whom_a_change_wakes_is_asked_again_after_an_error() {
    let times = Arc::new(std::sync::atomic::AtomicU32::new(5));
    let toy = Toy::new(Manner::CannotJudge(times.clone()));
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        put(&kit, "tea", 2).await;
        kit.advance(10 * SECOND).await;
        assert_eq!(times.load(Ordering::Relaxed), 0);
        assert_eq!(cups(&kit, "tea"), 2);
    });
}

#[test]
fn an_old_record_that_cannot_be_read_keeps_no_change_from_being_seen() {
    let toy = Toy::new(Manner::CannotReadBefore);
    simulate(async {
        let kit = toy.platform().start().await;
        // Nothing to do yet, so that the next change is the only one that is not judged.
        put(&kit, "tea", 0).await;
        kit.advance(SECOND).await;
        put(&kit, "tea", 3).await;
        kit.advance(10 * SECOND).await;
        assert_eq!(cups(&kit, "tea"), 3);
    });
}

#[test]
fn passes_that_never_end_delay_no_other_controller() {
    let toy = Toy::new(at_once());
    simulate(async {
        let kit = toy.platform_with_stuck().start().await;
        // Far more than there are slots.
        for number in 0..500 {
            put(&kit, &format!("pot-{number}"), 1).await;
        }
        kit.advance(SECOND).await;
        assert!((0..500).all(|number| cups(&kit, &format!("pot-{number}")) == 1));
    });
}

#[test]
fn the_regular_look_at_ten_thousand_things_is_spread_over_its_minute() {
    let toy = Toy::new(at_once());
    simulate(async {
        let kit = toy.platform().start().await;
        for number in 0..10_000 {
            put(&kit, &format!("pot-{number}"), 0).await;
        }
        // The second round knows them all.
        kit.advance(60 * SECOND).await;
        toy.seen.passes.lock().unwrap().clear();
        kit.advance(60 * SECOND).await;
        let passes = std::mem::take(&mut *toy.seen.passes.lock().unwrap());
        assert_eq!(passes.len(), 10_000, "each once a minute");
        let mut by_time = std::collections::BTreeMap::<_, usize>::new();
        for (at, _) in &passes {
            *by_time.entry(*at).or_default() += 1;
        }
        assert!(*by_time.values().max().unwrap() <= 17, "10,000 / 600 ticks: {:?}", by_time.values().max());
    });
}

#[test]
fn what_is_gone_is_forgotten_and_a_stopped_runner_does_nothing() {
    let toy = Toy::new(at_once());
    simulate(async {
        let kit = toy.platform().start().await;
        put(&kit, "tea", 1).await;
        kit.advance(SECOND).await;
        assert_eq!(kit.platform().reports().len(), 1);
        let scope = kit.scope();
        kit.store()
            .write::<_, Error>(|tx| {
                tx.delete::<Pot>(&scope, "tea");
                Ok(())
            })
            .await
            .expect("written");
        kit.advance(SECOND).await;
        assert_eq!(kit.platform().reports().len(), 0);
        let platform = kit.platform().clone();
        drop(kit);
        tokio::time::sleep(SECOND).await;
        let pot = Pot { wanted: 1, cups: 0, tries: 0 };
        platform.store().write::<_, Error>(|tx| Ok(tx.put(&scope, "tea", pot.clone())?)).await.expect("written");
        tokio::time::sleep(120 * SECOND).await;
        assert_eq!(platform.store().get::<Pot>(&scope, "tea").expect("readable").expect("there").cups, 0);
    });
}

async fn filled(kit: Arc<kiln_testkit::Testkit>) -> String {
    put(&kit, "tea", 3).await;
    kit.settle().await;
    format!("tea has {} cups", cups(&kit, "tea"))
}

#[test]
fn every_step_may_run_twice_or_break_once() {
    let broken = break_each_step(|| Toy::new(at_once()).platform(), filled);
    assert_eq!(
        broken.steps,
        ["toy/fill tea: Fill { cup: 1 }", "toy/fill tea: Fill { cup: 2 }", "toy/fill tea: Fill { cup: 3 }"]
    );
    assert_eq!(broken.runs, 2 + 1 + 3 * 3);
}

#[test]
#[should_panic(expected = "tea has 4 cups")]
fn a_step_that_counts_wrong_when_run_twice_is_found() {
    break_each_step(|| Toy::new(Manner::Miscounts).platform(), filled);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = || {
        simulate(async {
            let kit = Toy::new(Manner::Fails(1)).platform().start().await;
            kit.given("an empty pot");
            put(&kit, "tea", 2).await;
            kit.settle().await;
            kit.then("it is full");
            kit.story().text()
        })
    };
    let expected = "    0.000  GIVEN an empty pot
    0.000  toy/fill tea: Fill { cup: 1 }
    0.000  toy/fill tea: FAILED";
    assert!(story().starts_with(expected), "{}", story());
    assert_eq!(story(), story());
}
