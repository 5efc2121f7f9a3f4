//! Builds the guest program, static, so that the server can carry it in itself: one binary is all
//! there is to install. Nested cargo with a target directory of its own, since the guest needs
//! other compiler flags than the server.
//!
//! And has a release's binary linked small (docs/decisions/0022-binary.md).

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGETS: [(&str, &str); 2] = [("x86_64", "x86_64-unknown-linux-gnu"), ("aarch64", "aarch64-unknown-linux-gnu")];

fn main() {
    link_small();
    for path in ["../guest/src", "../guest/Cargo.toml", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let architecture = std::env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the architecture");
    let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == architecture) else {
        panic!("the guest program is not built for {architecture}");
    };
    let directory = out.join("guest-target");
    let mut cargo = Command::new(std::env::var("CARGO").expect("cargo sets CARGO"));
    cargo.args(["build", "--release", "--package", "kiln-guest", "--target", target, "--target-dir"]).arg(&directory);
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    for name in
        ["CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR", "CARGO_MAKEFLAGS"]
    {
        cargo.env_remove(name);
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the guest program did not compile");
    let built = directory.join(target).join("release/kiln-guest");
    std::fs::copy(&built, out.join("kiln-guest")).expect("the guest program was built");
}

/// Relocations packed, functions of the same code once: of x86_64's release builds, where rustc brings the linker
/// that can do both and uses it unless it was told another.
fn link_small() {
    let of = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let (flags, target) = (of("CARGO_ENCODED_RUSTFLAGS"), of("TARGET"));
    // Cargo tells the linker that it was configured with, where there is one.
    let told_another = flags.contains("link") || std::env::var_os("RUSTC_LINKER").is_some();
    if of("PROFILE") != "release" || target != TARGETS[0].1 || told_another {
        return;
    }
    let asked = Command::new(of("RUSTC")).args(["--print", "sysroot"]).output().expect("rustc runs");
    let sysroot = String::from_utf8(asked.stdout).expect("a path in UTF-8");
    if Path::new(sysroot.trim()).join("lib/rustlib").join(&target).join("bin/gcc-ld/ld.lld").is_file() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
