//! Records that must outlive a `kill -9` before the journal has them: a file that is written to before the answer goes out.
//!
//! ```text
//! N.spool    what waits now: each record a line, written when its call ends (no fsync: a power cut takes the last second)
//! (N-1, …)   what is being moved into the journal; removed once it is there
//! ```
//! Bytes that a process has written are the kernel's, whatever becomes of the process. So a write call costs some
//! microseconds and no answer waits for the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Of what is left to be read by the next kiln, so much: what can wait (16 MiB), twice, and room.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The files.
pub struct Spool {
    folder: PathBuf,
    number: u64,
    file: File,
    empty: bool,
}

impl Spool {
    /// Opens a folder of such files, and gives the lines that an earlier kiln has left, oldest first.
    pub fn open(folder: &Path) -> io::Result<(Self, Vec<String>)> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let (mut lines, mut bytes) = (vec![], 0);
        let numbers = numbers(folder)?;
        for number in &numbers {
            let path = path(folder, *number);
            bytes += fs::metadata(&path)?.len();
            if bytes > MOST_BYTES {
                return Err(io::Error::other(format!("{} and those before it are too long", path.display())));
            }
            let text = fs::read_to_string(&path)?;
            // A line that does not end was being written when that kiln ended: its call was never answered.
            lines.extend(text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned));
        }
        let number = numbers.last().map_or(0, |last| last + 1);
        let file = begin(folder, number)?;
        Ok((Self { folder: folder.to_owned(), number, file, empty: true }, lines))
    }

    /// Adds a line.
    pub fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.empty = false;
        self.file.write_all(line)
    }

    /// What is written from now on goes into another file. Answers which files are full then: those up to this number.
    pub fn turn_over(&mut self) -> io::Result<u64> {
        if self.empty {
            return Ok(self.number.saturating_sub(1));
        }
        self.file = begin(&self.folder, self.number + 1)?;
        self.number += 1;
        self.empty = true;
        Ok(self.number - 1)
    }

    /// Removes the files up to that number: what was in them is kept elsewhere.
    pub fn forget(&self, last: u64) -> io::Result<()> {
        for number in numbers(&self.folder)?.into_iter().filter(|number| *number <= last && *number != self.number) {
            fs::remove_file(path(&self.folder, number))?;
        }
        Ok(())
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.spool"))
}

fn begin(folder: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path(folder, number))
}

/// The numbers of the files that are there, in their order.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        found.extend(
            name.to_str().and_then(|name| name.strip_suffix(".spool")).and_then(|number| number.parse::<u64>().ok()),
        );
    }
    found.sort_unstable();
    Ok(found)
}
