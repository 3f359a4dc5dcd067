//! `proc schema`: the JSON Schema of every document, as it was when this program was built.

use crate::answer::Answer;

/// Its arguments: none.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc schema > proc.schema.json
  proc schema | jq '.\"$defs\".CauseKind'")]
pub struct Args {}

/// The document. A test regenerates it from the types.
pub const SCHEMA: &str = include_str!("../../schema/report.json");

/// Answers.
pub fn run(_: &Args) -> Answer {
    Answer::Text(SCHEMA.to_owned())
}
