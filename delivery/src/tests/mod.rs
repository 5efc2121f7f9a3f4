//! The carrier on a store in memory, with a road that the test lays and a clock that it moves.

mod carrying;
mod endpoints;
