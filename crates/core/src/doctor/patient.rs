//! The process that is examined: a run of this very program that holds the specimens, lives as long
//! as it is needed, and takes everything of its own along.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::specimen::{Kind, Place, Specimen};
use crate::sys::specimens;

/// How long it may take to begin: milliseconds do, unless the machine is very busy.
const BEGINNING: Duration = Duration::from_secs(5);

/// A process that was started to be examined.
#[derive(Debug)]
pub struct Patient {
    child: Child,
    orders: Option<ChildStdin>,
    directory: PathBuf,
    specimens: Vec<Specimen>,
}

impl Patient {
    /// Starts one: `program`, with `arguments` and the directory for files of sockets after them. It
    /// must write its specimens as one line of JSON, close those whose kind it reads, a line each,
    /// and end when it can read no more.
    ///
    /// # Errors
    /// It cannot be started, or does not say what it opened.
    pub fn admit(program: &Path, arguments: &[&str]) -> io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("proc-doctor-{}", std::process::id()));
        specimens::private_directory(&directory)?;
        let child = Command::new(program)
            .args(arguments)
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                // Nothing is in it yet.
                let _ = std::fs::remove_dir(&directory);
                return Err(error);
            }
        };
        let orders = child.stdin.take();
        let output = child.stdout.take();
        let mut patient = Self { child, orders, directory, specimens: Vec::new() };
        let line = output.map(first_line).transpose()?.unwrap_or_default();
        patient.specimens = serde_json::from_str(&line).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "it did not say what it opened")
        })?;
        Ok(patient)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it holds.
    pub fn specimens(&self) -> &[Specimen] {
        &self.specimens
    }

    /// Where its specimen of that kind is.
    pub fn place(&self, kind: Kind) -> Option<&Place> {
        self.specimens.iter().find(|specimen| specimen.kind == kind).map(|specimen| &specimen.place)
    }

    /// Tells it to close one.
    pub fn close(&mut self, kind: Kind) -> io::Result<()> {
        let orders = self.orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let order = serde_json::to_string(&kind).map_err(io::Error::other)?;
        writeln!(orders, "{order}").and_then(|()| orders.flush())
    }
}

/// The first line, if it comes in time.
fn first_line(output: impl io::Read + Send + 'static) -> io::Result<String> {
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        // Nobody may wait any more.
        let _ = tell.send(read.map(|_| line));
    })?;
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    told.recv_timeout(BEGINNING).map_err(late)?
}

impl Drop for Patient {
    /// It is our own child and not collected before, so that its number can be nobody else's.
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
