//! `kiln shell`: a command inside a machine, with input and output of its own.
//!
//! ```text
//! terminal ── copied ── a pty of ours ── crun ── a pty of the machine's ── the command
//! a file, a pipe, … ── copied ── pipes of ours ─────────────────────────── the command
//! ```
//! Nothing of the caller's goes in: no terminal, no file, no session. What the command leaves
//! running holds pipes or a pty whose other ends are closed with us, so it can neither read what
//! is typed later nor write where the caller's output went.

use nix::libc;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs the command; the exit code to end with. `Err` is one line for the terminal.
pub async fn run(argv: &[String]) -> Result<i32, String> {
    let (program, rest) = argv.split_first().ok_or("kiln named no command to run")?;
    let mut command = Command::new(program);
    command.args(rest);
    let failed = |e: io::Error| format!("failed to run {program}: {e}");
    match io::stdin().is_terminal() && io::stdout().is_terminal() {
        true => on_terminal(command).await.map_err(failed),
        false => on_pipes(command).await.map_err(failed),
    }
}

/// Gives the command a session of its own, and no file of ours beside its input and output. With
/// `terminal` its input becomes the session's terminal.
fn apart(command: &mut Command, terminal: bool) {
    let enter = move || {
        // SAFETY: plain integers.
        unsafe {
            let has_terminal = || libc::ioctl(0, libc::TIOCSCTTY, 0) == 0;
            let alone = libc::setsid() >= 0 && (!terminal || has_terminal());
            // What it runs ends with us, if we are killed.
            let follows = libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGHUP) == 0;
            let closed = libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0;
            if alone && follows && closed { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
    };
    // SAFETY: the closure makes system calls on integers only.
    unsafe { command.pre_exec(enter) };
}

async fn on_pipes(mut command: Command) -> io::Result<i32> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    apart(&mut command, false);
    let mut child = tokio::process::Command::from(command).spawn()?;
    if let Some(mut to) = child.stdin.take().map(|to| to.into_owned_fd().map(File::from)).transpose()? {
        blocking(&to)?;
        std::thread::spawn(move || copy_input(&mut to));
    }
    let (bell, rings) = io::pipe()?;
    let bell = Arc::new(bell);
    let out = child.stdout.take().map(|from| from.into_owned_fd()).transpose()?;
    let err = child.stderr.take().map(|from| from.into_owned_fd()).transpose()?;
    let copies = [
        out.map(|from| copy_output(from, io::stdout(), bell.clone())),
        err.map(|from| copy_output(from, io::stderr(), bell.clone())),
    ];
    let code = wait(&mut child, None).await?;
    drop(rings);
    finish(copies.into_iter().flatten()).await;
    Ok(code)
}

async fn on_terminal(mut command: Command) -> io::Result<i32> {
    let (master, slave) = pty()?;
    let same = || slave.try_clone().map(Stdio::from);
    command.stdin(same()?).stdout(same()?).stderr(same()?);
    apart(&mut command, true);
    let mut child = tokio::process::Command::from(command).spawn()?;
    drop(slave);
    let raw = Raw::set()?;
    let mut to = File::from(master.try_clone()?);
    std::thread::spawn(move || copy_input(&mut to));
    let (bell, rings) = io::pipe()?;
    let copy = copy_output(master.try_clone()?, io::stdout(), Arc::new(bell));
    let code = wait(&mut child, Some(master.as_fd())).await;
    drop(rings);
    finish([copy].into_iter()).await;
    drop(raw);
    code
}

/// Waits for the command's end; hands on the signals we get, and the size of our terminal.
async fn wait(child: &mut tokio::process::Child, master: Option<BorrowedFd<'_>>) -> io::Result<i32> {
    let group = child.id().and_then(|pid| i32::try_from(pid).ok());
    let [mut int, mut term, mut hup, mut quit] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()].map(signal);
    let mut size = signal(SignalKind::window_change())?;
    loop {
        let number = tokio::select! {
            status = child.wait() => {
                let status = status?;
                return Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
            }
            _ = size.recv() => {
                if let Some(master) = master {
                    copy_size(master)?;
                }
                continue;
            }
            () = comes(&mut int) => libc::SIGINT,
            () = comes(&mut term) => libc::SIGTERM,
            () = comes(&mut hup) => libc::SIGHUP,
            () = comes(&mut quit) => libc::SIGQUIT,
        };
        if let Some(group) = group {
            // It may have ended this moment. SAFETY: plain integers.
            unsafe { libc::killpg(group, number) };
        }
    }
}

async fn comes(signal: &mut io::Result<Signal>) {
    match signal {
        Ok(signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Copies our input until its end, or until nobody reads.
fn copy_input(to: &mut File) {
    let mut input = io::stdin().lock();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) if to.write_all(&buffer[..n]).is_ok() => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

/// Copies output until its end; once the bell is rung, what is there and no more: something that
/// was left running may hold it open for ever.
fn copy_output(from: OwnedFd, mut to: impl Write + Send + 'static, bell: Arc<PipeReader>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut from = File::from(from);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let Ok(there) = wait_for(&from, &bell) else { return };
            if !there {
                return;
            }
            match from.read(&mut buffer) {
                // Nobody wants more: our end is closed, and the command is told by that.
                Ok(n @ 1..) if to.write_all(&buffer[..n]).and_then(|()| to.flush()).is_ok() => {}
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                _ => return,
            }
        }
    })
}

/// Waits until there is output (true), or the bell was rung and there is none.
fn wait_for(from: &File, bell: &PipeReader) -> io::Result<bool> {
    let entry = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut both = [entry(from.as_raw_fd()), entry(bell.as_raw_fd())];
    loop {
        // SAFETY: two valid entries.
        match unsafe { libc::poll(both.as_mut_ptr(), 2, -1) } {
            -1 if io::Error::last_os_error().kind() == ErrorKind::Interrupted => {}
            -1 => return Err(io::Error::last_os_error()),
            _ => return Ok(both[0].revents != 0),
        }
    }
}

async fn finish(copies: impl Iterator<Item = JoinHandle<()>>) {
    for copy in copies {
        // A copy that panicked has said so.
        let _ = tokio::task::spawn_blocking(|| copy.join()).await;
    }
}

/// tokio's pipes do not block; ours is used by a thread.
fn blocking(file: &File) -> io::Result<()> {
    // SAFETY: an open descriptor and plain integers.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A pty of our own, of the size of our terminal: our end and the command's.
fn pty() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut master, mut slave) = (-1, -1);
    let (name, settings, size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
    // SAFETY: two valid places; the rest may be null.
    if unsafe { libc::openpty(&raw mut master, &raw mut slave, name, settings, size) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave us both; nobody else owns them.
    let both = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    for fd in [&both.0, &both.1] {
        // SAFETY: an open descriptor and plain integers.
        if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    copy_size(both.0.as_fd())?;
    Ok(both)
}

/// Gives a pty the size of our terminal.
fn copy_size(to: BorrowedFd<'_>) -> io::Result<()> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: open descriptors, and a valid place for the size.
    let done = unsafe {
        libc::ioctl(0, libc::TIOCGWINSZ, &raw mut size) == 0
            && libc::ioctl(to.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Our terminal hands on what is typed as it is; as before again at the end.
struct Raw(libc::termios);

impl Raw {
    fn set() -> io::Result<Self> {
        // SAFETY: all zeroes are valid settings, and are overwritten by the terminal's.
        let mut before: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: a valid place for the settings.
        if unsafe { libc::tcgetattr(0, &raw mut before) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut raw = before;
        // SAFETY: valid settings.
        let set = unsafe {
            libc::cfmakeraw(&raw mut raw);
            libc::tcsetattr(0, libc::TCSADRAIN, &raw const raw)
        };
        if set < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(before)) }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: the terminal's own settings of before.
        unsafe { libc::tcsetattr(0, libc::TCSADRAIN, &raw const self.0) };
    }
}
