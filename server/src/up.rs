//! `kiln up`: builds the parts in order, serves until told to stop, and ends in the reverse order.

use crate::backed_up::{POINTS, TRAIL};
use crate::base_image::BaseImage;
use crate::control::{Control, Stop};
use crate::metrics::{Metrics, MetricsDoor};
use crate::{admin, backup, credentials, hosts, inside, logging, machines, resting, root_key};
use kiln_cli::{Auth, SOCKET, UpArguments};
use kiln_clock::Clock;
use kiln_gateway::{Directory, Gateway, Limits};
use kiln_ids::IdSource;
use kiln_journal::{Journal, Keeper};
use kiln_machines_spec::MachineDriver;
use kiln_points::Points;
use kiln_reconcile::{Hooks, Runner};
use kiln_service_kit::{CallKeeper, PlatformBuilder, RootCredential, Scope, Service, Store, StoreError, chain};
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

/// How long the children of a kiln that was killed may take to let go of what it had open.
const CHILDREN_GO_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

/// How long the controllers' steps in hand may take at the end: the longest is an orderly stop, 30 s.
const STEPS_END_WITHIN: std::time::Duration = std::time::Duration::from_secs(40);

/// Runs kiln with these services in the foreground. `Err` is one line for the terminal.
pub async fn up(services: Vec<Service>, state_dir: &Path, arguments: &UpArguments) -> Result<(), String> {
    if arguments.auth == Auth::Open && !arguments.listen.is_loopback() {
        return Err(format!(
            "--auth open lets anybody in, so it listens on loopback only, not on {}. Use --auth enforced",
            arguments.listen
        ));
    }
    let directory = Directory::new(&services).map_err(|e| format!("the API cannot be opened: {e}"))?;
    logging::start(arguments.log_to.as_deref().map(|path| (path, arguments.log_size)))?;
    kiln_doors::raise_limit()?;
    kiln_cli::state_dir::prepare(state_dir)?;
    let state_dir = &state_dir.canonicalize().map_err(|e| format!("{}: {e}", state_dir.display()))?;
    let patience = credentials::last_one_died(state_dir);
    let address = (arguments.listen, arguments.port);
    let in_use = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    let listener = retried(patience, async || TcpListener::bind(address).await, in_use).await;
    let listener = listener.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {} is in use. Stop what listens there (is it another kiln? try: kiln status), or choose another with --port or KILN_PORT",
            arguments.port
        ),
        _ => format!("failed to listen on {}:{}: {error}", arguments.listen, arguments.port),
    })?;
    let port = listener.local_addr().map_err(|e| format!("failed to read the port: {e}"))?.port();
    let endpoint = format!("http://{}", std::net::SocketAddr::new(arguments.listen, port));

    let clock = Clock::system();
    let ids = IdSource::from_os();
    let database = state_dir.join("kiln.db");
    let in_use = |error: &StoreError| matches!(error, StoreError::InUse { .. });
    let store = retried(patience, async || Store::open(&database, clock.clone()), in_use).await;
    let store = store.map_err(|e| chain(&e))?;
    // Behind the store's lock: it has this kiln alone.
    let journal = Journal::open(&state_dir.join("journal")).map_err(|e| chain(&e))?;
    backup::clear(state_dir)?;
    let state = credentials::prepare(state_dir, &ids, &endpoint, &arguments.region, &arguments.account)?;
    let driver: Arc<dyn MachineDriver> = machines::open(arguments.machines, state_dir).await?;
    let adopted = driver.adopt().await.map_err(|e| format!("failed to adopt running machines: {}", e.chain()))?;
    tracing::info!(machines = adopted.len(), "adopted what still ran");

    let base_image = Arc::new(BaseImage::new());
    let secrets = ids.clone();
    let root = root_key::open(state_dir, &store, &ids).await?;
    let messages = kiln_sqs::Messages::open(state_dir, &clock, &root).map_err(|e| chain(&e))?;
    let mut builder = PlatformBuilder::new(store, clock.clone(), ids)
        .journal(journal.clone())
        .home(Scope::new(state.account.as_str(), arguments.region.as_str()))
        .open(arguments.auth == Auth::Open)
        .part::<Arc<dyn MachineDriver>>(driver.clone())
        .part(root)
        .part(kiln_ssm::SealingKey::open(state_dir, &secrets)?)
        .part(kiln_s3::ObjectFiles::open(state_dir, &secrets)?)
        .part(Points::open(&state_dir.join(POINTS), clock.clone()).map_err(|e| chain(&e))?)
        .part(kiln_sns::Published::default())
        .part(kiln_sns::Signer::new(Some(state_dir), &secrets, &endpoint))
        .part(messages)
        .part(kiln_logs::Events::default())
        .part(RootCredential { access_key: state.access_key.clone(), secret: state.secret.clone() });
    builder = hosts::install(builder, &driver)?;
    for service in services {
        builder = builder.service(service);
    }
    let platform = builder.build();
    // Before the services start: what they move over from an older state does not heap up in the store.
    let _keeper = Keeper::start(platform.store().clone(), journal, platform.clock().clone());
    let trail = platform.trail().open(&state_dir.join(TRAIL), platform.history(), platform.clock().now()).await;
    trail.map_err(|e| e.chain().to_string())?;
    for service in platform.services() {
        for start in &service.start {
            start(platform.clone())
                .await
                .map_err(|e| format!("failed to start {}: {}", service.model.name, e.chain()))?;
        }
    }
    resting::start(platform.store().clone());
    let calls = CallKeeper::start(platform.clone());
    let runner = Runner::start(platform.clone(), Hooks::default());
    tokio::spawn(machines::build_base(platform.clone(), driver.clone(), base_image.clone()));

    let (stop, stopped) = watch::channel(Stop::No);
    let (close, closed) = watch::channel(false);
    let socket = control_socket(state_dir)?;
    let control = Control {
        platform: platform.clone(),
        driver: driver.clone(),
        base_image,
        simulated: arguments.machines == kiln_cli::Machines::Sim,
        endpoint: endpoint.clone(),
        started: std::time::Instant::now(),
        imports: Default::default(),
        stop,
        state_dir: state_dir.clone(),
        backups: Arc::default(),
    };
    let backups = control.backups.clone();
    tokio::spawn(admin::serve(socket, Arc::new(control)));
    let metrics = Metrics {
        platform: platform.clone(),
        controllers: runner.figures(),
        driver: driver.clone(),
        balancers: platform.part().map_err(|e| e.to_string())?,
        turn: Default::default(),
    };
    let mut hosts = hosts::handlers(&platform)?;
    hosts.push(Arc::new(MetricsDoor::new(metrics)));
    let gateway = Gateway::new(platform.clone(), directory, hosts, Limits::default());
    if arguments.machines == kiln_cli::Machines::Local {
        tokio::spawn(inside::serve(platform.clone(), driver.clone(), gateway.clone(), closed.clone()));
    }
    let serving = tokio::spawn(async move { gateway.serve(listener, closed).await });
    tracing::info!(%endpoint, pid = std::process::id(), "kiln answers");

    let keep_machines = wait_for_stop(stopped).await?;
    close.send_replace(true);
    // Of a kiln that is half down none is made; the driver lets go of what one holds still.
    backups.close().await;
    // What a controller is just making would stay behind if its machines were stopped meanwhile.
    if !keep_machines && !runner.finish(STEPS_END_WITHIN).await {
        tracing::warn!("a controller's step takes too long; what it makes may be left");
    }
    drop(runner);
    let _ = serving.await;
    calls.finish().await;
    driver
        .shutdown(keep_machines)
        .await
        .map_err(|e| format!("failed to leave the machines in order: {}", e.chain()))?;
    // Gone already is as good as removed.
    let _ = std::fs::remove_file(state_dir.join(SOCKET));
    tracing::info!(keep_machines, "kiln is down");
    Ok(())
}

/// A kiln that was killed may leave a child between fork and exec, which has its port and its locks
/// open for some milliseconds more. Only after such an end is what is in use tried again.
async fn retried<T, E>(
    patience: bool,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
    in_use: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let until = tokio::time::Instant::now() + CHILDREN_GO_WITHIN;
    loop {
        match attempt().await {
            Err(error) if patience && in_use(&error) && tokio::time::Instant::now() < until => {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            other => return other,
        }
    }
}

fn control_socket(state_dir: &Path) -> Result<UnixListener, String> {
    use std::os::unix::fs::PermissionsExt;
    let path = state_dir.join(SOCKET);
    // The store's lock says that no other kiln lives here: a socket that is left is a dead one's.
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(format!("failed to replace {}: {error}", path.display()));
    }
    let socket = UnixListener::bind(&path).map_err(|e| format!("failed to open {}: {e}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .map_err(|e| format!("failed to close {} to others: {e}", path.display()))?;
    Ok(socket)
}

/// Waits for `kiln down`, SIGINT or SIGTERM; whether machines are to go on.
async fn wait_for_stop(mut stopped: watch::Receiver<Stop>) -> Result<bool, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("failed to listen for SIGTERM: {e}"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| format!("failed to listen for SIGINT: {e}"))?;
    tokio::select! {
        _ = terminate.recv() => Ok(true),
        _ = interrupt.recv() => Ok(true),
        stop = stopped.wait_for(|stop| *stop != Stop::No) => {
            Ok(!matches!(stop.map(|s| *s), Ok(Stop::WithMachines)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::services;
    use clap::Parser;
    use kiln_cli::{Cli, Command};
    use kiln_protocol::{Protocol, ServiceModel};
    use kiln_service_kit::Route;

    #[test]
    fn every_call_can_be_told_from_every_other() {
        let services = services();
        let directory = Directory::new(&services).expect("no two services are alike");
        for service in &services {
            assert!(directory.by_signing_name(service.model.signing_name).iter().any(|m| m.name == service.model.name));
        }
    }

    const fn get(operation: &'static str, uri: &'static str) -> Route {
        Route { operation, method: "GET", uri, query: &[], headers: &[] }
    }

    const fn signed_as_one(name: &'static str) -> ServiceModel {
        ServiceModel {
            signing_name: "things",
            api_version: "2026-01-01",
            protocol: Protocol::RestJson,
            protocols: &[Protocol::RestJson],
            ..ServiceModel::named(name)
        }
    }

    /// The line that a kiln of these services ends with, which has not so much as made its state directory.
    async fn refused(services: Vec<Service>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        let line = ["kiln", "--state-dir", state_dir.to_str().unwrap(), "up", "--port", "0", "--machines", "sim"];
        let cli = Cli::try_parse_from(line).unwrap();
        let Command::Up(arguments) = &cli.command else { panic!("it is kiln up") };
        let line = up(services, &cli.state_dir, arguments).await.expect_err("the start is refused");
        assert!(!state_dir.exists(), "{line}");
        line
    }

    /// With the route that botocore's model has, and that no host tells apart here.
    #[tokio::test]
    async fn a_kiln_whose_service_has_two_operations_at_one_path_does_not_start() {
        let mut services = services();
        let s3 = services.iter_mut().find(|service| service.model.name == "s3").expect("S3 is one");
        s3.routes = [s3.routes, &[get("ListDirectoryBuckets", "/")]].concat().leak();
        let line = refused(services).await;
        let expected = "s3:ListBuckets and s3:ListDirectoryBuckets cannot be told apart: both are GET /";
        assert_eq!(line, format!("the API cannot be opened: {expected}"));
    }

    #[tokio::test]
    async fn a_kiln_whose_services_have_one_path_and_one_signing_name_does_not_start() {
        static OLD: ServiceModel = signed_as_one("things");
        static NEW: ServiceModel = signed_as_one("thingsv2");
        let mut services = services();
        for (model, route) in [(&OLD, get("GetThing", "/things/{Id}")), (&NEW, get("ReadThing", "/things/{Name}"))] {
            let mut service = Service::new(model, &[]);
            service.routes = vec![route].leak();
            services.push(service);
        }
        let line = refused(services).await;
        let expected = "things:GetThing and thingsv2:ReadThing cannot be told apart: both are GET /things/{Name}";
        assert_eq!(line, format!("the API cannot be opened: {expected}"));
    }
}
