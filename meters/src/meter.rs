//! Looks at meters at every full ten seconds, and hands what they read to the points.

use crate::Reading;
use async_trait::async_trait;
use kiln_points::{Points, Sample};
use kiln_service_kit::{Error, Platform, Timestamp};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Between two looks. Six make a minute.
pub const TICK: Duration = Duration::from_secs(10);
/// Readings that wait for a disk that takes none: some minutes of a busy host.
const MOST_WAITING: usize = 50_000;

/// Something that measures.
#[async_trait]
pub trait Meter: Send + Sync + 'static {
    /// The service, for the log.
    fn name(&self) -> &'static str;
    /// What came since the last look, and how things stand. What cannot be read is left out; an error is for what
    /// keeps everything from being read.
    async fn read(&self, platform: &Arc<Platform>, tick: Tick) -> Result<Vec<Reading>, Error>;
}

/// A look: the ten seconds before it are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The end of what is meant: a full ten seconds.
    pub at: Timestamp,
}

impl Tick {
    /// The next look after a time.
    pub(crate) fn after(now: Timestamp) -> Self {
        let step = TICK.as_millis() as i64;
        Self { at: Timestamp::from_millis((now.millis().div_euclid(step) + 1) * step) }
    }

    /// The last look before a time, or at it.
    pub(crate) fn last(now: Timestamp) -> Self {
        Self { at: Timestamp::from_millis(now.millis() - now.millis().rem_euclid(TICK.as_millis() as i64)) }
    }

    /// Whether it ends so many minutes: things that stand are told once for each.
    pub fn ends(&self, minutes: i64) -> bool {
        self.at.millis().rem_euclid(minutes * 60_000) == 0
    }

    /// The time that readings get: within what is meant.
    pub(crate) fn of_readings(&self) -> Timestamp {
        Timestamp::from_millis(self.at.millis() - 1000)
    }
}

/// Looks at a meter from now on, as long as there is the platform.
pub fn start(platform: &Arc<Platform>, meter: impl Meter) -> Result<(), Error> {
    // A platform without this part keeps no metrics: one of a few services, in their tests.
    let Ok(points) = platform.part::<Points>() else { return Ok(()) };
    let clock = platform.clock().clone();
    let platform = Arc::downgrade(platform);
    tokio::spawn(async move {
        let mut waiting = Waiting { samples: vec![], points };
        loop {
            let tick = Tick::after(clock.now());
            clock.sleep_until(tick.at).await;
            // A host that slept wakes late: what was counted meanwhile belongs to the end of it.
            let tick = Tick::last(clock.now());
            if !look(&platform, &meter, tick, &mut waiting).await {
                return;
            }
        }
    });
    Ok(())
}

/// What is to be kept yet.
struct Waiting {
    samples: Vec<Sample>,
    points: Points,
}

async fn look(platform: &Weak<Platform>, meter: &impl Meter, tick: Tick, waiting: &mut Waiting) -> bool {
    let Some(platform) = platform.upgrade() else { return false };
    match meter.read(&platform, tick).await {
        Ok(readings) => {
            waiting.samples.extend(readings.into_iter().filter_map(|reading| reading.sample(tick.of_readings())));
        }
        Err(error) => tracing::warn!(meter = meter.name(), error = error.chain(), "a meter cannot be read"),
    }
    waiting.hand_over(meter.name()).await;
    true
}

impl Waiting {
    async fn hand_over(&mut self, meter: &str) {
        if self.samples.is_empty() {
            return;
        }
        match self.points.put(self.samples.clone()).await {
            Ok(()) => self.samples.clear(),
            Err(error) => {
                let lost = self.samples.len().saturating_sub(MOST_WAITING);
                self.samples.drain(..lost);
                let error = &error as &dyn std::error::Error;
                tracing::warn!(meter, error, waiting = self.samples.len(), lost, "what was measured is not kept yet");
            }
        }
    }
}
