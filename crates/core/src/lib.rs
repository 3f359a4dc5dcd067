//! What holds a port, why a bind fails, and how to give the port back.

pub mod addr;
pub mod bind;
pub mod decode;
pub mod diagnosis;
pub mod mask;
pub mod process;
pub mod remedy;
pub mod report;
pub mod snapshot;
pub mod socket;
