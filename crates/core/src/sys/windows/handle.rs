//! A handle that is closed when it goes.

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE};

/// A handle of this process. One to a process keeps its number from being used again.
#[derive(Debug)]
pub(crate) struct Handle(HANDLE);

// SAFETY: a handle is a number of the whole process, valid in every thread of it.
unsafe impl Send for Handle {}
// SAFETY: the kernel allows calls on one handle from several threads at once.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes what a call returned; `None` for either of the values that mean failure.
    pub(super) fn new(raw: HANDLE) -> Option<Self> {
        (!raw.is_null() && raw != INVALID_HANDLE_VALUE).then_some(Self(raw))
    }

    pub(super) const fn raw(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it is ours, open, and closed only here.
        unsafe { CloseHandle(self.0) };
    }
}
