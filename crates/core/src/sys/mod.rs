//! The calls to the system, and nothing else: a platform file returns facts and does not filter,
//! order, word, wait or decide. The only `unsafe` is here. What the bytes mean is in
//! [`crate::decode`].

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;
