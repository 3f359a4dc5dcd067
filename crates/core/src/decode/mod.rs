//! Bytes from kernels and system files turned into plain values. No I/O and no `unsafe`: every
//! decoder is compiled, tested and fuzzed on every system, whatever kernel speaks its format.

pub mod condition;
pub mod iptables;
pub mod ipvs;
pub mod macos;
pub mod mountinfo;
pub mod nftables;
pub mod passwd;
pub mod procfs;
pub mod route;
pub mod settings;
pub mod sock_diag;
pub mod syscalls;
pub mod windows;
