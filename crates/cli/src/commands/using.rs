//! `proc for`: the processes that use a file. (`for` is no name for a file of Rust.)

use proc_core::file_use::FileWish;
use proc_core::report::ErrorReport;

use super::filters::ListArgs;
use crate::answer::Answer;
use crate::core_api::Core;
use crate::globals::Globals;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc for ./server             what runs it, or has it open
  proc for app.log              what writes to it, though it was removed
  proc for /mnt/disk --below    what keeps the disk busy
  proc for /dev/ttyUSB0         what has the device
  proc for .next/dev/lock       what has the lock
  kill $(proc for --pids ./server)")]
pub struct Args {
    /// A file, directory, device, named pipe or unix socket; links are followed
    #[arg(value_name = "FILE", required = true, value_parser = file)]
    files: Vec<String>,
    /// Of a directory, what uses anything below it too
    #[arg(long)]
    below: bool,
    #[command(flatten)]
    list: ListArgs,
}

fn file(word: &str) -> Result<String, String> {
    match word {
        "" => Err("a file is empty; for example `./server`".to_owned()),
        word if word.contains('\0') => Err("no path has a zero byte in it".to_owned()),
        word => Ok(word.to_owned()),
    }
}

/// Lists.
///
/// # Errors
/// As [`ListArgs::answer`] and [`Core::users_of`].
pub fn run(args: &Args, globals: &Globals, core: &mut dyn Core) -> Result<Answer, ErrorReport> {
    let files = FileWish { paths: args.files.clone(), below: args.below, ..FileWish::default() };
    args.list.answer("for", &[], globals, |wish| core.users_of(&files, &wish))
}
