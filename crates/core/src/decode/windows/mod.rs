//! What Windows tells, as bytes and as text, turned into plain values. Its tables come from iphlpapi,
//! its texts from `netsh` and `wsl`, whose words are in the language of the machine: so lines are
//! known by their shape, never by a word.

pub mod command_line;
pub mod http_sys;
pub mod netsh;
pub mod parameters;
pub mod processes;
pub mod security;
pub mod table;
pub mod text;
pub mod wide;

pub use command_line::split;
pub use http_sys::{HttpQueue, HttpUrl, QueueProcess, request_queues};
pub use netsh::{ExcludedRange, PortProxy, dynamic_range, excluded_ranges, port_proxies};
pub use table::{Layout, Row, rows};
pub use text::{distributions, filetime, from_utf16, from_utf16_bytes};
