//! What stands on the screen of this process's console. What of it is new is told by
//! [`crate::windows::screen`].

use std::fs::{File, OpenOptions};
use std::os::windows::io::AsRawHandle;

use windows_sys::Win32::System::Console::{
    CONSOLE_CURSOR_INFO, CONSOLE_SCREEN_BUFFER_INFO, COORD, GetConsoleCursorInfo,
    GetConsoleScreenBufferInfo, ReadConsoleOutputCharacterW,
};

use crate::windows::screen::{Row, Window};

/// The screen of the console that this process is in.
#[derive(Debug)]
pub struct Screen(File);

impl Screen {
    /// The one that is shown now; `None` where there is no console.
    pub fn open() -> Option<Self> {
        OpenOptions::new().read(true).write(true).open("CONOUT$").ok().map(Self)
    }

    /// The last so many rows down to the cursor's; `None` where they cannot be read.
    pub fn window(&self, most: usize) -> Option<Window> {
        let mut info = CONSOLE_SCREEN_BUFFER_INFO::default();
        // SAFETY: the handle is open, and the structure ours.
        if unsafe { GetConsoleScreenBufferInfo(self.0.as_raw_handle(), &raw mut info) } == 0 {
            return None;
        }
        let width = usize::try_from(info.dwSize.X).ok()?;
        let at = usize::try_from(info.dwCursorPosition.Y).ok()?;
        let top = (at + 1).saturating_sub(most);
        let rows = (top..=at).map(|row| self.row(row, width)).collect::<Option<_>>()?;
        let is_at_start = info.dwCursorPosition.X == 0;
        Some(Window { width, top, rows, is_at_start })
    }

    /// Whether the cursor is shown. Who draws on the whole screen mostly hides it.
    pub fn has_cursor(&self) -> bool {
        let mut info = CONSOLE_CURSOR_INFO::default();
        // SAFETY: the handle is open, and the structure ours.
        let done = unsafe { GetConsoleCursorInfo(self.0.as_raw_handle(), &raw mut info) };
        done == 0 || info.bVisible != 0
    }

    /// One row. Each is asked for alone: of characters that take two places fewer are told than asked
    /// for, and what follows would be shifted.
    fn row(&self, row: usize, width: usize) -> Option<Row> {
        let mut units = vec![0_u16; width];
        let from = COORD { X: 0, Y: i16::try_from(row).ok()? };
        let (room, mut count) = (u32::try_from(width).ok()?, 0);
        let to = units.as_mut_ptr();
        // SAFETY: the buffer has that many units, and `count` is ours.
        let done = unsafe {
            ReadConsoleOutputCharacterW(self.0.as_raw_handle(), to, room, from, &raw mut count)
        };
        (done != 0).then(|| Row::new(units.get(..count as usize).unwrap_or(&units)))
    }
}
