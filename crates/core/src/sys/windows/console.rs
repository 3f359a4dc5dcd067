//! Ctrl-C, Ctrl-Break and the closing of the console, as an event that ends a wait in place of a sudden
//! death.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::{CreateEventW, ResetEvent, SetEvent};
use windows_sys::core::BOOL;

use super::handle::Handle;

/// One for the process: the handler has no other place to find it.
static EVENT: OnceLock<Option<Handle>> = OnceLock::new();
/// Whether anything came that [`Controls::came`] has not told of.
static CAME: AtomicBool = AtomicBool::new(false);
/// Whether the end of the console is put off.
static STAYS: AtomicBool = AtomicBool::new(false);

/// That the person wants to stop.
#[derive(Clone, Copy, Debug)]
pub struct Interrupt(&'static Handle);

impl Interrupt {
    /// Takes over Ctrl-C, Ctrl-Break, and the end of the console. `None` where that fails: they then
    /// end the program. What this process starts is not told of it, and meets them as ever.
    pub fn taken_over() -> Option<Self> {
        let event = EVENT.get_or_init(|| {
            // SAFETY: no attributes and no name; it stays set once it is.
            let raw = unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) };
            let event = Handle::new(raw)?;
            // SAFETY: the handler is a function of this program, and only sets an event.
            let done = unsafe { SetConsoleCtrlHandler(Some(interrupted), 1) };
            (done != 0).then_some(event)
        });
        event.as_ref().map(Self)
    }

    pub(super) const fn raw(&self) -> HANDLE {
        self.0.raw()
    }
}

/// The same for who goes on after one: each is told of once.
#[derive(Debug)]
pub struct Controls(Interrupt);

impl Controls {
    /// Takes them over as [`Interrupt::taken_over`]. The end of the console, of the session and of
    /// the machine is put off as long as Windows allows (5 s), or until this process ends by itself.
    pub fn taken_over() -> Option<Self> {
        let taken = Interrupt::taken_over().map(Self);
        STAYS.store(taken.is_some(), Ordering::Relaxed);
        taken
    }

    /// Whether one has come since this was asked last.
    pub fn came(&self) -> bool {
        // SAFETY: the event is never closed.
        unsafe { ResetEvent(self.0.raw()) };
        CAME.swap(false, Ordering::AcqRel)
    }
}

/// Runs in a thread of its own.
unsafe extern "system" fn interrupted(event: u32) -> BOOL {
    CAME.store(true, Ordering::Release);
    if let Some(Some(event)) = EVENT.get() {
        // SAFETY: the event is never closed.
        unsafe { SetEvent(event.raw()) };
    }
    if ![CTRL_C_EVENT, CTRL_BREAK_EVENT].contains(&event) && STAYS.load(Ordering::Relaxed) {
        // The process is ended as soon as this returns.
        std::thread::park_timeout(Duration::from_secs(60));
    }
    1
}
