//! Functions that not every Windows has, looked up when they are wanted.

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress, LoadLibraryExW};

/// LOAD_LIBRARY_SEARCH_SYSTEM32: from the system's directory and no other.
const FROM_SYSTEM: u32 = 0x800;

/// A function of a library of the system, as an address; `None` where there is none of that name,
/// which must end in a zero byte.
pub(super) fn function(
    library: &str,
    name: &'static [u8],
) -> Option<unsafe extern "system" fn() -> isize> {
    debug_assert!(name.ends_with(&[0]));
    let wide = super::process::wide(library);
    // SAFETY: the name ends in a zero; a module that is loaded stays so, as nobody unloads these.
    let mut module = unsafe { GetModuleHandleW(wide.as_ptr()) };
    if module.is_null() {
        // SAFETY: the same name; only the system's own directory is searched.
        module = unsafe { LoadLibraryExW(wide.as_ptr(), std::ptr::null_mut(), FROM_SYSTEM) };
    }
    if module.is_null() {
        return None;
    }
    // SAFETY: the module is loaded and the name ends in a zero.
    unsafe { GetProcAddress(module, name.as_ptr()) }
}

/// Whether this is Wine, in which some functions end their caller.
pub(super) fn is_wine() -> bool {
    function("ntdll.dll", b"wine_get_version\0").is_some()
}
