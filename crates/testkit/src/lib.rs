//! Processes that hold ports in every way a Linux kernel allows, and what tests need beside them:
//! other users, namespaces, free ports and facts from `/proc`. For tests only: it panics where a test
//! should fail.
//!
//! ```no_run
//! # #[cfg(target_os = "linux")] {
//! let actor = proc_testkit::Actor::spawn(&["listen", "--reuse-addr"]);
//! assert!(std::net::TcpListener::bind(("127.0.0.1", actor.port())).is_err());
//! # }
//! ```

#[cfg(target_os = "linux")]
mod actor;
#[cfg(target_os = "linux")]
mod actor_path;
#[cfg(target_os = "linux")]
mod confined;
#[cfg(target_os = "linux")]
mod privilege;
#[cfg(target_os = "linux")]
pub mod procfs;
mod waiting;

#[cfg(target_os = "linux")]
pub use actor::Actor;
#[cfg(target_os = "linux")]
pub use actor_path::actor_path;
#[cfg(target_os = "linux")]
pub use confined::{Limit, confined};
#[cfg(target_os = "linux")]
pub use privilege::{in_namespaces, is_root, run_as, skip, unprivileged_uid};
#[cfg(target_os = "linux")]
pub use rustix::process::Signal;
pub use waiting::{free_port, wait_until};
