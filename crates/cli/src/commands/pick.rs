//! `proc pick`: chooses free ports, and hands them to a command without a gap.

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
        explain: "pick is not there yet".to_owned(),
        word: None,
        suggestion: None,
    })
}
