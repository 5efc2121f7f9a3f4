//! What alarms set in motion. Which kinds can be carried out is said when the alarm is made; others are refused by name.

use super::message::message;
use crate::errors::validation;
use crate::records::{Action, Alarm, StateValue, What};
use kiln_delivery::{Address, Note, Parcel, Policy, can_carry, deliver_if_it_fits};
use kiln_service_kit::{Arn, Cx, Error, Tx};

/// Kiln's name for who acts.
pub const PRINCIPAL: &str = "cloudwatch.amazonaws.com";

/// What is done to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ec2Action {
    Stop,
    Terminate,
    Reboot,
}

enum Kind {
    Topic(Address),
    Ec2,
}

/// The action of `arn:aws:automate:region:ec2:stop`; none where it is not built.
pub fn ec2(arn: &str) -> Option<Ec2Action> {
    match arn.rsplit_once(":ec2:")?.1 {
        "stop" => Some(Ec2Action::Stop),
        "terminate" => Some(Ec2Action::Terminate),
        "reboot" => Some(Ec2Action::Reboot),
        _ => None,
    }
}

fn kind(arn: &str) -> Result<Kind, Error> {
    if arn.starts_with("arn:") && arn.split(':').nth(2) == Some("automate") {
        let known = ec2(arn).map(|_| Kind::Ec2);
        return known.ok_or_else(|| Error::not_built(format!("the alarm action {arn}")));
    }
    let parsed: Result<Arn, _> = arn.parse();
    if parsed.is_err() {
        return Err(validation(format!("Invalid arn syntax: {arn}")));
    }
    match can_carry(arn)? {
        topic @ Address::Topic(_) => Ok(Kind::Topic(topic)),
        _ => Err(Error::not_built(format!("the alarm action {arn}"))),
    }
}

/// Refuses what cannot be carried out.
pub fn check(alarm: &Alarm) -> Result<(), Error> {
    for arn in alarm.ok_actions.iter().chain(&alarm.alarm_actions).chain(&alarm.insufficient_data_actions) {
        if let Kind::Ec2 = kind(arn)? {
            if alarm.is_composite() {
                return Err(validation(format!("Composite alarms do not support the action {arn}.")));
            }
            if instances(alarm).is_empty() {
                return Err(validation("EC2 actions need an alarm on a metric with the dimension InstanceId."));
            }
        }
    }
    Ok(())
}

/// The instances that an alarm's metric is of.
fn instances(alarm: &Alarm) -> Vec<String> {
    let What::Metric(of) = &alarm.what else { return vec![] };
    let dimensions = of.metric.iter().flat_map(|metric| &metric.dimensions);
    dimensions.filter(|(name, _)| name == "InstanceId").map(|(_, id)| id.clone()).collect()
}

/// Notes what the state that an alarm is in now sets in motion; history says what was.
pub fn note(tx: &mut Tx<'_>, cx: &Cx, alarm: &Alarm, before: StateValue) -> Result<(), Error> {
    if !alarm.actions_enabled {
        return Ok(());
    }
    let (subject, text) = message(cx, alarm, before);
    for (n, arn) in alarm.actions(alarm.state.value).iter().enumerate() {
        match kind(arn)? {
            Kind::Topic(to) => {
                let parcel = Parcel { subject: Some(subject.clone()), ..Parcel::of(text.clone()) };
                let note = Note {
                    to,
                    by: PRINCIPAL.to_owned(),
                    source_arn: alarm.arn(cx),
                    parcel,
                    policy: Policy::INSIDE,
                    dead_letter: None,
                };
                let refused = deliver_if_it_fits(tx, cx.scope(), note)?;
                super::told::acted(tx, cx, alarm, arn, refused.as_ref().map(|error| &*error.message))?;
            }
            Kind::Ec2 => {
                let (sequence, number) = tx.place();
                let action = Action {
                    alarm: alarm.name.clone(),
                    alarm_type: alarm.kind().to_owned(),
                    arn: arn.clone(),
                    instances: instances(alarm),
                    noted: tx.now(),
                    tries: 0,
                    due: tx.now(),
                    failed: None,
                };
                tx.put(cx.scope(), &format!("{sequence:016x}{number:08x}{n}"), action)?;
            }
        }
    }
    Ok(())
}
