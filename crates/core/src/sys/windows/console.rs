//! Ctrl-C, Ctrl-Break and the closing of the console, as an event that ends a wait in place of a sudden
//! death.

use std::sync::OnceLock;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};
use windows_sys::core::BOOL;

use super::handle::Handle;

/// One for the process: the handler has no other place to find it.
static EVENT: OnceLock<Option<Handle>> = OnceLock::new();

/// That the person wants to stop.
#[derive(Clone, Copy, Debug)]
pub struct Interrupt(&'static Handle);

impl Interrupt {
    /// Takes over Ctrl-C, Ctrl-Break, and the end of the console. `None` where that fails: they then
    /// end the program.
    pub fn taken_over() -> Option<Self> {
        let event = EVENT.get_or_init(|| {
            // SAFETY: no attributes and no name; it stays set once it is.
            let raw = unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) };
            Handle::new(raw)
        });
        let event = event.as_ref()?;
        // SAFETY: the handler is a function of this program, and only sets an event.
        let done = unsafe { SetConsoleCtrlHandler(Some(interrupted), 1) };
        (done != 0).then_some(Self(event))
    }

    pub(super) const fn raw(&self) -> HANDLE {
        self.0.raw()
    }
}

/// Runs in a thread of its own.
unsafe extern "system" fn interrupted(_: u32) -> BOOL {
    if let Some(Some(event)) = EVENT.get() {
        // SAFETY: the event is never closed.
        unsafe { SetEvent(event.raw()) };
    }
    1
}
