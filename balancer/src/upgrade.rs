//! The tunnel after a protocol switch (WebSocket): bytes go both ways until one side ends. It
//! counts as a request in flight, so a draining target keeps its WebSockets until the delay is
//! over. The idle timeouts of both connections stay in force.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::target::InFlight;

pub(crate) fn tunnel(client: OnUpgrade, target: OnUpgrade, in_flight: InFlight) {
    tokio::spawn(async move {
        let (client, target) = match tokio::try_join!(client, target) {
            Ok(both) => both,
            Err(error) => {
                tracing::debug!(%error, "a protocol switch was not completed");
                return;
            }
        };
        let (mut client, mut target) = (TokioIo::new(client), TokioIo::new(target));
        if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut target).await {
            tracing::debug!(%error, "a tunnel broke");
        }
        drop(in_flight);
    });
}
