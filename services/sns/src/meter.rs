//! What is published, as AWS/SNS names it; what became of it at subscriptions is told by `kiln-delivery`, which carries it.
//! Source: Amazon SNS Developer Guide, "Monitoring Amazon SNS topics using CloudWatch".

use crate::names::TopicName;
use crate::tell::Publication;
use kiln_meters::{Meter, Reading, Tally, Tick};
use kiln_service_kit::{BoxFuture, Cx, Error, Platform, Scope, async_trait};
use std::sync::Arc;

const PUBLISHED: &str = "NumberOfMessagesPublished";
const SIZE: &str = "PublishSize";
const FILTERED: &str = "NumberOfNotificationsFilteredOut";

/// What was published and filtered out, by topic. A part that the server installs; without it nothing is counted.
#[derive(Clone, Default)]
pub struct Published(Arc<Tally<(Scope, String)>>);

/// Measures from now on.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        let Ok(published) = platform.part::<Published>() else { return Ok(()) };
        kiln_meters::start(&platform, Topics(published))
    })
}

/// These were published; so many notifications of them no subscription's filter let through.
pub fn published(cx: &Cx, name: &TopicName, publications: &[Publication], filtered: u64) {
    let Ok(Published(tally)) = cx.part::<Published>() else { return };
    let topic = (name.scope.clone(), name.name.clone());
    tally.count(&topic, PUBLISHED, 1.0, publications.len() as u64);
    publications.iter().for_each(|publication| tally.count(&topic, SIZE, publication.message.size as f64, 1));
    tally.count(&topic, FILTERED, 1.0, filtered);
}

struct Topics(Published);

#[async_trait]
impl Meter for Topics {
    fn name(&self) -> &'static str {
        "sns"
    }

    async fn read(&self, _: &Arc<Platform>, _: Tick) -> Result<Vec<Reading>, Error> {
        let Self(Published(tally)) = self;
        let reading = |((scope, topic), name, values)| {
            let unit = if name == SIZE { "Bytes" } else { "Count" };
            Reading { scope, namespace: "AWS/SNS", name, dimensions: vec![("TopicName", topic)], unit, values }
        };
        Ok(tally.take().into_iter().map(reading).collect())
    }
}
