//! This process, under the names that all of Prometheus' own libraries use.

use super::rows::{counter, gauge};
use procfs::ProcResult;
use procfs::process::{LimitValue, Process};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

/// What `/proc/self` said.
#[derive(Debug)]
pub struct OwnProcess {
    cpu_seconds: f64,
    open_fds: u64,
    max_fds: Option<u64>,
    virtual_bytes: u64,
    resident_bytes: u64,
    threads: i64,
    start_seconds: f64,
}

/// Reads it.
pub fn read() -> ProcResult<OwnProcess> {
    let myself = Process::myself()?;
    let stat = myself.stat()?;
    let ticks = procfs::ticks_per_second() as f64;
    let max_fds = match myself.limits()?.max_open_files.soft_limit {
        LimitValue::Value(most) => Some(most),
        LimitValue::Unlimited => None,
    };
    Ok(OwnProcess {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        open_fds: myself.fd_count()? as u64,
        max_fds,
        virtual_bytes: stat.vsize,
        resident_bytes: stat.rss * procfs::page_size(),
        threads: stat.num_threads,
        start_seconds: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
    })
}

impl Collector for OwnProcess {
    fn encode(&self, mut encoder: DescriptorEncoder) -> std::fmt::Result {
        let to = &mut encoder;
        let help = "Processor time of this process, in user and system mode";
        counter(to, ("process_cpu", Some(&Unit::Seconds), help), [(vec![], self.cpu_seconds)])?;
        gauge(to, ("process_open_fds", None, "Open file descriptors"), [(vec![], self.open_fds)])?;
        let most = self.max_fds.map(|most| (vec![], most));
        gauge(to, ("process_max_fds", None, "Most file descriptors it may open"), most)?;
        let help = "Size of its address space";
        gauge(to, ("process_virtual_memory", Some(&Unit::Bytes), help), [(vec![], self.virtual_bytes)])?;
        let help = "Memory it has";
        gauge(to, ("process_resident_memory", Some(&Unit::Bytes), help), [(vec![], self.resident_bytes)])?;
        gauge(to, ("process_threads", None, "Its threads"), [(vec![], self.threads)])?;
        let help = "When it started, since 1970";
        gauge(to, ("process_start_time", Some(&Unit::Seconds), help), [(vec![], self.start_seconds)])
    }
}
