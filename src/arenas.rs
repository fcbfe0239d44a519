//! How many arenas the allocator of glibc keeps: two, so that what the service has freed does not stay in up to eight a core.
//!
//! A body is decoded on whichever thread is free, and each thread has an arena that keeps what was freed in it. Four connections that
//! sent 1,000 events each took 302 MiB that way, and 168 MiB with two arenas, at the same CPU time a row. glibc reads the number
//! as a process begins, or takes it from a call that is `unsafe` in Rust; so the process begins again, in place: its number, files and
//! arguments stay.

use std::io;
use std::process::Command;

/// glibc's variable. Whoever sets it has decided already.
const VARIABLE: &str = "MALLOC_ARENA_MAX";
/// Says that the process has begun again. From 2.39 on glibc takes its own variable away from a binary that has capabilities (`setcap`, for
/// a port below 1024): by that one alone such a process would begin again for ever.
const AGAIN: &str = "WINDVANE_BEGUN_AGAIN";

/// Begins the process again with the variable, unless somebody set one. Returns where there is nothing to do, and why where it did not
/// work. To be called before threads start and anything is opened.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn bound() -> Option<io::Error> {
    use std::os::unix::process::CommandExt;

    /// One for most, and one so that two threads need not wait for each other.
    const ARENAS: &str = "2";

    let tunables = std::env::var("GLIBC_TUNABLES").unwrap_or_default();
    if std::env::var_os(VARIABLE).is_some() || tunables.contains("arena_max") {
        return None;
    }
    if std::env::var_os(AGAIN).is_some() {
        return Some(io::Error::other(format!("{VARIABLE} was taken away from the process")));
    }
    let binary = match std::env::current_exe() {
        Ok(binary) => binary,
        Err(error) => return Some(error),
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(binary);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    Some(command.args(arguments).env(VARIABLE, ARENAS).env(AGAIN, "1").exec())
}

/// Other allocators have no arenas.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn bound() -> Option<io::Error> {
    None
}

/// Lets a child have the arenas that it would have had: it may run what allocates in many threads, and is timed.
pub fn freed(child: &mut Command) -> &mut Command {
    match std::env::var_os(AGAIN) {
        Some(_) => child.env_remove(VARIABLE).env_remove(AGAIN),
        None => child,
    }
}
