//! Durable writes per second, by 1 and by 16 writers, beside what the disk itself does.
//!
//! `cargo run --release -p kiln-store --example durable_writes [DIRECTORY]`

use kiln_clock::Clock;
use kiln_store::{Record, Scope, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// About the size of a small record: 300 bytes of JSON.
#[derive(Clone, Serialize, Deserialize)]
struct Parameter {
    value: String,
    version: u64,
}

impl Record for Parameter {
    const KIND: &'static str = "example/parameter";
}

const RUN: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let dir = tempfile::tempdir_in(parent)?;
    println!("{:<34} {:>10.0}/s", "4 KiB append + fdatasync (floor)", floor(dir.path())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for writers in [1, 16, 64] {
        let path = dir.path().join(format!("{writers}.db"));
        let store = Store::open(&path, Clock::system())?;
        let seconds = runtime.block_on(durable(&store, writers))?;
        let figures = store.figures();
        println!(
            "{:<34} {:>10.0}/s   {:.1} writes per fsync",
            format!("durable writes, {writers} writers"),
            figures.transactions as f64 / seconds,
            figures.transactions as f64 / figures.disk_commits as f64,
        );
    }
    let simulated = Store::in_memory(Clock::system());
    let seconds = runtime.block_on(durable(&simulated, 1))?;
    let rate = simulated.figures().transactions as f64 / seconds;
    println!("{:<34} {rate:>10.0}/s", "in memory (simulation), 1 writer");
    Ok(())
}

async fn durable(store: &Store, writers: u64) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let scope = Scope::new("000000000000", "eu-central-1");
                let value = "x".repeat(260);
                let mut version = 0;
                while start.elapsed() < RUN {
                    let id = format!("parameter-{writer}-{}", version % 1000);
                    let record = Parameter { value: value.clone(), version };
                    store.write(|tx| tx.put(&scope, &id, record)).await?;
                    version += 1;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(start.elapsed().as_secs_f64())
}

fn floor(dir: &Path) -> Result<f64, std::io::Error> {
    let mut file = std::fs::File::create(dir.join("floor"))?;
    let (start, mut appends) = (Instant::now(), 0u32);
    while start.elapsed() < RUN {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        appends += 1;
    }
    Ok(f64::from(appends) / start.elapsed().as_secs_f64())
}
