//! What fails after its first call leaves nothing behind: a thing of every resource type is made by a stack, again
//! and again, each time with another of its calls refused, and each time all that was made is gone afterwards.

use super::{Calls, World, kinds};
use crate::whole::whole;
use kiln_testkit::simulate;

#[test]
fn a_thing_of_every_type_that_fails_at_any_call_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder of the test's own");
    simulate(async {
        let mut world = World::new(folder.path()).await;
        let kinds = kinds();
        let covered = kinds.iter().map(|(kind, _)| kind);
        whole(covered, world.kit.platform().resource_types(), "types.yaml is to have one thing of every type served");
        let mut wrong = vec![];
        for (kind, body) in kinds {
            let before = world.things().await;
            let (mut last, mut good): (Vec<String>, bool) = (vec![], true);
            for number in 0.. {
                // A state that is asked for again and again is refused the first times only.
                if number > 2 && last.get(number - 2..=number).is_some_and(|asked| asked.iter().all(|a| *a == asked[0]))
                {
                    continue;
                }
                *world.calls.lock() = Calls { refused: Some(number), made: vec![] };
                world.create("s", &body).await;
                let status = world.settled("s").await;
                let made = std::mem::take(&mut *world.calls.lock()).made;
                let refused = made.get(number).cloned();
                let expected = if refused.is_some() { "ROLLBACK_COMPLETE" } else { "CREATE_COMPLETE" };
                let what = format!("{kind}: {refused:?}, call {number} of {}", made.len());
                if status != expected {
                    good = false;
                    wrong.push(format!("{what}: {status} {:#?}", world.failures("s").await));
                }
                world.delete("s").await;
                let left: Vec<String> = world.things().await.difference(&before).cloned().collect();
                if !left.is_empty() {
                    good = false;
                    wrong.push(format!("{what}: left {left:#?}"));
                }
                if refused.is_none() || !good {
                    break;
                }
                last = made;
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
