//! Bytes and text from kernels turned into our types. No system call and no `unsafe` here, so
//! every decoder is compiled and tested on every system with recorded bytes.

pub mod route;
pub mod sock_diag;
