//! What holds a port, why a bind fails, and how to give the port back.

pub mod addr;
pub mod bind;
pub mod decode;
pub mod process;
pub mod snapshot;
pub mod socket;
pub mod supervisor;
pub mod sys;
