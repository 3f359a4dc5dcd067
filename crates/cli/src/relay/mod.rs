//! Runs a command as if it had been started directly, and reads along what it writes: terminal,
//! signals and end are passed through. What its words mean, and what is done about them, is
//! decided elsewhere.
//!
//! A system provides [`Relay`] (what takes over the signals and runs commands), [`Kin`] (a command
//! and what it started), `Bell` (wakes who watches), [`end_by`], [`fallback`] and [`pass_on`].

mod ear;
mod kin;
mod life;
mod shared;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use life::{End, Life, Next, Status};
#[cfg(unix)]
use unix::Bell;
#[cfg(unix)]
pub use unix::{Kin, Relay, end_by, fallback, pass_on};
#[cfg(windows)]
use windows::Bell;
#[cfg(windows)]
pub use windows::{Kin, Relay, end_by, fallback, pass_on};
