//! How long what is kept.

/// Levels: seconds of a point, how many seconds of them lie in one row, how long they are kept.
pub const LEVELS: [Level; 4] = [
    Level { seconds: 1, chunk: 300, kept: 3 * 3600 },
    Level { seconds: 60, chunk: 3 * 3600, kept: 15 * DAY },
    Level { seconds: 300, chunk: DAY, kept: 63 * DAY },
    Level { seconds: 3600, chunk: 16 * DAY, kept: 455 * DAY },
];

pub const DAY: i64 = 24 * 3600;

/// See [`LEVELS`].
#[derive(Debug, Clone, Copy)]
pub struct Level {
    pub seconds: i64,
    pub chunk: i64,
    pub kept: i64,
}
