//! Events from inside: this service is who listens to what others `emit`.

use crate::calls;
use crate::event::Event;
use crate::names::{BusName, DEFAULT};
use crate::rules::{Held, could_want};
use crate::tell::Told;
use kiln_delivery::deliver_if_it_fits;
use kiln_service_kit::{BoxFuture, Error, Events, Platform, Scope, ToldEvent, Tx};
use std::sync::Arc;

/// Installs the listener, for `Service::start`.
pub fn start(platform: Arc<Platform>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        Held::of(&platform);
        calls::listen(&platform);
        Ok(())
    })
}

impl Events for Held {
    fn could_want(&self, tx: &Tx<'_>, scope: &Scope, source: &str, detail_type: &str) -> Result<bool, Error> {
        let known =
            [("source", source), ("detail-type", detail_type), ("account", &scope.account), ("region", &scope.region)];
        could_want(self, tx, scope, &known)
    }

    fn tell(&self, tx: &mut Tx<'_>, scope: &Scope, event: ToldEvent<'_>) -> Result<(), Error> {
        let Some(cx) = &self.context(scope) else { return Ok(()) };
        let event = Event {
            id: cx.ids().uuid(),
            source: event.source.to_owned(),
            detail_type: event.detail_type.to_owned(),
            account: cx.account().to_owned(),
            region: cx.region().to_owned(),
            time: event.at,
            resources: event.happening.resources,
            detail_text: event.happening.detail.to_string(),
            detail: event.happening.detail,
        };
        let bus = BusName::own(cx, DEFAULT);
        let mut told = Told::default();
        told.event(cx, self, tx, &bus, &event, &event.json())?;
        tell_what_fits(tx, told)
    }
}

/// Notes what is told of what happened anyway: a target that takes nothing more is not told, and does not hold it up.
pub fn tell_what_fits(tx: &mut Tx<'_>, told: Told) -> Result<(), Error> {
    for (scope, note) in told.notes {
        deliver_if_it_fits(tx, &scope, note)?;
    }
    Ok(())
}
