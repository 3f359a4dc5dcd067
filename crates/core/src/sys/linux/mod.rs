//! Linux, by raw system calls.

pub mod process;
