//! The command as it is to be started: its words, its environment, the port that it will want,
//! and how it is told another one.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use proc_core::addr::Port;
use proc_core::launch::{self, Around, Program, Source};
use proc_core::mask::mask_argv;
#[cfg(windows)]
pub use proc_core::sys::found;

use crate::sanitize;

/// A command to be started, perhaps again.
#[derive(Clone, Debug)]
pub struct Launching {
    argv: Vec<OsString>,
    env: Vec<(String, String)>,
    cwd: PathBuf,
    port: Option<Port>,
}

/// How a command was told another port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// In the way that it is known to take.
    Surely,
    /// By PORT, in the hope that it reads that.
    Perhaps,
}

impl Launching {
    /// This command, in this directory, which is said to want that port.
    pub fn new(argv: Vec<OsString>, port: Option<Port>) -> Self {
        let cwd = std::env::current_dir().unwrap_or_default();
        Self { argv, env: Vec::new(), cwd, port }
    }

    /// The command for the system.
    ///
    /// # Errors
    /// There is no such program.
    pub fn command(&self) -> io::Result<Command> {
        let (program, arguments) = self.argv.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(found(program)?);
        command.args(arguments);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// The command as a text that another program is to read.
    pub fn read_by(&self, mut interpreter: Command) -> Command {
        interpreter.args(&self.argv);
        interpreter.envs(self.env.iter().map(|(name, value)| (name, value)));
        interpreter
    }

    /// Its words, where they are text.
    pub fn words(&self) -> Option<Vec<String>> {
        self.argv.iter().map(|word| word.to_str().map(str::to_owned)).collect()
    }

    /// The program's name.
    pub fn name(&self) -> String {
        self.argv.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Its directory.
    pub fn cwd(&self) -> &str {
        self.cwd.to_str().unwrap_or_default()
    }

    /// The port that it will want: as it was said, or else as its words, its environment or its
    /// kind tell.
    pub fn wanted(&self) -> Option<Port> {
        self.port.or_else(|| self.around(launch::wanted_port))
    }

    /// The program that it is known to run.
    pub fn program(&self) -> Option<&'static Program> {
        self.around(launch::program_around)
    }

    /// Whether it leaves a port that somebody has, for one that may be anywhere.
    pub fn moves_silently(&self) -> bool {
        let said = |words: &[String], around: &Around<'_>| {
            launch::wanted(words, around).first().map(|wanted| wanted.source)
        };
        let is_told = self.around(said).is_some_and(|source| source != Source::Default);
        self.program().is_some_and(|program| program.moves_silently(is_told))
    }

    /// The same command on another port than `from`.
    pub fn on_port(&self, from: Port, port: Port) -> (Self, Told) {
        let changed =
            self.around(|words, around| launch::with_port_instead(words, around, from, port));
        let (argv, env, told) = match changed {
            Some(launch) => {
                let told = if launch.certain { Told::Surely } else { Told::Perhaps };
                (launch.argv.into_iter().map(OsString::from).collect(), launch.env, told)
            }
            None => (self.argv.clone(), vec![("PORT".to_owned(), port.to_string())], Told::Perhaps),
        };
        let kept = self.env.iter().filter(|(name, _)| env.iter().all(|(other, _)| other != name));
        let env = kept.cloned().chain(env.clone()).collect();
        (Self { argv, env, cwd: self.cwd.clone(), port: Some(port) }, told)
    }

    /// The command line as a shell reads it, secrets masked.
    pub fn line(&self) -> String {
        let words: Vec<String> =
            self.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut line = String::new();
        for (name, value) in &self.env {
            line.push_str(&format!("{name}={value} "));
        }
        line + &sanitize::shell(&mask_argv(&words))
    }

    fn around<T>(&self, ask: impl FnOnce(&[String], &Around<'_>) -> Option<T>) -> Option<T> {
        let words = self.words()?;
        let env = |name: &str| match self.env.iter().find(|(own, _)| own == name) {
            Some((_, value)) => Some(value.clone()),
            None => std::env::var(name).ok(),
        };
        let files = |path: &std::path::Path| std::fs::read_to_string(path).ok();
        ask(&words, &Around { cwd: &self.cwd, env: &env, files: &files })
    }
}

/// The word by which the system finds the program: as it is, since execvp(3) looks for it.
#[cfg(not(windows))]
pub fn found(program: &std::ffi::OsStr) -> io::Result<OsString> {
    Ok(program.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launching(line: &str) -> Launching {
        Launching::new(line.split(' ').map(OsString::from).collect(), None)
    }

    #[test]
    fn a_port_is_changed_where_the_command_takes_it() {
        let port = |number| Port::new(number).unwrap();
        for (line, want, told) in [
            ("vite --port 3000", "vite --port 3001", Told::Surely),
            ("python3 -m http.server 3000", "python3 -m http.server 3001", Told::Surely),
            ("./own-server", "PORT=3001 ./own-server", Told::Perhaps),
        ] {
            let (next, how) = launching(line).on_port(port(3000), port(3001));
            assert_eq!((&*next.line(), how), (want, told));
            assert_eq!(next.wanted(), Some(port(3001)), "{line}");
            // Again: nothing is there twice.
            let (last, _) = next.on_port(port(3001), port(3002));
            assert_eq!(last.line(), want.replace("3001", "3002"));
        }
        assert_eq!(launching("vite --port 3000").wanted(), Some(port(3000)));
        assert_eq!(launching("./own-server").wanted(), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(
            launching("serve --password hunter2").line(),
            "serve --password '***'".replace('\'', "")
        );
    }
}
