//! Backups that are given up in the middle, wherever that is: nothing remains, and none harms another.

use super::*;
use crate::backups::Backups;
use crate::backups::tests::is_pending;
use crate::base_image::BaseImage;
use crate::control::Stop;
use kiln_clock::Clock;
use kiln_ids::IdSource;
use kiln_machines_sim::{Durations, SimDriver};
use kiln_machines_spec::{BaseRecipe, DriverResult, MachineDriver, NoProgress};
use kiln_service_kit::{PlatformBuilder, Scope};
use kiln_store::Record;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::{JoinHandle, spawn_blocking};

const PATIENCE: Duration = Duration::from_secs(30);

/// As much of an instance's record as a backup reads.
#[derive(Clone, Serialize, Deserialize)]
struct Recorded {}

impl Record for Recorded {
    const KIND: &'static str = kiln_ec2_shapes::kinds::INSTANCE;
}

/// A kiln with one machine, whose copy is a folder with one file.
struct Given {
    dir: TempDir,
    control: Arc<Control>,
    driver: SimDriver,
}

fn copy(_: &MachineId, to: &Path) -> DriverResult<Copied> {
    fs::create_dir(to).expect("a folder of its own");
    fs::write(to.join("disk"), "what it wrote").expect("written");
    Ok(Copied::Folder)
}

async fn given() -> Given {
    let dir = tempfile::tempdir().expect("a folder");
    let state_dir = dir.path().join("state");
    fs::create_dir(&state_dir).expect("made");
    fs::create_dir(dir.path().join("backups")).expect("made");
    let (clock, ids) = (Clock::system(), IdSource::seeded(1));
    let store = Store::open(&state_dir.join("kiln.db"), clock.clone()).expect("a store");
    let journal = Journal::open(&state_dir.join(JOURNAL)).expect("a journal");
    crate::credentials::prepare(&state_dir, &ids, "http://127.0.0.1:1", "us-east-1", "000000000000").expect("made");
    kiln_sealing::RootKey::make(&state_dir, &ids).expect("made");
    kiln_ssm::SealingKey::open(&state_dir, &ids).expect("made");
    let objects = ObjectFiles::open(&state_dir, &ids).expect("made");
    fs::create_dir_all(state_dir.join(MACHINES)).expect("made");
    let scope = Scope::new("000000000000", "us-east-1");
    store.write(|tx| tx.put(&scope, "i-1", Recorded {})).await.expect("noted");

    let driver = SimDriver::new(clock.clone(), Durations::default());
    let image = driver.ensure_base(&BaseRecipe::default(), Arc::new(NoProgress)).await.expect("an image").id;
    let vpc = json!({
        "id": "vpc-1", "cidrs": ["10.0.0.0/16"], "groups": [],
        "subnets": [{"id": "subnet-a", "cidr": "10.0.1.0/24", "zone": "a", "internet": false}],
        "interfaces": [{
            "ip": "10.0.1.10", "subnet": "subnet-a", "mac": "02:00:0a:00:01:0a", "owner": {"owner": "machine", "machine": "i-1"},
            "groups": [], "source_dest_check": true, "internet": false, "public": null, "secondary": [],
        }],
    });
    driver.apply_network(&serde_json::from_value(vpc).expect("a network")).await.expect("applied");
    let machine = json!({
        "id": "i-1", "image": image, "cpus": 1.0, "memory_bytes": 64 << 20, "pids_max": 50, "disk_bytes": 64 << 20,
        "hostname": "i-1", "vpc": "vpc-1", "subnet": "subnet-a", "private_ip": "10.0.1.10", "mac": "02:00:0a:00:01:0a",
    });
    driver.launch(serde_json::from_value(machine).expect("a machine")).await.expect("launched");
    driver.copy_by(copy);

    let messages = Messages::in_memory().expect("in memory");
    let points = Points::open(&state_dir.join(POINTS), clock.clone()).expect("points");
    let platform =
        PlatformBuilder::new(store, clock, ids).journal(journal).part(objects).part(messages).part(points).build();
    let control = Arc::new(Control {
        platform,
        driver: Arc::new(driver.clone()),
        base_image: Arc::new(BaseImage::new()),
        simulated: true,
        endpoint: String::new(),
        started: Instant::now(),
        imports: Default::default(),
        stop: tokio::sync::watch::channel(Stop::No).0,
        state_dir,
        backups: Arc::default(),
    });
    Given { dir, control, driver }
}

impl Given {
    fn backups(&self) -> &Arc<Backups> {
        &self.control.backups
    }

    fn begin(&self, name: &str) -> JoinHandle<Result<Json, String>> {
        let (control, to) = (self.control.clone(), self.at(name));
        tokio::spawn(async move { back_up(&control, &to).await })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join("backups").join(name)
    }

    fn staging(&self) -> PathBuf {
        self.control.state_dir.join(STAGING)
    }

    fn made(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path().join("backups")).expect("read").map(|entry| {
            let name = entry.expect("read").file_name();
            name.into_string().expect("UTF-8")
        });
        names.collect()
    }

    /// Stops the thread that looks for the `number`th time whether the backup is wanted while it does that.
    fn stop_at(&self, doing: &'static str, number: usize) -> Stopped {
        let (reached, reaches) = channel();
        let (goes, go) = channel();
        let (count, go) = (Mutex::new(0), Mutex::new(go));
        *self.backups().looks.lock() = Some(Arc::new(move |now| {
            let mut count = count.lock();
            *count += usize::from(now == doing);
            if now == doing && *count == number {
                let _ = reached.send(());
                let _ = go.lock().recv();
            }
        }));
        Stopped { reaches, goes }
    }

    /// How often it looks while it does that.
    async fn looks_at(&self, doing: &'static str) -> usize {
        let count = Arc::new(Mutex::new(0));
        let counts = count.clone();
        *self.backups().looks.lock() = Some(Arc::new(move |now| *counts.lock() += usize::from(now == doing)));
        self.begin("counted").await.expect("no panic").expect("made");
        fs::remove_file(self.at("counted")).expect("removed");
        *count.lock()
    }

    /// Takes the kiln down while the backup is stopped there; it waits for the backup's end.
    async fn goes_down_at(&self, stopped: Stopped) {
        let goes = stopped.reached().await;
        let mut closing = Box::pin(self.backups().close());
        assert!(is_pending(closing.as_mut()));
        drop(goes);
        closing.await;
    }

    /// Waits until nothing of a backup moves.
    async fn is_over(&self) {
        *self.backups().looks.lock() = None;
        tokio::time::timeout(PATIENCE, self.backups().ended()).await.expect("it ends");
    }

    /// One that is whole, and restored; then it is gone.
    async fn another_is_made(&self, name: &str) {
        let told = self.begin(name).await.expect("no panic").expect("made");
        assert_eq!(told["machines"], 1);
        self.restores(name);
    }

    fn restores(&self, name: &str) {
        let to = self.dir.path().join("restored");
        kiln_backup::restore(&self.at(name), &to, &|_| {}).expect("it is whole");
        for file in ["kiln.db", "state.json", "root.key", "ssm.key", "machines/machines/i-1/disk"] {
            assert!(to.join(file).exists(), "{file}");
        }
        fs::remove_dir_all(to).expect("removed");
        fs::remove_file(self.at(name)).expect("removed");
    }
}

/// A thread in the middle of a backup.
struct Stopped {
    reaches: Receiver<()>,
    goes: Sender<()>,
}

impl Stopped {
    async fn reached(self) -> Sender<()> {
        let waits = spawn_blocking(move || self.reaches.recv_timeout(PATIENCE).map(|()| self.goes));
        waits.await.expect("no panic").expect("it comes there")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_caller_goes_leaves_nothing_and_harms_no_other() {
    let given = given().await;
    for (doing, number) in [("the database", 1), ("the database", 5), ("files", 2), ("machine i-1", 1), ("its end", 1)]
    {
        let stopped = given.stop_at(doing, number);
        let first = given.begin("first");
        let goes = stopped.reached().await;
        first.abort();
        assert!(first.await.expect_err("given up").is_cancelled());
        // Its thread goes on for now, with its copies.
        let told = given.begin("second").await.expect("no panic").expect_err("refused");
        assert!(told.contains("another backup"), "{doing}: {told}");
        assert!(given.staging().is_dir(), "{doing}");
        assert_eq!(given.made(), ["first.part"], "{doing}");
        drop(goes);
        given.is_over().await;
        assert!(!given.staging().exists(), "{doing}");
        assert_eq!(given.made(), [""; 0], "{doing}");
        given.another_is_made("second").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_a_driver_still_makes_is_cleared_away_when_it_has_ended() {
    let given = given().await;
    let (reached, reaches) = channel();
    let (goes, go) = channel::<()>();
    let go = Mutex::new(go);
    given.driver.copy_by(move |id, to| {
        let _ = reached.send(());
        let _ = go.lock().recv();
        copy(id, to)
    });
    let first = given.begin("first");
    let goes = Stopped { reaches, goes }.reached().await;
    first.abort();
    assert!(first.await.expect_err("given up").is_cancelled());
    assert!(given.backups().begin().is_err(), "the driver writes to its folder");
    assert!(given.staging().is_dir());
    drop(goes);
    given.is_over().await;
    assert!(!given.staging().exists());
    given.another_is_made("second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiln_that_goes_down_waits_until_nothing_of_it_moves() {
    let given = given().await;
    let stopped = given.stop_at("files", 2);
    let work = given.begin("first");
    given.goes_down_at(stopped).await;
    assert!(!given.staging().exists());
    assert_eq!(given.made(), [""; 0]);
    let told = work.await.expect("no panic").expect_err("none was made");
    assert!(told.contains("goes down: no backup was made"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_its_name_when_kiln_goes_down_is_told_as_made() {
    let given = given().await;
    let looks = given.looks_at("its end").await;
    let stopped = given.stop_at("its end", looks);
    let work = given.begin("first");
    given.goes_down_at(stopped).await;
    let told = work.await.expect("no panic").expect("it is made");
    assert_eq!(told["file"], given.at("first").display().to_string());
    given.restores("first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_not_where_its_driver_says_ends_the_backup() {
    let given = given().await;
    given.driver.copy_by(|_, _| Ok(Copied::Folder));
    let told = given.begin("first").await.expect("no panic").expect_err("it is missing");
    assert!(told.contains("backup.tmp/i-1"), "{told}");
    assert_eq!(given.made(), [""; 0]);
    given.driver.copy_by(|_, _| Ok(Copied::Nothing));
    let told = given.begin("second").await.expect("no panic").expect("nothing is missing");
    assert_eq!(told["machines"], 1);
}
