//! One load balancer at work: its config compiled for quick decisions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use parking_lot::{Mutex, RwLock};

use crate::choose::SmoothRotation;
use crate::config::{Action, ApplyError, FixedResponse, Forward, LoadBalancerConfig, Redirect};
use crate::counters::{Counters, ELB_CODES};
use crate::dial::Dialer;
use crate::group::Group;
use crate::headers::TraceIds;
use crate::rules::{self, Test};
use crate::sticky;
use crate::tally::{Done, Own, Sent, Taken};

/// Where the time on the wall comes from (cookies, trace ids).
pub(crate) type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

pub(crate) struct Lb {
    pub(crate) counters: Counters,
    pub(crate) done: Arc<Done>,
    /// What was so at the last look.
    taken: Mutex<Own>,
    /// What went to groups that it has no longer, since the last look.
    left: Mutex<Vec<(String, String, Sent)>>,
    pub(crate) trace_ids: TraceIds,
    pub(crate) dialer: Arc<dyn Dialer>,
    pub(crate) wall: WallClock,
    plan: RwLock<Arc<Plan>>,
}

/// A compiled config.
pub(crate) struct Plan {
    pub(crate) config: LoadBalancerConfig,
    pub(crate) groups: Vec<Arc<Group>>,
    listeners: Vec<(u16, Routes)>,
}

/// A listener's rules, by priority, and its default.
pub(crate) struct Routes {
    pub(crate) rules: Vec<(Vec<Test>, Route)>,
    pub(crate) default: Route,
}

/// A compiled action.
pub(crate) enum Route {
    Forward(ForwardRoute),
    Redirect(Redirect),
    Fixed { status: u16, content_type: Option<HeaderValue>, body: bytes::Bytes },
}

pub(crate) struct ForwardRoute {
    groups: Vec<(Arc<Group>, u32, String)>,
    pub(crate) stickiness: Option<Duration>,
    rotation: Mutex<SmoothRotation>,
}

impl ForwardRoute {
    /// The group for a request, and its cookie token.
    pub(crate) fn choose(&self, sticky: Option<&str>) -> Option<(&Arc<Group>, &str)> {
        let index = match &self.groups[..] {
            [(_, weight, _)] => (*weight > 0).then_some(0)?,
            groups => match groups.iter().position(|g| g.1 > 0 && Some(g.2.as_str()) == sticky) {
                Some(index) => index,
                None => self.rotation.lock().next(groups.iter().map(|g| g.1))?,
            },
        };
        self.groups.get(index).map(|(group, _, token)| (group, token.as_str()))
    }
}

impl Lb {
    pub(crate) fn new(plan: Plan, dialer: Arc<dyn Dialer>, wall: WallClock, workers: usize) -> Arc<Self> {
        let seed = wall().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
        Arc::new(Lb {
            counters: Counters::default(),
            done: Arc::new(Done::new(workers)),
            taken: Mutex::default(),
            left: Mutex::default(),
            trace_ids: TraceIds::new(seed),
            dialer,
            wall,
            plan: RwLock::new(Arc::new(plan)),
        })
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.plan.read().clone()
    }

    pub(crate) fn replace_plan(&self, plan: Plan) -> Arc<Plan> {
        std::mem::replace(&mut *self.plan.write(), Arc::new(plan))
    }

    /// A group goes: what it counted is told with the rest.
    pub(crate) fn leave(&self, group: &Group) {
        let sent = group.sent.take().into_iter().map(|(zone, sent)| (group.id.clone(), zone, sent));
        self.left.lock().extend(sent);
    }

    /// What came since the last look.
    pub(crate) fn take(&self) -> Taken {
        let plan = self.plan();
        let mut sent = std::mem::take(&mut *self.left.lock());
        let mut open = u64::try_from(self.counters.active_connections.load(Relaxed)).unwrap_or(0);
        for group in &plan.groups {
            sent.extend(group.sent.take().into_iter().map(|(zone, sent)| (group.id.clone(), zone, sent)));
            open += group.targets().iter().map(|target| target.connections.count() as u64).sum::<u64>();
        }
        let now = self.own();
        let mut before = self.taken.lock();
        let own = now.since(&before);
        *before = now;
        Taken { load_balancer: plan.config.id.clone(), own, sent, open_connections: open }
    }

    fn own(&self) -> Own {
        let counted = |code: u16| {
            let at = ELB_CODES.iter().position(|known| *known == code);
            (code, at.map_or(0, |at| self.counters.elb_codes[at].load(Relaxed)))
        };
        Own {
            answers: std::array::from_fn(|class| self.counters.elb[class].load(Relaxed)),
            codes: [500, 502, 503, 504].map(counted),
            redirects: self.done.redirects.load(Relaxed),
            fixed_responses: self.done.fixed_responses.load(Relaxed),
            connections: self.counters.new_connections.load(Relaxed),
            rejected_connections: self.done.rejected_connections.load(Relaxed),
            bytes: self.done.bytes(),
            rules: self.done.rules(),
        }
    }
}

impl Plan {
    /// A plan that serves nothing.
    pub(crate) fn empty(id: &str) -> Self {
        Plan { config: LoadBalancerConfig::new(id), groups: Vec::new(), listeners: Vec::new() }
    }

    /// Compiles `config`; `groups` are its target groups at work.
    pub(crate) fn compile(config: LoadBalancerConfig, groups: Vec<Arc<Group>>) -> Result<Self, ApplyError> {
        let by_id: HashMap<&str, &Arc<Group>> = groups.iter().map(|g| (g.id.as_str(), g)).collect();
        let mut listeners = Vec::new();
        for listener in &config.listeners {
            let mut sorted: Vec<_> = listener.rules.iter().collect();
            sorted.sort_by_key(|rule| rule.priority);
            let mut compiled = Vec::new();
            for rule in sorted {
                let tests = rules::compile(rule).map_err(|(what, value)| ApplyError::BadValue {
                    load_balancer: config.id.clone(),
                    what,
                    value,
                })?;
                compiled.push((tests, compile_action(&config.id, &rule.action, &by_id)?));
            }
            let default = compile_action(&config.id, &listener.default_action, &by_id)?;
            listeners.push((listener.port, Routes { rules: compiled, default }));
        }
        Ok(Plan { config, groups, listeners })
    }

    /// Whether a client at this address may use the listener.
    pub(crate) fn admits(&self, port: u16, client: std::net::IpAddr) -> bool {
        let listener = self.config.listeners.iter().find(|l| l.port == port);
        listener.is_some_and(|l| match &l.clients {
            None => true,
            Some(blocks) => blocks.iter().any(|block| block.contains(&client.to_canonical())),
        })
    }

    pub(crate) fn routes(&self, port: u16) -> Option<&Routes> {
        self.listeners.iter().find(|(p, _)| *p == port).map(|(_, routes)| routes)
    }
}

fn compile_action(lb: &str, action: &Action, groups: &HashMap<&str, &Arc<Group>>) -> Result<Route, ApplyError> {
    let bad = |what, value: String| ApplyError::BadValue { load_balancer: lb.to_owned(), what, value };
    Ok(match action {
        Action::Forward(Forward { target_groups, stickiness }) => {
            if target_groups.is_empty() {
                return Err(bad("forward action", "no target group".into()));
            }
            let groups = target_groups
                .iter()
                .map(|(id, weight)| {
                    let group = groups.get(id.as_str()).ok_or_else(|| ApplyError::UnknownTargetGroup {
                        load_balancer: lb.to_owned(),
                        target_group: id.clone(),
                    })?;
                    Ok((Arc::clone(group), *weight, sticky::token(&[lb, id])))
                })
                .collect::<Result<_, ApplyError>>()?;
            Route::Forward(ForwardRoute { groups, stickiness: *stickiness, rotation: Mutex::default() })
        }
        Action::Redirect(redirect) => Route::Redirect(redirect.clone()),
        Action::FixedResponse(FixedResponse { status, content_type, body }) => {
            if !(200..=599).contains(status) {
                return Err(bad("fixed-response status", status.to_string()));
            }
            let content_type = content_type
                .as_ref()
                .map(|c| HeaderValue::from_str(c).map_err(|_| bad("content type", c.clone())))
                .transpose()?;
            Route::Fixed { status: *status, content_type, body: body.clone().into() }
        }
    })
}

/// The ids of all target groups that some action of the config names.
pub(crate) fn groups_in_use(config: &LoadBalancerConfig) -> Vec<&str> {
    config
        .listeners
        .iter()
        .flat_map(|l| l.rules.iter().map(|r| &r.action).chain([&l.default_action]))
        .filter_map(|action| match action {
            Action::Forward(forward) => Some(&forward.target_groups),
            _ => None,
        })
        .flatten()
        .map(|(id, _)| id.as_str())
        .collect()
}
