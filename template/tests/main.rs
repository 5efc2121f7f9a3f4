//! The language, told as tables: `tables/*.txt` hold what goes in and what must come out, as text.
//!
//! A block is `=== title`, the input, `---`, the expected output. After a wanted change write the outputs anew with
//! `UPDATE_TABLES=1 cargo test -p kiln-template` and read the difference.

mod changes;
mod facts;
mod graph;
mod hostile;
mod parameters;
mod properties;
mod table;
mod templates;
mod values;
mod world;
