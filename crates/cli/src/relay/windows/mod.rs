//! A console and a job object: the command stays in our console with its own stdin, and is read
//! along through pipes where its outputs are none, and from the console's screen where they are.

mod bell;
mod copier;
mod job;
mod kin;
mod reader;
mod streams;

pub use bell::Bell;
pub use job::{Relay, end_by, fallback, pass_on};
pub use kin::Kin;
