//! How long launches take on this host: `cargo run --release -p
//! kiln-machines-local --example launch_times STATE_DIR [systemd [GUEST]]`. Root is needed.
//!
//! Prints a table: launch to first TCP answer, fifty at once, memory per idle
//! machine, end noticed. The state directory keeps its images.

use kiln_machines_local::{LocalConfig, LocalDriver};
use kiln_machines_spec::*;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
const VPC: &str = "vpc-bench";
/// Launches whose median is taken.
const ROUNDS: u32 = 21;
/// Machines launched together.
const MANY: u32 = 50;

struct Lines;
impl Progress for Lines {
    fn step(&self, text: &str, _: Option<f32>) {
        eprintln!("{text}");
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let state = arguments.next().ok_or("which state directory?")?;
    let systemd = arguments.next().as_deref() == Some("systemd");
    let guest = match arguments.next() {
        Some(path) => std::fs::read(path)?,
        None => Vec::new(),
    };
    let driver = LocalDriver::open(LocalConfig::new(&state, guest)).await?;
    driver.adopt().await?;
    clear(&driver).await?;
    driver.apply_network(&network()).await?;
    let image = busybox(&driver, Path::new(&state)).await?;
    println!("| step | measured |\n|---|---|");
    let (answer, call) = medians(&driver, &image, 80).await?;
    println!("| program, launch() returns, p50 | {call:.1} ms |");
    println!("| program, launch to first TCP answer, p50 | {answer:.1} ms |");
    println!(
        "| one killed, noticed, cleared away and another in its place answers, p50 | {:.1} ms |",
        healed(&driver, &image).await?
    );
    many(&driver, &image).await?;
    if systemd {
        let base = driver.ensure_base(&BaseRecipe::default(), Arc::new(Lines)).await?;
        let (answer, _) = medians(&driver, &base.id, 22).await?;
        println!("| systemd, launch to first answer of sshd, p50 | {answer:.1} ms |");
    }
    clear(&driver).await?;
    driver.remove_network(&VPC.into()).await?;
    driver.shutdown(false).await?;
    Ok(())
}

async fn clear(driver: &LocalDriver) -> Outcome<()> {
    for status in driver.list().await? {
        driver.terminate(&status.spec.id).await?;
    }
    Ok(())
}

fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 77, 0, 10)) + n)
}

/// One subnet; everyone may reach everyone.
fn network() -> VpcSpec {
    let cidr = Cidr::new(Ipv4Addr::new(10, 77, 0, 0), 20).expect("20 is a prefix");
    let any = |direction| Rule { direction, protocol: Protocol::All, peer: Peer::Cidr { cidr: Cidr::ANY } };
    let interface = |n| InterfaceSpec {
        ip: address(n),
        subnet: "subnet".into(),
        mac: MacAddr::from_ip(address(n)),
        owner: InterfaceOwner::Machine { machine: format!("i-{n}").into() },
        groups: vec!["all".into()],
        source_dest_check: true,
        internet: true,
        public: None,
        secondary: vec![],
    };
    VpcSpec {
        id: VPC.into(),
        cidrs: vec![cidr],
        subnets: vec![SubnetSpec { id: "subnet".into(), cidr, zone: "a".into(), internet: false, acl: None }],
        groups: vec![SecurityGroupSpec {
            id: "all".into(),
            rules: vec![any(Direction::Ingress), any(Direction::Egress)],
        }],
        interfaces: (0..MANY).map(interface).collect(),
    }
}

async fn busybox(driver: &LocalDriver, state: &Path) -> Outcome<ImageId> {
    let root = state.join("bench-root");
    for dir in ["bin", "dev", "etc", "proc", "sys", "run", "tmp"] {
        std::fs::create_dir_all(root.join(dir))?;
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    for file in ["hosts", "hostname", "resolv.conf"] {
        std::fs::write(root.join("etc").join(file), "")?;
    }
    let argv = ["/bin/busybox", "httpd", "-f", "-p", "80"].map(String::from);
    let entry = Entry::Program(Program { argv: argv.to_vec(), ..Program::default() });
    Ok(driver.import_directory(&root, "bench", entry).await?.id)
}

fn spec(n: u32, image: &ImageId) -> MachineSpec {
    MachineSpec {
        id: format!("i-{n}").into(),
        image: image.clone(),
        entry: None,
        cpus: 2.0,
        memory_bytes: 512 << 20,
        pids_max: 512,
        disk_bytes: 1 << 30,
        hostname: format!("bench-{n}"),
        domain: "ec2.internal".to_owned(),
        vpc: VPC.into(),
        subnet: "subnet".into(),
        private_ip: address(n),
        mac: MacAddr::from_ip(address(n)),
        secondary_ips: vec![],
        interfaces: vec![],
        user_data: None,
        ssh_authorized_keys: vec![],
        files: vec![],
        environment: Default::default(),
        labels: Default::default(),
    }
}

async fn first_answer(driver: &LocalDriver, n: u32, port: u16) -> Outcome<()> {
    let to = SocketAddrV4::new(address(n), port);
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match driver.dial(&VPC.into(), None, to, Duration::from_secs(5)).await {
            Ok(_) => return Ok(()),
            Err(e) if Instant::now() > until => return Err(e.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Median ms to the first answer, and until `launch` returns.
async fn medians(driver: &LocalDriver, image: &ImageId, port: u16) -> Outcome<(f64, f64)> {
    let (mut answers, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        driver.launch(spec(0, image)).await?;
        calls.push(start.elapsed());
        first_answer(driver, 0, port).await?;
        answers.push(start.elapsed());
        driver.terminate(&"i-0".into()).await?;
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1000.0
    };
    Ok((median(&mut answers), median(&mut calls)))
}

/// Median ms from a machine's end to the first answer of the one that takes its place, while what
/// was the first's is cleared away.
async fn healed(driver: &LocalDriver, image: &ImageId) -> Outcome<f64> {
    let mut times = Vec::new();
    let mut events = driver.events();
    driver.launch(spec(0, image)).await?;
    for round in 0..ROUNDS {
        let (old, new) = (round % 2, (round + 1) % 2);
        let id: MachineId = format!("i-{old}").into();
        let start = Instant::now();
        driver.kill(&id).await?;
        events.recv().await?;
        let clear = driver.terminate(&id);
        let replace = async {
            driver.launch(spec(new, image)).await?;
            first_answer(driver, new, 80).await
        };
        let (cleared, replaced) = tokio::join!(clear, replace);
        cleared?;
        replaced?;
        times.push(start.elapsed());
    }
    driver.terminate(&format!("i-{}", ROUNDS % 2).into()).await?;
    times.sort();
    Ok(times[times.len() / 2].as_secs_f64() * 1000.0)
}

/// What this process itself holds, without the shared parts.
fn own_memory() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find(|l| l.starts_with("Private_Dirty:"));
    let kib = line.and_then(|l| l.split_whitespace().nth(1)).ok_or("no figure")?;
    Ok(kib.parse::<u64>()? * 1024)
}

async fn many(driver: &LocalDriver, image: &ImageId) -> Outcome<()> {
    let own = own_memory()?;
    let start = Instant::now();
    let launches = (0..MANY).map(|n| async move {
        driver.launch(spec(n, image)).await?;
        first_answer(driver, n, 80).await
    });
    for done in futures_join(launches).await {
        done?;
    }
    println!("| {MANY} programs at once, all answer | {:.2} s |", start.elapsed().as_secs_f64());
    let mib = |bytes: u64| bytes as f64 / f64::from(MANY) / f64::from(1 << 20);
    println!("| memory per machine, kiln itself | {:.2} MiB |", mib(own_memory()?.saturating_sub(own)));
    let mut events = driver.events();
    let killed = Instant::now();
    driver.kill(&"i-7".into()).await?;
    events.recv().await?;
    println!("| end noticed | {:.2} ms |", killed.elapsed().as_secs_f64() * 1000.0);
    let start = Instant::now();
    let ends = (0..MANY).map(|n| async move {
        let id: MachineId = format!("i-{n}").into();
        Ok(driver.terminate(&id).await?)
    });
    for done in futures_join(ends).await {
        done?;
    }
    println!("| {MANY} terminated | {:.2} s |", start.elapsed().as_secs_f64());
    Ok(())
}

/// All at the same time, on this task.
async fn futures_join<F: Future<Output = Outcome<()>>>(all: impl Iterator<Item = F>) -> Vec<Outcome<()>> {
    let mut all: Vec<_> = all.map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(result) = future.as_mut().poll(cx)
            {
                *done = Some(result);
            }
        }
        if all.iter().all(|(_, done)| done.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}
