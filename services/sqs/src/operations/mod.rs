//! One file per kind of call.

pub mod attributes;
pub mod batch;
pub mod dead_letters;
pub mod delete;
pub mod move_tasks;
pub mod permissions;
pub mod purge;
pub mod queues;
pub mod receive;
pub mod send;
pub mod tags;
pub mod visibility;

use crate::errors::no_queue;
use crate::messages::Messages;
use crate::place::Found;
use crate::records::Queue;
use kiln_service_kit::{Cx, Error};

/// The messages of all queues.
pub fn messages(cx: &Cx) -> Result<Messages, Error> {
    cx.part()
}

/// Changes a queue as it is now.
pub async fn change(cx: &Cx, found: &Found, change: impl FnOnce(&mut Queue) -> Result<(), Error>) -> Result<(), Error> {
    cx.store()
        .write(|tx| {
            let kept = tx.get::<Queue>(&found.scope, &found.queue.name)?;
            // One of its name that was made since is another.
            let kept = kept.filter(|kept| kept.number == found.queue.number).ok_or_else(|| no_queue(cx))?;
            let mut queue = (*kept).clone();
            change(&mut queue)?;
            tx.put_if_changed(&found.scope, &found.queue.name, queue)?;
            Ok(())
        })
        .await
}
