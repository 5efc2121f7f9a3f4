//! What was done, why, and how it went. One that is under way is a record; when it ends it is history.

use super::Group;
use kiln_service_kit::{Cx, Entry, Error, Happening, Position, Record, Timestamp, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// While it is under way, kept under its id. Afterwards in three streams, each for one way to ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    pub id: String,
    pub group: String,
    /// The group's UUID: a later group of the same name is another one.
    pub group_uuid: String,
    pub description: String,
    pub cause: String,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub status: Status,
    pub message: Option<String>,
    pub progress: i32,
    pub zone: String,
    pub subnet: Option<String>,
}

impl Record for Activity {
    const KIND: &'static str = "autoscaling/activity";
}

/// "If you omit this property, all activities for the past six weeks are described": DescribeScalingActivities.
impl Entry for Activity {
    const KIND: &'static str = "autoscaling/activity";
    const KEPT: Duration = Duration::from_secs(6 * 7 * 24 * 3600);
}

/// The stream of all activities.
pub const ALL: &str = "all";

/// The stream of the groups of a name.
pub fn of_group(name: &str) -> String {
    format!("group {name}")
}

/// The stream of one activity.
pub fn of_id(id: &str) -> String {
    format!("id {id}")
}

impl Activity {
    /// Where it stands among others: by its start.
    pub fn position(&self) -> Position {
        Position::named(self.start, &self.id)
    }

    /// Where it stands in history, and it.
    pub fn entries(&self) -> [(String, Position, Activity); 3] {
        [ALL.to_owned(), of_group(&self.group), of_id(&self.id)].map(|stream| (stream, self.position(), self.clone()))
    }

    /// Keeps it: while it is under way as a record, as history from its end on.
    pub fn keep(self, tx: &mut Tx, cx: &Cx) -> Result<(), Error> {
        let id = self.id.clone();
        if self.end.is_none() {
            tx.put_if_changed(cx.scope(), &id, self)?;
            return Ok(());
        }
        tx.delete::<Activity>(cx.scope(), &id);
        ended(tx, cx, &self)?;
        for (stream, position, activity) in self.entries() {
            cx.history().note_at(tx, cx.scope(), &stream, &position, &activity)?;
        }
        Ok(())
    }

    /// Ends it.
    pub fn finish(&mut self, status: Status, message: Option<String>, at: Timestamp) {
        self.status = status;
        self.message = message;
        self.progress = 100;
        self.end = Some(at);
    }

    /// AWS's `Details`: a JSON text.
    pub fn details(&self) -> String {
        self.where_it_is().to_string()
    }

    fn where_it_is(&self) -> Json {
        let mut details = serde_json::Map::new();
        if let Some(subnet) = &self.subnet {
            details.insert("Subnet ID".into(), subnet.as_str().into());
        }
        details.insert("Availability Zone".into(), self.zone.as_str().into());
        Json::Object(details)
    }
}

/// AWS's status codes that Kiln reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    WaitingForInstanceId,
    PreInService,
    InProgress,
    MidLifecycleAction,
    WaitingForElbConnectionDraining,
    Successful,
    Failed,
    Cancelled,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::WaitingForInstanceId => "WaitingForInstanceId",
            Self::PreInService => "PreInService",
            Self::InProgress => "InProgress",
            Self::MidLifecycleAction => "MidLifecycleAction",
            Self::WaitingForElbConnectionDraining => "WaitingForELBConnectionDraining",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// What events about groups come from.
pub const EVENT_SOURCE: &str = "aws.autoscaling";

/// Says how a launch or a termination ended, in the transaction that ends it. Source: Amazon EC2 Auto Scaling
/// User Guide, "Amazon EC2 Auto Scaling event reference".
fn ended(tx: &mut Tx, cx: &Cx, activity: &Activity) -> Result<(), Error> {
    let launches = activity.description.starts_with("Launching ");
    if !launches && !activity.description.starts_with("Terminating ") {
        return Ok(());
    }
    let succeeded = activity.status == Status::Successful;
    let detail_type = match (launches, succeeded) {
        (true, true) => "EC2 Instance Launch Successful",
        (true, false) => "EC2 Instance Launch Unsuccessful",
        (false, true) => "EC2 Instance Terminate Successful",
        (false, false) => "EC2 Instance Terminate Unsuccessful",
    };
    let group = tx.get::<Group>(cx.scope(), &activity.group)?;
    cx.emit(tx, EVENT_SOURCE, detail_type, || {
        let instance = instance(&activity.description);
        let mut resources: Vec<String> = group.iter().map(|group| group.arn(cx.region(), cx.account())).collect();
        resources.extend(instance.map(|id| cx.arn("ec2", &format!("instance/{id}"))));
        let (origin, destination) = if launches { ("EC2", "AutoScalingGroup") } else { ("AutoScalingGroup", "EC2") };
        Happening {
            resources,
            detail: json!({
                "StatusCode": if succeeded { "InProgress" } else { "Failed" },
                "Description": activity.description,
                "AutoScalingGroupName": activity.group,
                "ActivityId": activity.id,
                "RequestId": activity.id,
                "Details": activity.where_it_is(),
                "StatusMessage": activity.message.as_deref().unwrap_or(""),
                "StartTime": activity.start.iso8601_millis(),
                "EndTime": activity.end.map(|end| end.iso8601_millis()),
                "EC2InstanceId": instance.unwrap_or(""),
                "Cause": activity.cause,
                "Origin": origin,
                "Destination": destination,
            }),
        }
    })
}

/// The instance that an activity's description names.
fn instance(description: &str) -> Option<&str> {
    let at = description.find("i-").filter(|at| description[..*at].ends_with(": "))?;
    let rest = &description[at..];
    Some(&rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len())])
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_activity_names_its_instance() {
        for (description, id) in [
            ("Launching a new EC2 instance: i-0abc", Some("i-0abc")),
            ("Launching a new EC2 instance: i-0abc.  Status Reason: it is gone: i-1", Some("i-0abc")),
            ("Launching a new EC2 instance.  Status Reason: no room", None),
            ("Terminating EC2 instance: i-1", Some("i-1")),
        ] {
            assert_eq!(super::instance(description), id, "{description}");
        }
    }
}
