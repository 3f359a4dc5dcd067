//! Keeps a pty and the real terminal alike while a command runs: the size one way, the modes that
//! the command sets through its output the other way.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Signal, getpgrp, kill_process_group};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, Winsize, tcgetattr,
    tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::keyboard::{Keyboard, is_opened};

/// A pty and the terminal it stands for.
#[derive(Debug)]
pub struct Terminal {
    pty: OwnedFd,
    real: OwnedFd,
    modes: Termios,
    size: Option<Winsize>,
    keyboard: Option<Keyboard>,
}

impl Terminal {
    /// They are alike now, the pty having these modes.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn new(pty: &OwnedFd, real: &OwnedFd, modes: Termios) -> io::Result<Self> {
        let (pty, real) = (pty.try_clone()?, real.try_clone()?);
        let size = tcgetwinsize(&real).ok();
        Ok(Self { pty, real, modes, size, keyboard: None })
    }

    /// Makes them alike again.
    pub fn follow(&mut self) {
        self.follow_size();
        self.follow_modes();
    }

    /// The pty gets the real size. Whoever is in the foreground is told after, by SIGWINCH: the
    /// kernel's own came before the pty had the new size. Looked for at every output, since an
    /// interactive shell puts its jobs into groups of their own, and their SIGWINCH never comes
    /// to us.
    pub fn follow_size(&mut self) {
        let Ok(size) = tcgetwinsize(&self.real) else { return };
        if self.size == Some(size) {
            return;
        }
        self.size = Some(size);
        let _ = tcsetwinsize(&self.pty, size);
        let group = tcgetpgrp(&self.real).unwrap_or_else(|_| getpgrp());
        let _ = kill_process_group(group, Signal::WINCH);
    }

    /// The real terminal gets the modes that a program set through its output, as curses does:
    /// without this its keys would still wait for Enter. Only from the foreground: elsewhere the
    /// kernel would stop us for it (SIGTTOU).
    pub fn follow_modes(&mut self) {
        let Ok(mut modes) = tcgetattr(&self.pty) else { return };
        if modes.output_modes.contains(OutputModes::OPOST) {
            // Line feeds are the real terminal's to treat, and once is enough.
            modes.output_modes &= !OutputModes::OPOST;
            let _ = tcsetattr(&self.pty, OptionalActions::Now, &modes);
        }
        if is_alike(&modes, &self.modes) {
            return;
        }
        self.modes = modes;
        if tcgetpgrp(&self.real).is_ok_and(|foreground| foreground != getpgrp()) {
            return;
        }
        let Ok(mut real) = tcgetattr(&self.real) else { return };
        real.input_modes = self.modes.input_modes;
        real.local_modes = self.modes.local_modes;
        real.special_codes = self.modes.special_codes.clone();
        let _ = tcsetattr(&self.real, OptionalActions::Now, &real);
        let single_keys = !self.modes.local_modes.contains(LocalModes::ICANON);
        self.keyboard = match single_keys && is_opened(&self.pty) {
            true => Keyboard::start(&self.real, &self.pty).ok(),
            false => None,
        };
    }
}

/// Whether they are the same but for the treatment of output, which is the real terminal's alone.
fn is_alike(one: &Termios, other: &Termios) -> bool {
    let codes = [
        SpecialCodeIndex::VMIN,
        SpecialCodeIndex::VTIME,
        SpecialCodeIndex::VINTR,
        SpecialCodeIndex::VQUIT,
        SpecialCodeIndex::VSUSP,
        SpecialCodeIndex::VEOF,
        SpecialCodeIndex::VERASE,
    ];
    one.input_modes == other.input_modes
        && one.local_modes == other.local_modes
        && codes.iter().all(|&code| one.special_codes[code] == other.special_codes[code])
}
