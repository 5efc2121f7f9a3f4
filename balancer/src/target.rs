//! A target while it is registered: its health, its requests in flight, its connections.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::{HealthCheckConfig, TargetConfig};
use crate::connections::Connections;
use crate::counters::Counters;
use crate::health::{CheckResult, Health, HealthState, Reason, TargetHealth, Tracker};
use crate::upstream::Upstream;

/// Idle connections kept per target and worker; more would only hold the target's memory.
const KEPT_PER_WORKER: usize = 256;

pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) zone: String,
    /// The value of the stickiness cookie that means this target.
    pub(crate) token: String,
    pub(crate) counters: Counters,
    life: Mutex<Life>,
    /// May new requests be sent at all? Not when draining, dead or unused.
    accepting: AtomicBool,
    in_flight: AtomicUsize,
    #[expect(clippy::vec_box, reason = "users hold them boxed; unboxing would move 1 KiB")]
    pools: Box<[Mutex<Vec<Box<Upstream>>>]>,
    pub(crate) connections: Arc<Connections>,
    left: AtomicBool,
    /// Something happened that the target's task must look at now.
    pub(crate) changed: Notify,
    /// Told when the machine is reported dead.
    died: Notify,
}

struct Life {
    tracker: Tracker,
    /// Counts what happened to the target from outside: a check that began before does not count.
    epoch: u64,
    unused: Option<Reason>,
    drain: Drain,
    reported: Option<Health>,
    healthy_since: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq)]
enum Drain {
    No,
    Until(Instant),
    Done,
}

/// A check that is under way.
#[derive(Clone, Copy)]
pub(crate) struct CheckTicket(u64);

/// What the target's task does next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    Check { after: Duration, hurried: bool },
    WaitForDrain { until: Instant },
    Nothing,
}

impl Target {
    pub(crate) fn new(config: &TargetConfig, token: String, workers: usize, now: Instant) -> Self {
        Target {
            id: config.id.clone(),
            ip: config.ip,
            port: config.port,
            zone: config.zone.clone(),
            token,
            counters: Counters::default(),
            life: Mutex::new(Life {
                tracker: Tracker::new(now),
                epoch: 0,
                unused: None,
                drain: Drain::No,
                reported: None,
                healthy_since: None,
            }),
            accepting: AtomicBool::new(true),
            in_flight: AtomicUsize::new(0),
            pools: (0..workers).map(|_| Mutex::default()).collect(),
            connections: Arc::default(),
            left: AtomicBool::new(false),
            changed: Notify::new(),
            died: Notify::new(),
        }
    }

    pub(crate) fn is(&self, config: &TargetConfig) -> bool {
        self.id == config.id && self.ip == config.ip && self.port == config.port && self.zone == config.zone
    }

    // ---- health ----

    pub(crate) fn health(&self) -> Health {
        self.life.lock().health()
    }

    pub(crate) fn describe(&self, check: &HealthCheckConfig) -> TargetHealth {
        TargetHealth {
            id: self.id.clone(),
            ip: self.ip,
            port: self.port,
            zone: self.zone.clone(),
            health_check_port: check.port.unwrap_or(self.port),
            health: self.health(),
            in_flight: self.in_flight(),
        }
    }

    /// The health if it differs from what was last reported: (before, now).
    pub(crate) fn take_change(&self) -> Option<(Health, Health)> {
        let mut life = self.life.lock();
        let health = life.health();
        if life.reported.as_ref() == Some(&health) {
            return None;
        }
        match (&life.reported, health.state) {
            (Some(old), HealthState::Healthy) if old.state != HealthState::Healthy => {
                life.healthy_since = Some(Instant::now());
            }
            (_, HealthState::Healthy) => {}
            _ => life.healthy_since = None,
        }
        let before = life.reported.replace(health.clone());
        Some((before.unwrap_or(Health::of(HealthState::Unused, Reason::NotRegistered)), health))
    }

    pub(crate) fn check_begins(&self) -> CheckTicket {
        CheckTicket(self.life.lock().epoch)
    }

    pub(crate) fn check_ended(&self, ticket: CheckTicket, result: CheckResult, config: &HealthCheckConfig) {
        let mut life = self.life.lock();
        if life.epoch == ticket.0 {
            life.tracker.observe(result, config, Instant::now());
            self.settle(&life);
        }
    }

    pub(crate) fn next(&self, config: &HealthCheckConfig) -> Next {
        let life = self.life.lock();
        match (life.drain, &life.unused) {
            (Drain::Until(until), _) => Next::WaitForDrain { until },
            (Drain::Done, _) | (_, Some(_)) => Next::Nothing,
            _ => Next::Check {
                after: life.tracker.next_check_in(config),
                hurried: life.tracker.health.state == HealthState::Initial,
            },
        }
    }

    /// Used by a listener (`None`), or why not.
    pub(crate) fn set_unused(&self, unused: Option<Reason>) {
        let mut life = self.life.lock();
        if life.unused != unused {
            life.unused = unused;
            life.epoch += 1;
            life.tracker.restart(Instant::now());
            self.settle(&life);
            self.changed.notify_one();
        }
    }

    /// The machine is dead: nothing is sent any more, everything under way is ended.
    pub(crate) fn gone(&self) {
        {
            let mut life = self.life.lock();
            life.epoch += 1;
            life.tracker.dead(Instant::now());
            self.settle(&life);
        }
        self.cut_all();
        self.died.notify_waiters();
        self.changed.notify_one();
    }

    /// What `connect` comes to, unless the machine is reported dead meanwhile: a connection to
    /// nobody fails only after seconds.
    pub(crate) async fn while_alive<T>(&self, connect: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let died = self.died.notified();
        tokio::select! {
            done = connect => done,
            () = died => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the machine has died")),
        }
    }

    /// The machine runs again: look at it as if it were new.
    pub(crate) fn back(&self) {
        let mut life = self.life.lock();
        life.epoch += 1;
        life.tracker.restart(Instant::now());
        self.settle(&life);
        self.changed.notify_one();
    }

    // ---- draining ----

    pub(crate) fn start_drain(&self, delay: Duration) {
        let mut life = self.life.lock();
        if life.drain == Drain::No {
            life.drain = Drain::Until(Instant::now() + delay);
            life.epoch += 1;
            self.settle(&life);
            drop(life);
            self.drop_kept(Duration::ZERO);
            self.changed.notify_one();
        }
    }

    /// Registered again while it was leaving.
    pub(crate) fn stop_drain(&self) {
        let mut life = self.life.lock();
        if life.drain != Drain::No {
            life.drain = Drain::No;
            life.epoch += 1;
            life.tracker.restart(Instant::now());
            self.settle(&life);
            self.changed.notify_one();
        }
    }

    /// Ends the drain if no request is left or the delay is over; says whether it has ended.
    pub(crate) fn end_drain_if_due(&self) -> bool {
        {
            let mut life = self.life.lock();
            match life.drain {
                Drain::Until(until) if self.in_flight() > 0 && Instant::now() < until => {
                    return false;
                }
                Drain::Until(_) => life.drain = Drain::Done,
                Drain::No => return false,
                Drain::Done => return true,
            }
        }
        self.cut_all();
        true
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.life.lock().drain == Drain::Done
    }

    /// Its group has forgotten it.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::SeqCst);
        self.accepting.store(false, Ordering::SeqCst);
        self.cut_all();
        self.changed.notify_one();
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }

    /// The share of its requests a target gets during slow start, in percent.
    pub(crate) fn slow_start_share(&self, slow_start: Duration, now: Instant) -> u32 {
        match self.life.lock().healthy_since {
            Some(since) if now < since + slow_start => {
                let done = (now - since).as_secs_f64() / slow_start.as_secs_f64();
                (done * 100.0).clamp(1.0, 100.0) as u32
            }
            _ => 100,
        }
    }

    fn settle(&self, life: &Life) {
        let accepting = !matches!(life.health().state, HealthState::Draining | HealthState::Unused);
        self.accepting.store(accepting, Ordering::SeqCst);
    }

    pub(crate) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::SeqCst)
    }

    // ---- requests ----

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Counts a request in, unless the target has just stopped taking any.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let guard = InFlight(self.clone());
        self.is_accepting().then_some(guard)
    }

    // ---- connections ----

    /// A kept connection that still stands.
    pub(crate) fn take(&self, worker: usize) -> Option<Box<Upstream>> {
        loop {
            let mut upstream = self.pools[worker].lock().pop()?;
            if upstream.is_usable() {
                return Some(upstream);
            }
        }
    }

    pub(crate) fn keep(&self, worker: usize, mut upstream: Box<Upstream>) {
        if self.is_accepting() {
            upstream.rested_at = Instant::now();
            let mut pool = self.pools[worker].lock();
            if pool.len() < KEPT_PER_WORKER {
                pool.push(upstream);
            }
        }
    }

    /// Closes kept connections that have rested longer than `idle`.
    pub(crate) fn drop_kept(&self, idle: Duration) {
        let now = Instant::now();
        for pool in &self.pools {
            let old: Vec<_> = {
                let mut pool = pool.lock();
                let keep_from = pool.partition_point(|u| u.rested_at + idle <= now);
                pool.drain(..keep_from).collect()
            };
            drop(old);
        }
    }

    fn cut_all(&self) {
        self.drop_kept(Duration::ZERO);
        self.connections.cut();
    }
}

impl Life {
    fn health(&self) -> Health {
        match (self.drain, &self.unused) {
            (Drain::Until(_), _) => Health::of(HealthState::Draining, Reason::DeregistrationInProgress),
            (Drain::Done, _) => Health::of(HealthState::Unused, Reason::NotRegistered),
            (Drain::No, Some(reason)) => Health::of(HealthState::Unused, reason.clone()),
            (Drain::No, None) => self.tracker.health.clone(),
        }
    }
}

/// A request's place among those a target has in flight; leaves on drop.
pub(crate) struct InFlight(Arc<Target>);

impl InFlight {
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 && !self.0.is_accepting() {
            self.0.changed.notify_one();
        }
    }
}
