//! Which system calls a machine may make: those named here, no others.
//!
//! A machine has its own init, users and mounts, so mounting, namespaces and
//! `reboot` (of itself) are allowed; all of them act in its own user namespace.
//! Left out is what reaches past it into the kernel that all machines share:
//! modules, kexec, BPF, perf events, io_uring, key rings, userfaultfd, raw I/O
//! ports, swap, clocks, file handles. A call that is left out fails with ENOSYS,
//! as on a kernel that does not have it, and programs take their other way.
//!
//! Of sockets, only the families are there that a machine's network is made of. The others are of
//! no network namespace (AF_VSOCK: whoever listens on the host hears every machine), or drivers that
//! hardly anybody uses and everybody could reach. They fail as if the kernel did not have them.

use nix::libc;
use serde_json::{Value, json};

const ALLOWED: &str = "accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget \
capset chdir chmod chown chroot clock_getres clock_gettime clock_nanosleep clone clone3 close \
close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl \
epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat \
exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_init fanotify_mark fchdir fchmod \
fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr \
fsconfig fsetxattr fsmount fsopen fspick fstat fstatfs fsync ftruncate futex futex_requeue \
futex_wait futex_waitv futex_wake futimesat get_mempolicy get_robust_list get_thread_area getcpu \
getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp \
getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname \
getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init \
inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit \
ioctl ioprio_get ioprio_set kcmp kill landlock_add_rule landlock_create_ruleset \
landlock_restrict_self lchown lgetxattr link linkat listen listmount listxattr listxattrat \
llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack mbind membarrier \
memfd_create memfd_secret migrate_pages mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall \
mmap mount mount_setattr move_mount move_pages mprotect mq_getsetattr mq_notify mq_open \
mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock \
munlockall munmap name_to_handle_at nanosleep newfstatat open open_tree openat openat2 pause \
personality pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc pkey_free \
pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_madvise process_mrelease \
process_vm_readv process_vm_writev pselect6 ptrace pwrite64 pwritev pwritev2 read readahead \
readlink readlinkat readv reboot recvfrom recvmmsg recvmsg remap_file_pages removexattr \
removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending \
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo \
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam \
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam \
sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg \
sendmsg sendto set_mempolicy set_mempolicy_home_node set_robust_list set_thread_area \
set_tid_address setdomainname setfsgid setfsuid setgid setgroups sethostname setitimer setns \
setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid \
setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 \
splice stat statfs statmount statx symlink symlinkat sync sync_file_range syncfs \
sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime \
timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask umount2 uname unlink \
unlinkat unshare utime utimensat utimes vfork vhangup vmsplice wait4 waitid write writev";

/// Families of sockets a machine may have.
const FAMILIES: [i32; 5] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];
/// Parts of the kernel a machine may talk to by netlink: its own network, its filter, udev's events,
/// and audit, which answers nobody in a machine and is asked by every login.
const NETLINK: [i32; 7] = [
    libc::NETLINK_ROUTE,
    libc::NETLINK_USERSOCK,
    libc::NETLINK_SOCK_DIAG,
    libc::NETLINK_AUDIT,
    libc::NETLINK_NETFILTER,
    libc::NETLINK_KOBJECT_UEVENT,
    libc::NETLINK_GENERIC,
];

/// Rules for a call whose argument `index` may be one of `allowed` only, for all values there are.
/// With `when` another argument must have a value.
fn only(call: &str, index: u32, allowed: &[i32], when: Option<(u32, i32)>, otherwise: i32) -> Vec<Value> {
    let most = allowed.iter().max().map_or(0, |most| most + 1);
    let arg = |index: u32, value: i32, op: &str| json!({ "index": index, "value": value, "op": op });
    let rule = |value: i32, op: &str| {
        let mut args = vec![arg(index, value, op)];
        args.extend(when.map(|(index, value)| arg(index, value, "SCMP_CMP_EQ")));
        match allowed.contains(&value) {
            true => json!({ "names": [call], "action": "SCMP_ACT_ALLOW", "args": args }),
            false => json!({ "names": [call], "action": "SCMP_ACT_ERRNO", "errnoRet": otherwise, "args": args }),
        }
    };
    (0..most).map(|value| rule(value, "SCMP_CMP_EQ")).chain([rule(most, "SCMP_CMP_GE")]).collect()
}

/// The profile, as an OCI bundle has it.
pub fn profile() -> Value {
    let mut calls =
        vec![json!({ "names": ALLOWED.split_whitespace().collect::<Vec<_>>(), "action": "SCMP_ACT_ALLOW" })];
    let plain: Vec<i32> = FAMILIES.into_iter().filter(|family| *family != libc::AF_NETLINK).collect();
    // Netlink has rules of its own: of two that fit a call, which one counts is nobody's promise.
    let families = only("socket", 0, &plain, None, libc::EAFNOSUPPORT);
    let of_netlink = |rule: &Value| rule.pointer("/args/0/value") == Some(&json!(libc::AF_NETLINK));
    calls.extend(families.into_iter().filter(|rule| !of_netlink(rule)));
    calls.extend(only("socket", 2, &NETLINK, Some((0, libc::AF_NETLINK)), libc::EPROTONOSUPPORT));
    calls.extend(only("socketpair", 0, &[libc::AF_UNIX], None, libc::EAFNOSUPPORT));
    let architectures =
        if cfg!(target_arch = "aarch64") { json!(["SCMP_ARCH_AARCH64"]) } else { json!(["SCMP_ARCH_X86_64"]) };
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::ENOSYS,
        "architectures": architectures,
        "syscalls": calls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the profile says to `socket(family, _, protocol)`; every rule that fits says the same.
    fn socket(family: u64, protocol: u64) -> String {
        let profile = profile();
        let rules = profile["syscalls"].as_array().expect("rules").iter();
        let fits = |rule: &&Value| {
            rule["names"] == json!(["socket"])
                && rule["args"].as_array().expect("arguments").iter().all(|arg| {
                    let (value, given) = (arg["value"].as_u64().expect("a number"), [family, 0, protocol]);
                    let given = given[usize::try_from(arg["index"].as_u64().expect("a number")).expect("small")];
                    if arg["op"] == "SCMP_CMP_EQ" { given == value } else { given >= value }
                })
        };
        let mut said: Vec<&Value> = rules.filter(fits).map(|rule| &rule["action"]).collect();
        said.dedup();
        assert_eq!(said.len(), 1, "socket({family}, _, {protocol})");
        said[0].as_str().expect("a word").to_owned()
    }

    #[test]
    fn sockets_are_of_few_families_whatever_the_numbers() {
        let allow = "SCMP_ACT_ALLOW";
        for family in (0..64).chain([1 << 32, (1 << 32) + 2, u64::MAX]) {
            let expected = [1, 2, 10, 17].contains(&family);
            if family != 16 {
                assert_eq!(socket(family, 0) == allow, expected, "family {family}");
            }
        }
        for protocol in (0..64).chain([1 << 32, u64::MAX]) {
            assert_eq!(socket(16, protocol) == allow, [0, 2, 4, 9, 12, 15, 16].contains(&protocol), "{protocol}");
        }
    }

    #[test]
    fn nothing_that_reaches_the_shared_kernel_is_allowed() {
        let allowed: Vec<&str> = ALLOWED.split_whitespace().collect();
        for call in [
            "init_module",
            "finit_module",
            "delete_module",
            "kexec_load",
            "kexec_file_load",
            "bpf",
            "perf_event_open",
            "io_uring_setup",
            "add_key",
            "keyctl",
            "request_key",
            "userfaultfd",
            "iopl",
            "ioperm",
            "swapon",
            "swapoff",
            "settimeofday",
            "clock_settime",
            "open_by_handle_at",
            "quotactl",
            "acct",
            "syslog",
        ] {
            assert!(!allowed.contains(&call), "{call}");
        }
    }
}
