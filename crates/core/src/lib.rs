//! What holds a port, why a bind fails, and how to give the port back.

pub mod act;
pub mod addr;
pub mod bind;
pub(crate) mod census;
pub mod decode;
pub mod diagnosis;
pub mod explain;
pub mod host;
pub mod look;
pub mod mask;
pub mod names;
pub mod plan;
pub mod ports;
pub mod process;
pub mod recording;
pub mod remedy;
pub mod report;
pub mod service;
pub mod sight;
pub mod snapshot;
pub mod socket;
pub mod supervisor;
pub mod sys;
pub mod target;
pub mod timestamp;
pub mod watch;
