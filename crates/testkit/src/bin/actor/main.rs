//! A process that holds a port in one of the ways a Linux kernel allows: `actor ROLE [--options]`.
//! It prints one line when it is ready (`ready pid=… port=… inode=… …`, or `error …`) and lives until
//! its stdin closes, a signal ends it or `--for` passes, so it never outlives the test it serves.

#[cfg(target_os = "linux")]
mod open;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod roles;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "the first line of stdout is the protocol with the test")]
fn main() -> std::process::ExitCode {
    let result = options::Options::from_args().and_then(roles::play);
    // A role returns only when it has nothing left to do (or when it could not begin).
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            println!("error {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(5)
}
