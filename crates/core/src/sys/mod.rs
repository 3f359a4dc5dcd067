//! The calls to the system, and nothing else: a platform file returns facts and does not filter,
//! order, word, wait or decide. The only `unsafe` is here. What the bytes mean is in
//! [`crate::decode`].
//!
//! A platform provides `LiveHost` (a [`crate::host::Host`] with `Default`, the constants `SEES`, `KEEPS`, `PASSES`,
//! `REVIVES` and `SIGNALS`, and `with_interrupt`), `Handle` (a process for good), `Events` (news of sockets that end),
//! `close_without_remains` (a connection that leaves no TIME-WAIT), `keep` (what keeps ports and
//! leases: sockets, claims, files, becoming a command), `ledger` (files of this user alone) and
//! `revive` (what a process was started with, and starting one so). Exactly one is compiled into the
//! library. What every Unix does alike is in a file of its own, and so are the
//! sockets that every system opens alike for `proc doctor`.

#[cfg(any(target_os = "linux", target_os = "macos"))]
mod directory;
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
pub(crate) mod engine;
#[cfg_attr(
    not(any(target_os = "linux", target_os = "macos", windows)),
    allow(dead_code, reason = "nothing succeeds there")
)]
pub(crate) mod heritage;
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) mod last_words;
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) mod ledger;
#[cfg_attr(
    not(any(target_os = "linux", target_os = "macos")),
    allow(dead_code, reason = "none is ever made here, or some of it is nothing to Windows")
)]
pub(crate) mod settings;
#[cfg(unix)]
pub mod signals;
pub(crate) mod specimens;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod start;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod succession;
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
pub(crate) mod work_tree;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

#[cfg(any(test, not(any(target_os = "linux", target_os = "macos", windows))))]
#[cfg_attr(
    any(target_os = "linux", target_os = "macos", windows),
    allow(dead_code, reason = "compiled here for its tests, or for a part of it")
)]
mod unsupported;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub use unsupported::*;
