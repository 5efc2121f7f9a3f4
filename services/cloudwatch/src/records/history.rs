//! What became of an alarm: noted in the transaction that made it true, under its name, its type and among all,
//! since all three are asked for.

use kiln_service_kit::{Cx, Entry, Error, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long it is told. Source: the user guide, "Alarm history": 30 days.
const HISTORY_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// One item of an alarm's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    pub alarm: String,
    pub alarm_type: String,
    pub at: Timestamp,
    /// `ConfigurationUpdate`, `StateUpdate`, `Action`
    pub item: String,
    pub summary: String,
    pub data: String,
}

impl Entry for Happened {
    const KIND: &'static str = "cloudwatch/history";
    const KEPT: Duration = HISTORY_KEPT;
}

impl Happened {
    /// The stream of an alarm.
    pub fn of_alarm(name: &str) -> String {
        format!("alarm/{name}")
    }

    /// The stream of all alarms of a type.
    pub fn of_type(kind: &str) -> String {
        format!("type/{kind}")
    }

    /// The stream of all alarms.
    pub fn of_all() -> String {
        "all".to_owned()
    }

    pub fn note(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<(), Error> {
        for stream in [Self::of_alarm(&self.alarm), Self::of_type(&self.alarm_type), Self::of_all()] {
            cx.history().note(tx, cx.scope(), &stream, self)?;
        }
        Ok(())
    }
}
