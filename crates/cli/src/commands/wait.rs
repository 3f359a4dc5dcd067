//! `proc wait`: waits until a port is free, or is served, or a process is gone.

use proc_core::report::ErrorReport;

use super::Answer;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {}

/// Does it.
///
/// # Errors
/// The command cannot be carried out.
pub fn run(_args: &Args, _globals: &Globals) -> Result<Answer, ErrorReport> {
    Err(ErrorReport {
        kind: "unsupported".to_owned(),
        explain: "wait is not there yet".to_owned(),
        word: None,
        suggestion: None,
    })
}
