//! The service through its public operations, on a store in memory.
