//! What can go wrong with the file that points are in.

use std::path::PathBuf;
use std::sync::Arc;

/// Why points were not kept or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PointsError {
    /// There is no room; it may work again once there is.
    #[error("no space is left for points in {path}")]
    NoSpace { path: PathBuf, source: Arc<dyn std::error::Error + Send + Sync> },
    /// What is on disk is in doubt: nothing more is written until a restart.
    #[error("points in {path} are not written any more until a restart: {reason}")]
    Stopped { path: PathBuf, reason: Arc<str> },
    /// Made by a later kiln.
    #[error("points in {path} are of format {found}, and this kiln knows {known}")]
    Newer { path: PathBuf, found: u32, known: u32 },
    /// Anything else.
    #[error("failed to {doing} in {path}")]
    Io { doing: &'static str, path: PathBuf, source: Arc<dyn std::error::Error + Send + Sync> },
}
