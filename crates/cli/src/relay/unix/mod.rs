//! Terminals, signals and process groups as Unix has them: a pty or a pipe in the place of each
//! output, the command in our own process group.

mod bell;
mod copier;
mod job;
mod keyboard;
mod kin;
mod streams;
mod terminal;
mod writing;

pub use bell::Bell;
pub use job::{Relay, end_by, fallback, pass_on};
pub use kin::Kin;
