//! A target group at work: who its targets are, and who may get the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::choose::SmoothRotation;
use crate::config::Algorithm;
use crate::counters::Counters;
use crate::dial::Dialer;
use crate::health::{HealthChange, HealthState, Reason, TargetHealth};
use crate::settings::Settings;
use crate::sticky;
use crate::tally::SentByZone;
use crate::target::{InFlight, Target};

pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) load_balancer: String,
    pub(crate) counters: Counters,
    pub(crate) sent: SentByZone,
    settings: RwLock<Arc<Settings>>,
    targets: Mutex<Vec<Arc<Target>>>,
    eligible: RwLock<Arc<Vec<Arc<Target>>>>,
    cursor: AtomicUsize,
    rotation: Mutex<SmoothRotation>,
    events: broadcast::Sender<HealthChange>,
    dialer: Arc<dyn Dialer>,
    workers: usize,
}

impl Group {
    pub(crate) fn new(
        load_balancer: &str,
        settings: Settings,
        events: broadcast::Sender<HealthChange>,
        dialer: Arc<dyn Dialer>,
        workers: usize,
    ) -> Arc<Self> {
        Arc::new(Group {
            id: settings.config.id.clone(),
            load_balancer: load_balancer.to_owned(),
            counters: Counters::default(),
            sent: SentByZone::new(workers),
            settings: RwLock::new(Arc::new(settings)),
            targets: Mutex::default(),
            eligible: RwLock::default(),
            cursor: AtomicUsize::new(0),
            rotation: Mutex::default(),
            events,
            dialer,
            workers,
        })
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    pub(crate) fn dialer(&self) -> &Arc<dyn Dialer> {
        &self.dialer
    }

    pub(crate) fn targets(&self) -> Vec<Arc<Target>> {
        self.targets.lock().clone()
    }

    /// Makes the group what `settings` says. Its targets that are new: each needs somebody who watches it.
    #[must_use]
    pub(crate) fn configure(&self, settings: Settings) -> Vec<Arc<Target>> {
        let settings = Arc::new(settings);
        let config = &settings.config;
        let now = Instant::now();
        let mut started = Vec::new();
        {
            let mut targets = self.targets.lock();
            for wanted in &config.targets {
                let known = targets.iter().find(|t| t.is(wanted)).cloned();
                let target = match known {
                    Some(target) => target,
                    None => {
                        let token =
                            sticky::token(&[&self.load_balancer, &self.id, &wanted.id, &wanted.port.to_string()]);
                        let target = Arc::new(Target::new(wanted, token, self.workers, now));
                        targets.push(target.clone());
                        started.push(target.clone());
                        target
                    }
                };
                target.set_unused(if !settings.in_use {
                    Some(Reason::NotInUse)
                } else if !settings.zone_enabled(&wanted.zone) {
                    Some(Reason::ZoneNotEnabled)
                } else {
                    None
                });
                if wanted.draining {
                    target.start_drain(config.deregistration_delay);
                } else {
                    target.stop_drain();
                }
            }
            for target in targets.iter() {
                if !config.targets.iter().any(|wanted| target.is(wanted)) {
                    target.start_drain(config.deregistration_delay);
                }
            }
            let before = std::mem::replace(&mut *self.settings.write(), settings.clone());
            if before.idle != settings.idle {
                // A kept connection has the idle timeout it was made with.
                targets.iter().for_each(|target| target.drop_kept(Duration::ZERO));
            }
        }
        self.refresh();
        started
    }

    /// Looks again at who may get requests, tells subscribers what changed, and forgets targets
    /// that have left.
    pub(crate) fn refresh(&self) {
        let mut targets = self.targets.lock();
        for target in targets.iter() {
            if let Some((from, to)) = target.take_change() {
                tracing::info!(
                    target_group = %self.id, target = %target.id, port = target.port,
                    from = %from.state, to = %to.state,
                    reason = to.reason.as_ref().map(Reason::code), "target health changed"
                );
                // An error only means that nobody listens.
                let _ = self.events.send(HealthChange {
                    load_balancer: self.load_balancer.clone(),
                    target_group: self.id.clone(),
                    target: target.id.clone(),
                    port: target.port,
                    from,
                    to,
                });
            }
        }
        let settings = self.settings();
        targets.retain(|t| {
            let stays = !t.is_drained() || settings.config.targets.iter().any(|wanted| t.is(wanted));
            if !stays {
                t.leave();
            }
            stays
        });
        let with = |state| {
            let with: Vec<_> = targets.iter().filter(|t| t.health().state == state).cloned().collect();
            with
        };
        let healthy = with(HealthState::Healthy);
        let (ill, new) = (with(HealthState::Unhealthy), with(HealthState::Initial));
        let all = healthy.len() + ill.len() + new.len();
        let mut eligible = healthy;
        if settings.config.healthy_at_least.is_more_than(eligible.len(), all) {
            // Fail open: better a target that looks ill than no answer at all, or too many for the rest.
            eligible.extend(ill);
            eligible.extend(new);
        }
        *self.eligible.write() = Arc::new(eligible);
    }

    pub(crate) fn describe(&self) -> Vec<TargetHealth> {
        let settings = self.settings();
        self.targets.lock().iter().map(|t| t.describe(&settings.config.health_check)).collect()
    }

    /// Chooses the target of a request: the sticky one if it is eligible, else by the group's
    /// algorithm; never one of `tried`.
    pub(crate) fn pick(&self, sticky: Option<&str>, tried: &[Arc<Target>]) -> Option<InFlight> {
        let eligible = self.eligible.read().clone();
        if let Some(token) = sticky
            && let Some(target) = eligible.iter().find(|t| t.token == token)
            && !is_in(target, tried)
            && let Some(entered) = target.enter()
        {
            return Some(entered);
        }
        let count = eligible.len();
        let start = self.first_choice(&eligible)?;
        (0..count)
            .map(|i| &eligible[(start + i) % count])
            .filter(|t| tried.is_empty() || !is_in(t, tried))
            .find_map(|t| t.enter())
    }

    fn first_choice(&self, eligible: &[Arc<Target>]) -> Option<usize> {
        let count = eligible.len();
        if count <= 1 {
            return (count == 1).then_some(0);
        }
        let settings = self.settings.read();
        let turn = || self.cursor.fetch_add(1, Ordering::Relaxed) % count;
        Some(match settings.config.algorithm {
            Algorithm::LeastOutstandingRequests => {
                let start = turn();
                (0..count).map(|i| (start + i) % count).min_by_key(|i| eligible[*i].in_flight())?
            }
            Algorithm::RoundRobin if settings.config.slow_start.is_zero() => turn(),
            Algorithm::RoundRobin => {
                let (now, slow_start) = (Instant::now(), settings.config.slow_start);
                let weights = eligible.iter().map(|t| t.slow_start_share(slow_start, now));
                self.rotation.lock().next(weights)?
            }
        })
    }

    /// The load balancer is removed: everything stops.
    pub(crate) fn close(&self) {
        for target in self.targets.lock().drain(..) {
            target.leave();
        }
        *self.eligible.write() = Arc::default();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.close();
    }
}

fn is_in(target: &Arc<Target>, tried: &[Arc<Target>]) -> bool {
    tried.iter().any(|t| Arc::ptr_eq(t, target))
}
