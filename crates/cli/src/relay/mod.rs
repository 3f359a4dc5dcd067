//! Runs a command as if it had been started directly, and reads along what it writes: terminal,
//! signals and end are passed through. What its words mean, and what is done about them, is
//! decided elsewhere.

mod copier;
mod ear;
mod job;
mod keyboard;
mod shared;
mod streams;
mod terminal;
mod writing;

pub use job::{End, Life, Next, Relay, Status, end_by, pass_on};
