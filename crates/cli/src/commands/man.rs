//! `proc man`: the manual pages, made from the command line's own definition.

use std::path::{Path, PathBuf};

use proc_core::report::ErrorReport;

use crate::answer::Answer;
use crate::cli::COMMANDS;
use crate::{manual, output, sanitize};
use proc_core::nearness::nearest;

/// Its arguments.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  proc man free | man -l -                     read a command's page
  proc man --out ~/.local/share/man/man1       write a page for proc and one for each command")]
pub struct Args {
    /// The command whose page is printed; that of proc as a whole where none is named
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    name: Option<String>,
    /// Write every page into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints a page, or writes them all.
///
/// # Errors
/// No such command, or a directory that cannot be written.
pub fn run(args: &Args) -> Result<Answer, ErrorReport> {
    if let Some(directory) = &args.out {
        return write_all(directory).map(Answer::Text);
    }
    match args.name.as_deref() {
        None | Some("proc") => Ok(Answer::Text(manual::page(None))),
        Some(name) if COMMANDS.contains(&name) => Ok(Answer::Text(manual::page(Some(name)))),
        Some(word) => Err(ErrorReport {
            kind: "usage".to_owned(),
            explain: format!("`{}` is not a command", sanitize::text(word)),
            word: Some(word.to_owned()),
            suggestion: nearest(word, COMMANDS.iter().copied())
                .map(|name| format!("proc man {name}")),
        }),
    }
}

fn write_all(directory: &Path) -> Result<String, ErrorReport> {
    let failed = |path: &Path, error: &std::io::Error| ErrorReport {
        kind: "failed".to_owned(),
        explain: format!("cannot write {}: {}", path.display(), output::reason(error)),
        word: Some(path.display().to_string()),
        suggestion: None,
    };
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let mut written = String::new();
    let pages = std::iter::once(None).chain(COMMANDS.iter().copied().map(Some));
    for name in pages {
        let path = directory.join(manual::file_name(name));
        std::fs::write(&path, manual::page(name)).map_err(|error| failed(&path, &error))?;
        written.push_str(&format!("{}\n", path.display()));
    }
    Ok(written)
}
