//! What became of what SNS handed over, as AWS/SNS names it. Source: Amazon SNS Developer Guide, "Monitoring Amazon SNS
//! topics using CloudWatch".

use crate::Note;
use kiln_meters::{Meter, Reading, Tally, Tick};
use kiln_service_kit::{Arn, Error, Platform, Scope, async_trait};
use std::sync::Arc;

const SNS: &str = "sns.amazonaws.com";
const DELIVERED: &str = "NumberOfNotificationsDelivered";
const FAILED: &str = "NumberOfNotificationsFailed";

/// Deliveries by the topic that told them.
#[derive(Clone, Default)]
pub struct Delivered(Arc<Tally<(Scope, String)>>);

impl Delivered {
    /// A note ended: its target has it, or it was given up.
    pub fn count(&self, scope: &Scope, note: &Note, well: bool) {
        if note.by != SNS {
            return;
        }
        if let Ok(arn) = note.source_arn.parse::<Arn>() {
            // Of a subscription the topic's name stands first.
            let topic = arn.resource().split(':').next().unwrap_or_default().to_owned();
            self.0.count(&(scope.clone(), topic), if well { DELIVERED } else { FAILED }, 1.0, 1);
        }
    }
}

#[async_trait]
impl Meter for Delivered {
    fn name(&self) -> &'static str {
        "delivery"
    }

    async fn read(&self, _: &Arc<Platform>, _: Tick) -> Result<Vec<Reading>, Error> {
        let reading = |((scope, topic), name, values)| {
            let dimensions = vec![("TopicName", topic)];
            Reading { scope, namespace: "AWS/SNS", name, dimensions, unit: "Count", values }
        };
        Ok(self.0.take().into_iter().map(reading).collect())
    }
}
