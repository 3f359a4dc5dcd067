//! Apple's private structs as C lays them out, so that an offset that a decoder counts on and the
//! struct that it is of cannot drift apart: the asserts below fail to compile. Nothing here runs.
//!
//! As of xnu-11417.101.15 (macOS 15.4). The public structs are held to Apple's own headers by
//! `packaging/layout.c`.

#![allow(dead_code, reason = "layouts alone: no value of these is ever made")]

use std::mem::offset_of;

/// `struct xinpgen` (bsd/netinet/in_pcb.h).
#[repr(C, packed(4))]
struct Xinpgen {
    len: u32,
    count: u32,
    generation: u64,
    sockets: u64,
}

const _: () = assert!(size_of::<Xinpgen>() == 24 && offset_of!(Xinpgen, generation) == 8);

/// `struct xinpcb_n` (bsd/netinet/in_pcb.h, under `PRIVATE`).
#[repr(C, packed(4))]
struct XinpcbN {
    len: u32,
    kind: u32,
    inpp: u64,
    fport: u16,
    lport: u16,
    ppcb: u64,
    gencnt: u64,
    flags: i32,
    flow: u32,
    vflag: u8,
    ttl: u8,
    protocol: u8,
    faddr: [u32; 4],
    laddr: [u32; 4],
    depend4: u8,
    depend6: [u32; 3],
    flowhash: u32,
    flags2: u32,
}

const _: () = assert!(size_of::<XinpcbN>() == 104);
const _: () = assert!(offset_of!(XinpcbN, fport) == 16 && offset_of!(XinpcbN, lport) == 18);
const _: () = assert!(offset_of!(XinpcbN, gencnt) == 28 && offset_of!(XinpcbN, vflag) == 44);
const _: () = assert!(offset_of!(XinpcbN, faddr) == 48 && offset_of!(XinpcbN, laddr) == 64);
const _: () = assert!(offset_of!(XinpcbN, flags2) == 100);

/// `struct xsocket_n` (bsd/sys/socketvar_private.h), up to where it grew in macOS 13.
#[repr(C, packed(4))]
struct XsocketN {
    len: u32,
    kind: u32,
    so: u64,
    socket_type: i16,
    options: u32,
    linger: i16,
    state: i16,
    pcb: u64,
    protocol: i32,
    family: i32,
    qlen: i16,
    incqlen: i16,
    qlimit: i16,
    timeo: i16,
    error: u16,
    pgid: i32,
    oobmark: u32,
    uid: u32,
    last_pid: i32,
    e_pid: i32,
}

const _: () = assert!(size_of::<XsocketN>() == 76);
const _: () = assert!(offset_of!(XsocketN, so) == 8 && offset_of!(XsocketN, options) == 20);
const _: () = assert!(offset_of!(XsocketN, state) == 26 && offset_of!(XsocketN, family) == 40);
const _: () = assert!(offset_of!(XsocketN, qlen) == 44 && offset_of!(XsocketN, qlimit) == 48);
const _: () = assert!(offset_of!(XsocketN, pgid) == 56 && offset_of!(XsocketN, uid) == 64);
const _: () = assert!(offset_of!(XsocketN, last_pid) == 68 && offset_of!(XsocketN, e_pid) == 72);

/// The beginning of `struct xtcpcb_n` (bsd/netinet/tcp_var.h, under `PRIVATE`).
#[repr(C, packed(4))]
struct XtcpcbN {
    len: u32,
    kind: u32,
    segq: u64,
    dupacks: i32,
    timer: [i32; 4],
    state: i32,
}

const _: () = assert!(size_of::<XtcpcbN>() == 40 && offset_of!(XtcpcbN, timer) == 20);
const _: () = assert!(offset_of!(XtcpcbN, state) == 36);

/// `struct xunpcb_n` (bsd/sys/unpcb.h, under `PRIVATE`).
#[repr(C, packed(4))]
struct XunpcbN {
    len: u32,
    kind: u32,
    unpp: u64,
    vnode: u64,
    ino: u64,
    conn: u64,
    refs: u64,
    reflink: u64,
    cc: i32,
    mbcnt: i32,
    flags: i32,
    gencnt: u64,
    addr: [u8; 256],
    caddr: [u8; 256],
}

const _: () = assert!(size_of::<XunpcbN>() == 588 && offset_of!(XunpcbN, conn) == 32);
const _: () = assert!(offset_of!(XunpcbN, gencnt) == 68 && offset_of!(XunpcbN, addr) == 76);

/// `struct proc_uniqidentifierinfo` (bsd/sys/proc_info_private.h).
#[repr(C)]
struct Unique {
    uuid: [u8; 16],
    unique_id: u64,
    parent: u64,
    version: i32,
    original_parent_version: i32,
    reserved: [u64; 2],
}

const _: () = assert!(size_of::<Unique>() == super::process::UNIQUE);
const _: () = assert!(offset_of!(Unique, unique_id) == 16 && offset_of!(Unique, version) == 32);
