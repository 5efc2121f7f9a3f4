//! User namespaces: as a table of ids for id-mapped mounts, and as a machine's own.
//!
//! A namespace lives as long as a process in it or a descriptor of it. Tiny processes are made for
//! it, its maps are written, the descriptor is taken, and the processes are ended: about 0.3 ms.
//! They share kiln's memory (a copy of its tables would cost more than all the rest), so they make
//! system calls on what was prepared for them and nothing else.
//!
//! A machine's namespace is two deep:
//!
//! ```text
//! the host's ── outer: of the machine's first user; bounds on all that is below ── inner: the machine
//! ```
//! The kernel counts what users have of some things (watches of files, message queues, namespaces)
//! and counts it again for whoever made their namespace. Were that the host's root, all machines
//! would share one count, and one of them could use it up. Bounds of the machine as a whole can be
//! set only where all of its users are one: above it.

use super::spawn::wait;
use nix::libc;
use nix::sched::CloneFlags;
use parking_lot::Mutex;
use std::ffi::{CStr, CString, c_int, c_void};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// How many ids each machine has.
pub const RANGE: u32 = 65_536;

/// Namespaces a machine may have at a time, its own ones among them. Each costs the host memory that
/// is counted as nobody's: a network some hundred KiB.
const BOUNDS: [(&CStr, &CStr); 7] = [
    (c"/proc/sys/user/max_net_namespaces", c"64"),
    (c"/proc/sys/user/max_user_namespaces", c"256"),
    (c"/proc/sys/user/max_pid_namespaces", c"256"),
    (c"/proc/sys/user/max_ipc_namespaces", c"256"),
    (c"/proc/sys/user/max_uts_namespaces", c"256"),
    (c"/proc/sys/user/max_cgroup_namespaces", c"256"),
    (c"/proc/sys/user/max_mnt_namespaces", c"1024"),
];

/// Words to a helper.
const GO: u8 = 1;
const END: u8 = 0;
/// Bytes of a helper's stack.
const STACK: usize = 32 * 1024;

/// A user namespace in which id `inside` is `outside` on the host, and so on
/// for [`RANGE`] ids.
pub fn with_map(inside: u32, outside: u32) -> io::Result<OwnedFd> {
    let job = Job::new(None)?;
    let map = format!("{inside} {outside} {RANGE}");
    job.run(&map, None)
}

/// Held while a machine's namespace is made. Whoever changes users makes the kernel hide the files of all
/// that share its memory, so one thread's change would take another's helper the right to write its maps.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The user namespace of a machine whose ids begin at `ids`.
pub fn of_machine(ids: u32) -> io::Result<OwnedFd> {
    let _one = ONE_AT_A_TIME.lock();
    let job = Job::new(Some(CString::new(format!("0 0 {RANGE}"))?))?;
    job.run(&format!("0 {ids} {RANGE}"), Some(ids))
}

/// What the helper processes find.
struct Job {
    kiln: c_int,
    /// Of the namespace below the helper's own, if there shall be one.
    inner_map: Option<CString>,
    inner_stack: Vec<u8>,
    /// The process in the outer namespace.
    outer: AtomicI32,
    /// The process in the namespace that is wanted.
    found: AtomicI32,
    /// What went wrong.
    error: AtomicI32,
    go: RawFd,
    done: RawFd,
}

impl Job {
    fn new(inner_map: Option<CString>) -> io::Result<Self> {
        let inner_stack = vec![0; if inner_map.is_some() { STACK } else { 0 }];
        let kiln = std::process::id().cast_signed();
        let [outer, found, error] = [0; 3].map(AtomicI32::new);
        Ok(Self { kiln, inner_map, inner_stack, outer, found, error, go: -1, done: -1 })
    }

    fn run(mut self, map: &str, owner: Option<u32>) -> io::Result<OwnedFd> {
        let (go, mut say_go) = io::pipe()?;
        let (mut done, say_done) = io::pipe()?;
        (self.go, self.done) = (go.as_raw_fd(), say_done.as_raw_fd());
        let mut stack = vec![0u8; STACK];
        let flags = CloneFlags::CLONE_NEWUSER.bits() | CloneFlags::CLONE_VM.bits() | libc::SIGCHLD;
        let mut start = || clone(helper, &mut stack, flags, std::ptr::from_mut(&mut self).cast());
        let pid = match owner {
            Some(owner) => made_by(owner, start)?,
            None => start()?,
        };
        // Only the helper holds them now: its end is the end of what we read.
        drop((go, say_done));
        let taken = (|| {
            fs::write(format!("/proc/{pid}/uid_map"), map)?;
            fs::write(format!("/proc/{pid}/gid_map"), map)?;
            say_go.write_all(&[GO])?;
            let ready = done.read(&mut [0])? == 1;
            match self.error.load(Ordering::SeqCst) {
                0 if ready => Ok(File::open(format!("/proc/{}/ns/user", self.found.load(Ordering::SeqCst)))?.into()),
                0 => Err(io::Error::other("the process that was to hold a user namespace ended")),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        })();
        // It ends its own helper and itself. Its memory is ours: it must be gone before we go on.
        say_go.write_all(&[END])?;
        wait(pid)?;
        taken
    }
}

/// Calls `start` as another user, who is then the maker of what is made. Only this thread's rights
/// change, and it keeps those that are root's.
fn made_by<T>(user: u32, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    const NO_SETUID_FIXUP: libc::c_ulong = 1 << 2;
    let keep = u32::MAX;
    // SAFETY: plain integers; the calls act on this thread alone, as libc's own wrappers do not.
    unsafe {
        // Without this it still works, on hosts where every user may make namespaces.
        libc::prctl(libc::PR_SET_SECUREBITS, NO_SETUID_FIXUP);
        if libc::syscall(libc::SYS_setresuid, keep, user, keep) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let started = start();
    // SAFETY: as above. Back to what its real user is, which is always allowed.
    let back = unsafe {
        let back = libc::syscall(libc::SYS_setresuid, keep, 0, keep);
        libc::prctl(libc::PR_SET_SECUREBITS, 0);
        // The kernel hides processes that change users from themselves.
        libc::prctl(libc::PR_SET_DUMPABLE, 1);
        back
    };
    assert!(back == 0, "a thread that cannot become root again must not go on");
    started
}

fn clone(
    body: extern "C" fn(*mut c_void) -> c_int,
    stack: &mut [u8],
    flags: c_int,
    job: *mut c_void,
) -> io::Result<c_int> {
    let end = stack.as_mut_ptr_range().end;
    // SAFETY: within the stack, aligned as processors want it.
    let top = unsafe { end.sub(end as usize % 16) };
    // SAFETY: stack and job outlive the process, whose end its starter waits for.
    match unsafe { libc::clone(body, top.cast(), flags, job) } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(pid),
    }
}

/// The process in the outer namespace, or the only one. It allocates nothing.
extern "C" fn helper(job: *mut c_void) -> c_int {
    // SAFETY: the starter keeps the job until this process has ended.
    let job = unsafe { &mut *job.cast::<Job>() };
    // SAFETY: system calls on integers and on text that was prepared.
    unsafe {
        // A kiln that is killed right here must not leave this process behind: it
        // holds all of kiln's files, its port and its locks among them.
        if !dies_with(job.kiln) || heard(job.go) != GO {
            return 1;
        }
        job.outer.store(libc::getpid(), Ordering::SeqCst);
        let inner = if job.inner_map.is_some() { nest(job).map(Some) } else { Ok(None) };
        match inner {
            Ok(inner) => job.found.store(inner.unwrap_or_else(|| libc::getpid()), Ordering::SeqCst),
            Err(error) => job.error.store(error, Ordering::SeqCst),
        }
        let said = libc::write(job.done, [GO].as_ptr().cast(), 1);
        if said == 1 {
            heard(job.go);
        }
        if let Ok(Some(inner)) = inner {
            libc::kill(inner, libc::SIGKILL);
            libc::waitpid(inner, std::ptr::null_mut(), 0);
        }
    }
    0
}

/// Asks to be killed when the starter is; false if that has happened already.
unsafe fn dies_with(starter: c_int) -> bool {
    // SAFETY: plain integers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid() == starter
    }
}

/// The next word from our starter.
unsafe fn heard(from: RawFd) -> u8 {
    let mut byte = [END];
    // SAFETY: an open descriptor and a valid place.
    let n = unsafe { libc::read(from, byte.as_mut_ptr().cast(), 1) };
    if n == 1 { byte[0] } else { END }
}

/// Sets the bounds of the outer namespace and makes the inner one; who is in it, or the error's number.
unsafe fn nest(job: &mut Job) -> Result<c_int, c_int> {
    let errno = || io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    // SAFETY: as its caller's. Not libc's own wrappers: they would do it to all of kiln's threads.
    unsafe {
        if libc::syscall(libc::SYS_setresgid, 0, 0, 0) < 0 || libc::syscall(libc::SYS_setresuid, 0, 0, 0) < 0 {
            return Err(errno());
        }
        // The files of the next process belong to whoever it is, so that its maps can be written.
        libc::prctl(libc::PR_SET_DUMPABLE, 1);
        // Whoever changes users has its wish to die with its starter forgotten by the kernel.
        if !dies_with(job.kiln) {
            return Err(libc::ESRCH);
        }
    }
    for (file, most) in BOUNDS {
        match put(file, most.to_bytes()) {
            // This kernel has none of this kind.
            Err(libc::ENOENT) => {}
            done => done?,
        }
    }
    let this = std::ptr::from_mut(job).cast();
    let flags = CloneFlags::CLONE_NEWUSER.bits() | CloneFlags::CLONE_VM.bits() | libc::SIGCHLD;
    let pid = clone(holder, &mut job.inner_stack, flags, this).map_err(|e| e.raw_os_error().unwrap_or(libc::EIO))?;
    let map = job.inner_map.as_deref().map_or(&[][..], CStr::to_bytes);
    let mut path = [0u8; 32];
    for file in ["uid_map", "gid_map"] {
        let name = proc_file(pid, file, &mut path);
        if let Err(error) = name.and_then(|name| put(name, map)) {
            // SAFETY: our own child.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, std::ptr::null_mut(), 0);
            }
            return Err(error);
        }
    }
    Ok(pid)
}

/// The process in the inner namespace.
extern "C" fn holder(job: *mut c_void) -> c_int {
    // SAFETY: the starter keeps the job until this process has ended; it only reads.
    let outer = unsafe { &(*job.cast::<Job>()).outer };
    // SAFETY: plain integers.
    unsafe {
        while dies_with(outer.load(Ordering::SeqCst)) {
            libc::pause();
        }
    }
    0
}

/// `/proc/PID/FILE`, without allocating.
fn proc_file<'a>(pid: c_int, file: &str, into: &'a mut [u8; 32]) -> Result<&'a CStr, c_int> {
    into.fill(0);
    let mut rest = &mut into[..31];
    write!(rest, "/proc/{pid}/{file}").map_err(|_| libc::ENAMETOOLONG)?;
    CStr::from_bytes_until_nul(into).map_err(|_| libc::ENAMETOOLONG)
}

/// Writes a text to a file of the kernel's; the error's number.
fn put(file: &CStr, text: &[u8]) -> Result<(), c_int> {
    let errno = || io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    // SAFETY: a valid name and text; the descriptor is closed.
    unsafe {
        let fd = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(errno());
        }
        let written = libc::write(fd, text.as_ptr().cast(), text.len());
        let error = errno();
        libc::close(fd);
        if written < 0 { Err(error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::FlockArg;
    use std::time::{Duration, Instant};

    /// The map as the host sees it.
    fn map_of(ns: &OwnedFd) -> String {
        let path = format!("/proc/{}/fd/{}", std::process::id(), ns.as_raw_fd());
        let mut enter = std::process::Command::new("nsenter");
        enter.arg(format!("--user={path}")).args(["sh", "-c", "echo in; read x"]);
        enter.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut inside = enter.spawn().expect("nsenter: run this as root");
        let mut said = [0; 3];
        inside.stdout.as_mut().expect("piped").read_exact(&mut said).expect("it is in");
        let shown = fs::read_to_string(format!("/proc/{}/uid_map", inside.id())).expect("read");
        drop(inside.stdin.take());
        inside.wait().expect("ended");
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn namespaces_have_their_maps_and_many_are_made_at_once() {
        std::thread::scope(|scope| {
            for n in 0..16u32 {
                scope.spawn(move || {
                    let first = 0x7000_0000 + n * RANGE;
                    assert_eq!(map_of(&with_map(0, first).expect("made")), format!("0 {first} {RANGE}"));
                    assert_eq!(map_of(&of_machine(first).expect("made")), format!("0 {first} {RANGE}"));
                });
            }
        });
        // SAFETY: no arguments.
        assert_eq!(unsafe { libc::geteuid() }, 0, "who makes them stays who it is");
    }

    /// Which file the child below holds.
    const HELD: &str = "KILN_TEST_USERNS_HELD";

    /// Not a test of its own: the next one runs it in a process that it kills.
    #[test]
    fn child_that_makes_namespaces_until_it_is_killed() {
        let Some(held) = std::env::var_os(HELD) else { return };
        let lock = nix::fcntl::Flock::lock(File::create(held).expect("made"), FlockArg::LockExclusive);
        let _lock = lock.map_err(|(_, e)| e).expect("locked");
        println!("ready");
        for _ in 0..100_000 {
            of_machine(0x7000_0000).expect("made");
        }
    }

    #[test]
    fn who_is_killed_while_it_makes_one_leaves_nobody_behind_with_its_files() {
        let dir = tempfile::tempdir().expect("a folder");
        for round in 0..100u32 {
            let held = dir.path().join(round.to_string());
            let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "host::userns::tests::child_that_makes_namespaces_until_it_is_killed", "--nocapture"])
                .env(HELD, &held)
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("started");
            let lines = io::BufRead::lines(io::BufReader::new(child.stdout.take().expect("piped")));
            assert!(lines.map_while(Result::ok).any(|line| line.ends_with("ready")), "it began");
            std::thread::sleep(Duration::from_micros(37 * u64::from(round)));
            child.kill().and_then(|()| child.wait()).expect("killed");
            let until = Instant::now() + Duration::from_secs(5);
            let mut file = File::open(&held).expect("there");
            while let Err((again, _)) = nix::fcntl::Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                assert!(Instant::now() < until, "round {round}: somebody still has its files");
                std::thread::sleep(Duration::from_millis(1));
                file = again;
            }
        }
    }

    #[test]
    fn a_machine_s_namespaces_are_bounded_and_counted_as_its_own() {
        let ns = of_machine(0x7000_0000).expect("made");
        let path = format!("/proc/{}/fd/{}", std::process::id(), ns.as_raw_fd());
        // Also over several of its users: each makes a few.
        let greedy = "i=0; while [ $i -lt 6 ]; do i=$((i + 1)); \
                      setpriv --reuid=$i --regid=$i --clear-groups sh -c 'for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do \
                      unshare --user --net sleep 5 2>/dev/null & done; wait' & done; sleep 2; pgrep -c -x sleep; kill 0";
        let made = std::process::Command::new("nsenter")
            .arg(format!("--user={path}"))
            .args(["--setuid=0", "--setgid=0", "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", greedy])
            .output()
            .expect("nsenter: run this as root");
        let said = String::from_utf8_lossy(&made.stdout);
        let count: u32 =
            said.trim().parse().unwrap_or_else(|e| panic!("{e}: {said} {}", String::from_utf8_lossy(&made.stderr)));
        assert!((32..=65).contains(&count), "{count} of 90 were made");
    }
}
