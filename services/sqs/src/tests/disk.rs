//! Messages on a disk, and what a start makes of them.

use super::*;
use crate::messages::{Handle, Kept, NewMessage, Receive, Sending};
use std::path::Path;

fn open(dir: &Path) -> Messages {
    let root = kiln_sealing::RootKey::new(&IdSource::seeded(1));
    Messages::open(dir, &Clock::system(), &root).expect("opened")
}

fn now() -> i64 {
    Clock::system().now().millis()
}

fn new(body: &str, group: Option<&str>, same: Option<&str>) -> NewMessage {
    let kept = Kept {
        id: body.to_owned(),
        body: body.to_owned(),
        md5: String::new(),
        attributes: Default::default(),
        sender: String::new(),
        trace: None,
        group: group.map(str::to_owned),
        deduplication: None,
        sealed: true,
    };
    NewMessage { kept, delay: 0, same: same.map(|same| same.as_bytes().to_vec()) }
}

async fn put(messages: &Messages, queue: i64, message: NewMessage) -> i64 {
    let sending = Sending { queue, now: now(), messages: vec![message] };
    messages.run(move |table| table.send(sending)).await.expect("sent").expect("a queue")[0].seq
}

fn receive(queue: i64, fifo: bool) -> Receive {
    let fifo = fifo.then_some(0);
    Receive { queue, now: now(), visibility: 30_000, tokens: vec![1, 2, 3], fifo, attempt: None, dead: None }
}

async fn got(messages: &Messages, queue: i64, fifo: bool) -> Vec<crate::messages::Got> {
    messages.run(move |table| table.receive(&receive(queue, fifo))).await.expect("received").messages
}

#[tokio::test]
async fn what_was_done_is_done_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let messages = open(dir.path());
    for queue in [1, 2] {
        messages.run(move |table| table.put_queue(queue, 60_000)).await.expect("made");
    }
    let first = put(&messages, 1, new("a", None, None)).await;
    put(&messages, 1, new("b", None, None)).await;
    put(&messages, 2, new("x", Some("g"), Some("x"))).await;
    let taken = got(&messages, 1, false).await;
    assert_eq!(taken.len(), 2);
    let delete = |got: &crate::messages::Got| Handle { queue: 1, seq: got.seq, token: got.token };
    let handle = delete(&taken[0]);
    messages.run(move |table| table.delete(handle, false, now())).await.expect("deleted");
    drop(messages);

    let messages = open(dir.path());
    assert!(got(&messages, 1, false).await.is_empty(), "one is deleted, the other in flight still");
    let handle = delete(&taken[1]);
    messages.run(move |table| table.delete(handle, false, now())).await.expect("deleted");
    let counts = messages.run(|table| table.counts(1, now(), None)).await.expect("counted").expect("a queue");
    assert_eq!(counts, Default::default(), "by the handle of before");
    let again = put(&messages, 2, new("x", Some("g"), Some("x"))).await;
    let later = put(&messages, 2, new("y", Some("g"), Some("y"))).await;
    assert!(first < again && again < later, "what is gone keeps its number");
    let bodies: Vec<_> = got(&messages, 2, true).await.into_iter().map(|got| got.kept.body).collect();
    assert_eq!(bodies, ["x", "y"], "sent before, and once");
    drop(messages);

    let messages = open(dir.path());
    assert!(got(&messages, 2, true).await.is_empty(), "the group is in flight still");
    // A kiln whose records know another queue only.
    let tidied = messages.run(|table| table.agree(&[(3, 60_000)])).await.expect("tidied");
    assert_eq!(tidied.forgotten, [1, 2]);
    for queue in tidied.forgotten {
        crate::operations::queues::remove_messages(&messages, queue).await.expect("removed");
    }
    let copy = dir.path().join("copy");
    messages.copy_to(&copy.join(Messages::FOLDER)).expect("copied");
    for messages in [messages, open(&copy)] {
        let gone = messages.run(|table| table.receive(&receive(2, true))).await.expect("asked").gone;
        assert!(gone);
        put(&messages, 3, new("z", None, None)).await;
        assert_eq!(got(&messages, 3, false).await.len(), 1);
        assert_eq!(messages.run(|table| table.agree(&[(3, 60_000)])).await.expect("tidied").forgotten, [0; 0]);
    }
}
