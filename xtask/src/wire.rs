//! `cargo xtask wire`: the codecs of every operation that has tables held against botocore's, both ways.

use crate::{Result, check};
use std::path::Path;

/// Builds the filter that speaks them and asks botocore; with `write` keeps the readable selection of requests and
/// answers that the Rust tests compare with.
pub fn run(root: &Path, write: bool) -> Result<()> {
    check::cargo(root, &["build", "--quiet", "--package", "kiln-protocol", "--example", "wire"])?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let wire = target.join("debug/examples/wire").display().to_string();
    let script = ["protocol/tests/check_with_botocore.py", &wire, "--write"];
    check::program(root, "python3", &script[..if write { 3 } else { 2 }])
}
