//! Measures embedded engines for `journal/`: the same entries, the same group commit, the same questions.
//! `cargo run --release --features fjall -- DIRECTORY WHAT`, where WHAT is one of the names in [`main`];
//! docs/decisions/0016-journal.md has the table. Kept out of the workspace and of `make test`.

mod engines;

use engines::{Engine, Entry};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const STREAMS: u64 = 1_000;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("DIRECTORY WHAT")?);
    let what = arguments.next().ok_or("DIRECTORY WHAT")?;
    match what.as_str() {
        "appends" => appends(&dir),
        "bulk" => bulk(&dir),
        "million" => million(&dir),
        "idle" => idle(&dir),
        "trim" => trim(&dir),
        "writer" => writer(&dir),
        "verify" => verify(&dir, &arguments.next().ok_or("the last number that was said")?),
        "full" => full(&dir),
        other => Err(format!("no {other}").into()),
    }
}

/// `STREAM # NUMBER`, the number so that its order is the bytes' order.
fn key(stream: u64, number: u64) -> Vec<u8> {
    let mut key = format!("arn:aws:cloudformation:eu-central-1:000000000000:stack/stack-{stream:06}#").into_bytes();
    key.extend(number.to_be_bytes());
    key
}

/// Text that compresses about as well as a stack event does.
fn value(length: usize, seed: u64) -> Vec<u8> {
    let mut text = String::with_capacity(length + 64);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while text.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{{\"logical_id\":\"Thing{state:016x}\",\"status\":\"CREATE_COMPLETE\"}}"));
    }
    text.truncate(length);
    text.into_bytes()
}

/// Memory of this process that no file backs, in KiB.
fn rss() -> u64 {
    status("RssAnon:") + status("RssShmem:")
}

fn rss_file() -> u64 {
    status("RssFile:")
}

/// What the kernel says of this process; a measurement that cannot be taken is none.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel's account of this process");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a kernel that counts it");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

fn size(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let each = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    });
    each.sum()
}

/// One thread commits what has gathered, as Kiln's store does.
struct Committer {
    queue: mpsc::Sender<(Vec<Entry>, mpsc::SyncSender<()>)>,
    commits: Arc<AtomicU64>,
}

impl Committer {
    fn start(engine: Arc<dyn Engine>) -> Committer {
        let (queue, waiting) = mpsc::channel::<(Vec<Entry>, mpsc::SyncSender<()>)>();
        let commits = Arc::new(AtomicU64::new(0));
        let counted = commits.clone();
        std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let mut jobs = vec![first];
                jobs.extend(waiting.try_iter());
                let batch: Vec<Entry> = jobs.iter().flat_map(|(entries, _)| entries.iter().cloned()).collect();
                engine.append(&batch).expect("appended");
                counted.fetch_add(1, Ordering::Relaxed);
                for (_, answer) in jobs {
                    let _ = answer.send(());
                }
            }
        });
        Committer { queue, commits }
    }

    fn append(&self, entries: Vec<Entry>) {
        let (answer, done) = mpsc::sync_channel(1);
        self.queue.send((entries, answer)).expect("the thread runs");
        done.recv().expect("answered");
    }
}

fn appends(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    for writers in [1, 16] {
        let committer = Arc::new(Committer::start(engines::open(&dir.join(writers.to_string()))?));
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicU64::new(0));
        let begun = Instant::now();
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let (committer, stop, count) = (committer.clone(), stop.clone(), count.clone());
                std::thread::spawn(move || {
                    let mut number = 0;
                    while !stop.load(Ordering::Relaxed) {
                        committer.append(vec![(key(writer, number), value(1_000, number))]);
                        number += 1;
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs(4));
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().expect("ended"));
        let seconds = begun.elapsed().as_secs_f64();
        let (count, commits) = (count.load(Ordering::Relaxed), committer.commits.load(Ordering::Relaxed));
        println!(
            "{writers} writers: {:.0} durable appends/s, {:.1} a commit",
            count as f64 / seconds,
            count as f64 / commits as f64
        );
    }
    Ok(())
}

fn bulk(dir: &Path) -> Result<()> {
    let engine = engines::open(dir)?;
    for (name, length, batch) in
        [("log events", 250, 2_000u64), ("points", 24, 5_000), ("blocks of log events", 256 << 10, 8)]
    {
        let begun = Instant::now();
        let mut count = 0u64;
        while begun.elapsed() < Duration::from_secs(5) {
            let batch: Vec<Entry> = (count..count + batch).map(|n| (key(n % 20, n), value(length, n))).collect();
            engine.append(&batch)?;
            count += batch.len() as u64;
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{name}: {:.0} values/s, {:.1} MB/s of values; {} MiB anonymous",
            count as f64 / seconds,
            (count * length as u64) as f64 / seconds / 1e6,
            rss() / 1024
        );
    }
    println!("on disk {} MiB", size(dir) >> 20);
    Ok(())
}

fn million(dir: &Path) -> Result<()> {
    let before = rss();
    let engine = engines::open(dir)?;
    println!("empty: +{} KiB", rss().saturating_sub(before));
    let begun = Instant::now();
    for group in 0..1_000u64 {
        // Each stream gets its next number: keys come in between those that are there.
        let batch: Vec<Entry> = (0..STREAMS).map(|s| (key(s, group), value(250, s + group * STREAMS))).collect();
        engine.append(&batch)?;
    }
    println!(
        "1M entries of 250 B in {:.1} s; +{} KiB anonymous, {} KiB file pages",
        begun.elapsed().as_secs_f64(),
        rss().saturating_sub(before),
        rss_file()
    );
    reads(&*engine)?;
    println!("after reads: +{} KiB anonymous; on disk {} MiB", rss().saturating_sub(before), size(dir) >> 20);
    Ok(())
}

fn reads(engine: &dyn Engine) -> Result<()> {
    let mut micros: Vec<u128> = vec![];
    for n in 0..2_000u64 {
        let stream = n * 7_919 % STREAMS;
        let begun = Instant::now();
        let found = engine.range(&key(stream, 0), &key(stream, u64::MAX), true, 100)?;
        micros.push(begun.elapsed().as_micros());
        assert_eq!(found.len(), 100);
    }
    micros.sort();
    println!("newest 100 of a stream: p50 {} µs, p99 {} µs", micros[1_000], micros[1_980]);
    Ok(())
}

fn idle(dir: &Path) -> Result<()> {
    let before = rss();
    let begun = Instant::now();
    let engine = engines::open(dir)?;
    println!("opened in {} ms: +{} KiB", begun.elapsed().as_millis(), rss().saturating_sub(before));
    reads(&*engine)?;
    println!("after reads: +{} KiB, file pages {} KiB", rss().saturating_sub(before), rss_file());
    Ok(())
}

fn trim(dir: &Path) -> Result<()> {
    let engine = engines::open(dir)?;
    let begun = Instant::now();
    for stream in 0..STREAMS {
        engine.remove(&key(stream, 0), &key(stream, 499))?;
    }
    println!("500 k of 1 M removed, 1,000 ranges, in {:.2} s; +{} KiB", begun.elapsed().as_secs_f64(), rss());
    drop(engine);
    let engine = engines::open(dir)?;
    for group in 1_000..1_200u64 {
        let batch: Vec<Entry> = (0..STREAMS).map(|s| (key(s, group), value(250, s + group * STREAMS))).collect();
        engine.append(&batch)?;
    }
    std::thread::sleep(Duration::from_secs(5));
    println!("with 200 k more: on disk {} MiB", size(dir) >> 20);
    Ok(())
}

/// Says each number once it is durable, until it is killed.
fn writer(dir: &Path) -> Result<()> {
    let engine = engines::open(dir)?;
    let first = engine.range(&key(0, 0), &key(0, u64::MAX), true, 1)?;
    let first = first.first().map_or(0, |(key, _)| u64::from_be_bytes(key[key.len() - 8..].try_into().unwrap()) + 1);
    for n in first.. {
        engine.append(&[(key(0, n), value(1_000, n))])?;
        println!("{n}");
    }
    Ok(())
}

fn verify(dir: &Path, said: &str) -> Result<()> {
    let said: u64 = said.parse()?;
    let begun = Instant::now();
    let engine = engines::open(dir)?;
    let opened = begun.elapsed();
    let all = engine.range(&key(0, 0), &key(0, u64::MAX), false, usize::MAX)?;
    for (n, (found, held)) in (0u64..).zip(&all) {
        assert_eq!((found, held), (&key(0, n), &value(1_000, n)));
    }
    assert!(all.len() as u64 > said, "{said} was said and {} are there", all.len());
    println!("{} there, {said} said; opened in {} ms", all.len(), opened.as_millis());
    Ok(())
}

/// On a small file system: fills it, makes room, goes on; all that was acknowledged is there.
fn full(dir: &Path) -> Result<()> {
    let filler = dir.parent().unwrap().join("filler");
    std::fs::write(&filler, vec![1; 8 << 20])?;
    let engine = engines::open(dir)?;
    let mut number = 0;
    let error = loop {
        match engine.append(&[(key(0, number), value(100_000, number))]) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    println!("after {number}: {error}");
    println!("again: {:?}", engine.append(&[(key(0, number), value(100_000, number))]).map_err(|e| e.to_string()));
    std::fs::remove_file(&filler)?;
    let more = engine.append(&[(key(0, number), value(100_000, number))]);
    println!("with room, same handle: {:?}", more.as_ref().map_err(|e| e.to_string()));
    let expected = number + u64::from(more.is_ok());
    let found = engine.range(&key(0, 0), &key(0, u64::MAX), false, usize::MAX)?.len();
    println!("{found} there, {expected} acknowledged");
    drop(engine);
    let engine = engines::open(dir)?;
    let found = engine.range(&key(0, 0), &key(0, u64::MAX), false, usize::MAX)?.len();
    println!(
        "opened again: {found} there; append: {:?}",
        engine.append(&[(key(0, 1 << 40), value(1_000, 1))]).map_err(|e| e.to_string())
    );
    Ok(())
}
