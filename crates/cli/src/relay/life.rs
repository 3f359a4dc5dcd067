//! A command's life as its watcher sees it, and its end.

use std::time::Duration;

use proc_core::message::Failure;

use super::Kin;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With this code.
    Code(i32),
    /// By this signal.
    #[cfg_attr(not(unix), allow(dead_code, reason = "signals are Unix'"))]
    Signal(i32),
}

impl Status {
    /// Whether it says that all went well.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

/// What became of a command.
#[derive(Debug)]
pub struct End {
    /// How it ended.
    pub status: Status,
    /// Whether somebody asked it to: Ctrl-C, or a signal that was passed on.
    pub asked: bool,
    /// The failed binds it told of and [`Life`] has not been told of.
    pub heard: Vec<Failure>,
}

/// A command that lives, as its watcher sees it.
#[derive(Debug)]
pub struct Life {
    /// It and what it started.
    pub kin: Kin,
    /// How long it has lived.
    pub age: Duration,
    /// How long it has written nothing.
    pub quiet_for: Duration,
    /// The failed binds it told of since the last look.
    pub heard: Vec<Failure>,
}

/// What a watcher wants next.
#[derive(Debug, Default)]
pub struct Next {
    /// Something to say to the person.
    pub say: Option<String>,
    /// When to look again; `None` for when something is heard.
    pub again: Option<Duration>,
}
