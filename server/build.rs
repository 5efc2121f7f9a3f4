//! Builds the guest program, static, so that the server can carry it in itself: one binary is all
//! there is to install. Nested cargo with a target directory of its own, since the guest needs
//! other compiler flags than the server.

use std::path::PathBuf;
use std::process::Command;

const TARGETS: [(&str, &str); 2] = [("x86_64", "x86_64-unknown-linux-gnu"), ("aarch64", "aarch64-unknown-linux-gnu")];

fn main() {
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
