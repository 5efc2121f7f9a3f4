//! What a transaction sees, writes, and leaves behind; the feed's order; sharing an `fsync`.

use super::*;
use crate::{Before, Op};
use std::sync::Arc;

fn names(list: Vec<(Arc<str>, Arc<Machine>)>) -> Vec<String> {
    list.into_iter().map(|(id, machine)| format!("{id}={}", machine.name)).collect()
}

#[tokio::test]
async fn a_transaction_sees_its_own_writes_and_others_see_all_or_nothing() {
    for (store, _dir) in both() {
        put(&store, "i-1", machine("one")).await.unwrap();
        put(&store, "i-2", machine("two")).await.unwrap();
        let elsewhere = Scope::new("111111111111", "eu-central-1");

        let seen = store
            .write(|tx| {
                tx.put(&home(), "i-3", machine("three"))?;
                tx.put(&elsewhere, "i-9", machine("nine"))?;
                assert!(tx.delete::<Machine>(&home(), "i-1"));
                assert!(!tx.delete::<Machine>(&home(), "i-1"), "it is gone already");
                assert_eq!(tx.get::<Machine>(&home(), "i-1")?, None);
                assert_eq!(tx.list_everywhere::<Machine>()?.len(), 3);
                assert_eq!(names(store.list(&home())?), ["i-1=one", "i-2=two"], "not yet outside");
                tx.list::<Machine>(&home())
            })
            .await
            .unwrap();
        assert_eq!(names(seen), ["i-2=two", "i-3=three"]);
        assert_eq!(names(store.list(&home()).unwrap()), ["i-2=two", "i-3=three"]);
        let everywhere = store.list_everywhere::<Machine>().unwrap();
        let everywhere: Vec<_> = everywhere.iter().map(|(s, id, _)| format!("{s}/{id}")).collect();
        assert_eq!(
            everywhere,
            ["000000000000/eu-central-1/i-2", "000000000000/eu-central-1/i-3", "111111111111/eu-central-1/i-9"]
        );
    }
}

#[tokio::test]
async fn an_error_writes_nothing() {
    #[derive(Debug)]
    enum Refused {
        ByStore(String),
        ByRule,
    }
    impl From<StoreError> for Refused {
        fn from(e: StoreError) -> Refused {
            Refused::ByStore(e.to_string())
        }
    }
    for (store, _dir) in both() {
        let refused = store
            .write::<(), Refused>(|tx| {
                tx.put(&home(), "i-1", machine("one"))?;
                Err(Refused::ByRule)
            })
            .await
            .unwrap_err();
        match refused {
            Refused::ByRule => {}
            Refused::ByStore(told) => panic!("{told}"),
        }
        assert_eq!(store.get::<Machine>(&home(), "i-1").unwrap(), None);
        assert_eq!(store.sequence(), 0);
    }
}

#[tokio::test]
async fn the_feed_tells_every_change_once_in_order() {
    for (store, dir) in both() {
        let mut feed = store.feed();
        put(&store, "i-1", machine("one")).await.unwrap();
        store
            .write::<_, StoreError>(|tx| {
                tx.put(&home(), "z", Counter(1))?;
                tx.put(&home(), "a", machine("a"))?;
                tx.put(&home(), "z", Counter(2))?;
                tx.put(&home(), "made-and-deleted", Counter(3))?;
                tx.delete::<Counter>(&home(), "made-and-deleted");
                tx.delete::<Machine>(&home(), "i-1");
                Ok(())
            })
            .await
            .unwrap();
        // Neither an equal record nor a transaction that only reads is a change.
        let mut tagged = machine("a");
        assert!(!store.write(|tx| tx.put_if_changed(&home(), "a", tagged.clone())).await.unwrap());
        store.write(|tx| tx.get::<Machine>(&home(), "a")).await.unwrap();
        for n in 0..20 {
            tagged.tags.insert(format!("key{n}"), "value".to_owned());
        }
        assert!(store.write(|tx| tx.put_if_changed(&home(), "a", tagged.clone())).await.unwrap());
        // Built anew, the map's order differs; its meaning does not.
        let rebuilt = Machine { tags: tagged.tags.clone().into_iter().collect(), ..tagged };
        assert!(!store.write(|tx| tx.put_if_changed(&home(), "a", rebuilt)).await.unwrap());

        let mut story = Vec::new();
        while let Ok(commit) = feed.try_recv() {
            for change in &commit.changes {
                assert_eq!(change.scope, home());
                let (kind, id) = (&change.kind, &change.id);
                story.push(format!("{} {:?} {kind} {id}", commit.sequence, change.op));
            }
        }
        let expected = [
            "1 Put test/machine i-1",
            "2 Put test/counter z",
            "2 Put test/machine a",
            "2 Delete test/machine i-1",
            "3 Put test/machine a",
        ];
        assert_eq!(story, expected);

        // The same is kept, and can be read from any point.
        let kept = store.changes_since(1).unwrap();
        assert_eq!(kept.iter().map(|c| c.sequence).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(kept[0].changes[2].op, Op::Delete);
        assert!(kept[0].changes[0].is::<Counter>());
        assert!(store.changes_since(3).unwrap().is_empty());
        assert_eq!(store.sequence(), 3);
        drop(store);
        if let Some(dir) = dir {
            let again = open(dir.path());
            assert_eq!(again.changes_since(1).unwrap(), kept);
            put(&again, "i-4", machine("four")).await.unwrap();
            assert_eq!(again.sequence(), 4, "numbers go on after a restart");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_wait_together_share_a_commit_and_lose_no_update() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut feed = store.feed();
    let writers: Vec<_> = (0..32)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let written = store
                        .write::<_, StoreError>(|tx| {
                            let n = tx.get::<Counter>(&home(), "n")?.map_or(0, |n| n.0) + 1;
                            tx.put(&home(), "n", Counter(n))?;
                            Ok(n)
                        })
                        .await
                        .unwrap();
                    // What was answered can be read, by anybody.
                    let read = store.get::<Counter>(&home(), "n").unwrap().unwrap().0;
                    assert!(read >= written, "{written} was answered, {read} is read");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(*store.get::<Counter>(&home(), "n").unwrap().unwrap(), Counter(800));
    let figures = store.figures();
    assert_eq!(figures.transactions, 800);
    assert!(figures.disk_commits < 400, "no sharing: {figures:?}");
    for sequence in 1..=800 {
        assert_eq!(feed.try_recv().unwrap().sequence, sequence);
    }
    drop(store);
    assert_eq!(*open(dir.path()).get::<Counter>(&home(), "n").unwrap().unwrap(), Counter(800));
}

#[tokio::test]
async fn an_answer_that_rests_on_a_queued_write_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, log) = open_with_log(dir.path());
    // The disk is busy: the first write stays queued, the second only reads it.
    let busy = log.conn.lock();
    let mut first = Box::pin(put(&store, "i-1", machine("one")));
    assert!(poll_once(&mut first).is_none());
    let mut second = Box::pin(store.write::<_, StoreError>(|tx| Ok(tx.get::<Machine>(&home(), "i-1")?.is_some())));
    assert!(poll_once(&mut second).is_none(), "told what is not durable yet");
    let mut apart = Box::pin(store.write::<_, StoreError>(|tx| Ok(tx.get::<Machine>(&home(), "i-2")?.is_some())));
    let told = poll_once(&mut apart).expect("what reads nothing queued need not wait");
    assert!(!told.unwrap());
    assert_eq!(store.get::<Machine>(&home(), "i-1").unwrap(), None, "readers see durable only");
    drop(busy);
    first.await.unwrap();
    assert!(second.await.unwrap());
    assert_eq!(store.figures().disk_commits, 1);
}

#[tokio::test]
async fn a_simulation_keeps_what_would_survive_a_restart() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Forgetful {
        #[serde(skip)]
        lost: u32,
    }
    impl Record for Forgetful {
        const KIND: &'static str = "test/forgetful";
    }
    let store = simulated();
    store.write(|tx| tx.put(&home(), "f", Forgetful { lost: 7 })).await.unwrap();
    assert_eq!(store.get::<Forgetful>(&home(), "f").unwrap().unwrap().lost, 0);
}

#[tokio::test]
async fn a_function_that_panics_writes_nothing_and_the_next_one_works() {
    let store = simulated();
    let task = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write::<(), StoreError>(|tx| {
                    tx.put(&home(), "i-1", machine("one"))?;
                    panic!("a bug in an operation")
                })
                .await
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(store.get::<Machine>(&home(), "i-1").unwrap(), None);
    put(&store, "i-1", machine("one")).await.unwrap();
}

#[tokio::test]
async fn a_change_tells_what_was_there_before_and_the_history_does_not() {
    for (store, _dir) in both() {
        let mut feed = store.feed();
        put(&store, "i-1", machine("one")).await.unwrap();
        store
            .write::<_, StoreError>(|tx| {
                tx.put(&home(), "i-1", machine("never seen"))?;
                tx.put(&home(), "i-1", machine("two"))
            })
            .await
            .unwrap();
        store.write::<_, StoreError>(|tx| Ok(tx.delete::<Machine>(&home(), "i-1"))).await.unwrap();
        let mut told = vec![];
        for _ in 0..3 {
            told.push(feed.recv().await.unwrap().changes[0].before::<Machine>().unwrap());
        }
        let was = |name: &str| Before::Was(Arc::new(machine(name)));
        assert_eq!(told, [Before::Nothing, was("one"), was("two")]);
        let kept = store.changes_since(0).unwrap();
        assert!(kept.iter().all(|commit| commit.changes[0].before::<Machine>().unwrap() == Before::Untold));
        let some = store.changes_after(1, 1).unwrap();
        assert_eq!(some.iter().map(|commit| commit.sequence).collect::<Vec<_>>(), [2], "piece by piece");
    }
}

#[tokio::test]
async fn a_copy_is_a_database_of_its_own_with_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..20 {
        put(&store, &format!("i-{n:02}"), machine("before")).await.unwrap();
    }
    let place = dir.path().join("copy");
    let copy = file(&place);
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    store.copy_to(&copy).unwrap();
    put(&store, "i-00", machine("after")).await.unwrap();
    put(&store, "i-20", machine("after")).await.unwrap();
    let ids = Store::ids_in_copy::<Machine>(&copy).unwrap();
    assert_eq!(ids, (0..20).map(|n| format!("i-{n:02}")).collect());
    assert_eq!(std::fs::read_dir(copy.parent().unwrap()).unwrap().count(), 1, "nothing beside it");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&copy).unwrap()) & 0o777, 0o600);
    let copied = open(&place);
    assert_eq!(copied.sequence(), 20);
    assert_eq!(copied.list::<Machine>(&home()).unwrap().len(), 20);
    assert_eq!(copied.get::<Machine>(&home(), "i-00").unwrap().unwrap().name, "before");
    assert_eq!(copied.changes_since(15).unwrap().len(), 5, "the feed's past, too");
    put(&copied, "i-99", machine("its own")).await.unwrap();
    assert_eq!(store.get::<Machine>(&home(), "i-99").unwrap(), None);
    assert!(Store::in_memory(Clock::system()).copy_to(&copy).is_err());
}

#[tokio::test]
async fn a_copy_that_is_not_finished_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "i-1", machine("one")).await.unwrap();
    let copy = dir.path().join("copy.db");
    let other = rusqlite::Connection::open(&copy).unwrap();
    other.execute_batch("CREATE TABLE other (n); BEGIN EXCLUSIVE").unwrap();
    let told = store.copy_to(&copy).unwrap_err();
    assert!(matches!(told, StoreError::InUse { .. }), "{told:?}");
    drop(other);
    store.copy_to(&copy).unwrap();
    assert_eq!(Store::ids_in_copy::<Machine>(&copy).unwrap(), ["i-1".to_owned()].into());
}

#[tokio::test]
async fn what_is_read_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..3 {
        put(&store, &format!("i-{n}"), machine("one")).await.unwrap();
    }
    let read = |before: u64| store.figures().records_read - before;
    let before = store.figures().records_read;
    store.get::<Machine>(&home(), "i-0").unwrap();
    store.get::<Machine>(&home(), "nobody").unwrap();
    assert_eq!(read(before), 1);
    store.list::<Machine>(&home()).unwrap();
    store.list_everywhere::<Machine>().unwrap();
    assert_eq!(read(before), 7);
    store.write(|tx| tx.list::<Machine>(&home()).map(|_| ())).await.unwrap();
    assert_eq!(read(before), 10);
    let counts: Vec<(String, usize)> = store.record_counts().into_iter().map(|(k, n)| (k.to_string(), n)).collect();
    assert_eq!(counts, [(Machine::KIND.to_owned(), 3)]);
    assert_eq!(store.stopped().map(|error| error.to_string()), None);
    assert!(store.figures().disk_time > std::time::Duration::ZERO);
}
