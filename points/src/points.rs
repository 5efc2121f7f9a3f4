//! The handle that everybody has: puts go through one thread, which commits for all that wait; reads look at one moment.

use crate::disk;
use crate::error::PointsError;
use crate::fresh::Fresh;
use crate::metric::{Listed, Metric, Wanted};
use crate::point::Sample;
use crate::read::{self, Bucket, Query};
use crate::writer::Writer;
use kiln_clock::Clock;
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Batches that wait for the disk at once; more wait for their turn before they are handed over.
const MOST_WAITING: usize = 32;
/// How often the thread looks whether something is due though nothing comes.
const LOOKS_EVERY: Duration = Duration::from_secs(5);

/// Is told which metrics have new data.
type Listener = Box<dyn Fn(&[Arc<Metric>]) + Send + Sync>;
type Answer = oneshot::Sender<Result<(), PointsError>>;

/// Points. Cheap to clone; the file is let go of with the last one.
#[derive(Clone)]
pub struct Points {
    shared: Arc<Shared>,
    /// Of what is on disk: the way to the thread that writes.
    to_thread: Option<Sender<(Vec<Sample>, Answer)>>,
    turn: Arc<Semaphore>,
}

struct Shared {
    path: PathBuf,
    clock: Clock,
    fresh: RwLock<Fresh>,
    writer: Mutex<Writer>,
    /// None in memory, where the writer's connection reads too.
    reader: Option<Mutex<Connection>>,
    /// Why nothing more is written.
    stopped: OnceLock<PointsError>,
    listener: OnceLock<Listener>,
}

impl Points {
    /// Opens the points in a directory, and makes what is missing.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, PointsError> {
        let connection = disk::open(path)?;
        let fresh = RwLock::default();
        let now = clock.now().millis() / 1000;
        let failed = |e| disk::classify(path, "read the newest points", e);
        let writer = Mutex::new(Writer::new(connection, &fresh, now).map_err(failed)?);
        let reader = Some(Mutex::new(disk::reader(path)?));
        let shared = Shared {
            path: path.to_owned(),
            clock,
            fresh,
            writer,
            reader,
            stopped: OnceLock::new(),
            listener: OnceLock::new(),
        };
        let shared = Arc::new(shared);
        let (to_thread, waiting) = channel();
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("points".to_owned());
        thread.spawn(move || of_thread.run(&waiting)).map_err(|e| disk::io(path, "start the thread that writes", e))?;
        Ok(Self { shared, to_thread: Some(to_thread), turn: Arc::new(Semaphore::new(MOST_WAITING)) })
    }

    /// The same meaning without a disk, for simulations: no thread, always the same order.
    pub fn in_memory(clock: Clock) -> Self {
        let fresh = RwLock::default();
        let connection = disk::in_memory().expect("a database in memory needs no disk");
        let writer = Writer::new(connection, &fresh, clock.now().millis() / 1000).expect("it is empty");
        let shared = Shared {
            path: PathBuf::from("memory"),
            clock,
            fresh,
            writer: Mutex::new(writer),
            reader: None,
            stopped: OnceLock::new(),
            listener: OnceLock::new(),
        };
        Self { shared: Arc::new(shared), to_thread: None, turn: Arc::new(Semaphore::new(MOST_WAITING)) }
    }

    /// From now on this is told of every put, after it is durable and before it returns: the metrics that have new
    /// data. There is one that listens; a second one is refused.
    pub fn listen(&self, listener: impl Fn(&[Arc<Metric>]) + Send + Sync + 'static) -> bool {
        self.shared.listener.set(Box::new(listener)).is_ok()
    }

    /// Keeps samples: durable on return, and seen by whoever reads then.
    pub async fn put(&self, samples: Vec<Sample>) -> Result<(), PointsError> {
        let listener = self.shared.listener.get();
        let mut metrics = vec![];
        if listener.is_some() {
            metrics.extend(samples.iter().map(|sample| sample.metric.clone()));
            metrics.sort();
            metrics.dedup();
        }
        self.keep(samples).await?;
        if let Some(listener) = listener {
            listener(&metrics);
        }
        Ok(())
    }

    async fn keep(&self, samples: Vec<Sample>) -> Result<(), PointsError> {
        let Some(to_thread) = &self.to_thread else { return self.shared.put(&[samples]) };
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        let (answer, answered) = oneshot::channel();
        let gone = || self.shared.stopped("the thread that writes is gone");
        to_thread.send((samples, answer)).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// What was measured, of one moment: for each question its periods in order.
    pub async fn read(&self, queries: Vec<Query>) -> Result<Vec<Vec<Bucket>>, PointsError> {
        self.reading(move |shared, connection, now| {
            let recent: Vec<_> = {
                let fresh = shared.fresh.read();
                // From here on the connection sees what was durable at this moment, which memory fits to.
                queries.iter().map(|query| query.recent(connection, &fresh)).collect::<rusqlite::Result<_>>()?
            };
            queries.iter().zip(recent).map(|(query, recent)| query.answer(connection, recent, now)).collect()
        })
        .await
    }

    /// Metrics in the order of their names, behind where another list ended.
    pub async fn list(&self, wanted: Wanted, after: Option<String>, limit: usize) -> Result<Listed, PointsError> {
        self.reading(move |_, connection, _| read::list(connection, &wanted, after.as_deref(), limit)).await
    }

    /// Whether anything was ever said of a metric.
    pub async fn exists(&self, metric: Metric) -> Result<bool, PointsError> {
        self.reading(move |_, connection, _| read::exists(connection, &metric)).await
    }

    /// Bytes on disk.
    pub fn size(&self) -> Result<u64, PointsError> {
        if self.to_thread.is_none() {
            return Ok(0);
        }
        let failed = |e| disk::io(&self.shared.path, "read the size of points", e);
        let mut bytes = 0;
        for entry in std::fs::read_dir(&self.shared.path).map_err(failed)? {
            bytes += entry.and_then(|entry| entry.metadata()).map_err(failed)?.len();
        }
        Ok(bytes)
    }

    /// Writes a copy, as of one moment, that [`open`](Self::open) opens: a directory that is not there yet. Puts go on
    /// meanwhile.
    pub fn copy_to(&self, path: &Path) -> Result<(), PointsError> {
        disk::open_empty(path)?;
        let source = disk::reader(&self.shared.path)?;
        let failed = |e| disk::classify(path, "copy points", e);
        source.execute("VACUUM INTO ?1", [disk::file(path).to_string_lossy()]).map_err(failed)?;
        let sync = |path: &Path| std::fs::File::open(path).and_then(|file| file.sync_all());
        sync(&disk::file(path)).and_then(|()| sync(path)).map_err(|e| disk::io(path, "copy points", e))
    }

    /// Makes chunks now and takes out what is too old. For tests and measurements: it is done in time anyway.
    pub fn settle(&self) -> Result<(), PointsError> {
        let now = self.shared.now();
        self.shared.write("write points", |writer, fresh| {
            writer.write_chunks(fresh, now)?;
            writer.trim(now)
        })
    }

    async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &Connection, i64) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PointsError> {
        let shared = self.shared.clone();
        if self.to_thread.is_none() {
            return shared.read(work);
        }
        tokio::task::spawn_blocking(move || shared.read(work))
            .await
            .unwrap_or_else(|_| Err(self.shared.stopped("a read broke off")))
    }
}

impl Shared {
    fn now(&self) -> i64 {
        self.clock.now().millis() / 1000
    }

    fn stopped(&self, reason: &str) -> PointsError {
        PointsError::Stopped { path: self.path.clone(), reason: reason.into() }
    }

    fn read<T>(&self, work: impl FnOnce(&Shared, &Connection, i64) -> rusqlite::Result<T>) -> Result<T, PointsError> {
        let failed = |e| disk::classify(&self.path, "read points", e);
        match &self.reader {
            None => work(self, &self.writer.lock().connection, self.now()).map_err(failed),
            Some(reader) => {
                let mut reader = reader.lock();
                let snapshot = reader.transaction().map_err(failed)?;
                work(self, &snapshot, self.now()).map_err(failed)
            }
        }
    }

    /// Does something to the file, unless what is in it is in doubt.
    fn write<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Writer, &RwLock<Fresh>) -> rusqlite::Result<T>,
    ) -> Result<T, PointsError> {
        let mut writer = self.writer.lock();
        if let Some(stopped) = self.stopped.get() {
            return Err(stopped.clone());
        }
        work(&mut writer, &self.fresh).map_err(|error| {
            let error = disk::classify(&self.path, doing, error);
            if matches!(error, PointsError::Stopped { .. }) {
                self.stopped.get_or_init(|| error.clone());
            }
            error
        })
    }

    fn put(&self, batches: &[Vec<Sample>]) -> Result<(), PointsError> {
        let now = self.now();
        self.write("keep points", |writer, fresh| writer.put(batches, fresh, now))?;
        if self.reader.is_none() {
            self.upkeep();
        }
        Ok(())
    }

    fn upkeep(&self) {
        let now = self.now();
        if let Err(error) = self.write("write points", |writer, fresh| writer.upkeep(fresh, now)) {
            tracing::error!(error = &error as &dyn std::error::Error, "points stay in memory and are tried again");
        }
    }

    /// The thread: as long as anybody has the handle.
    fn run(&self, waiting: &Receiver<(Vec<Sample>, Answer)>) {
        loop {
            match waiting.recv_timeout(LOOKS_EVERY) {
                Ok((samples, answer)) => {
                    let (mut batches, mut answers) = (vec![samples], vec![answer]);
                    while let Ok((samples, answer)) = waiting.try_recv() {
                        batches.push(samples);
                        answers.push(answer);
                    }
                    let kept = self.put(&batches);
                    for answer in answers {
                        // Who does not wait any more needs no answer.
                        let _ = answer.send(kept.clone());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.upkeep();
        }
    }
}
