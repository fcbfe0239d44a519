//! Room on the disk that is kept for emptying the spool: sealing and checkpoints need a few bytes, and without them a full disk
//! could never be freed.

use std::io;

use super::disk::{Appender, Disk};

const NAME: &str = "reserve";

/// Room for a thousand seals and checkpoints of about 200 bytes.
const BYTES: usize = 256 << 10;

/// Takes the room, unless it is taken.
pub(super) fn keep<D: Disk>(disk: &D) -> io::Result<()> {
    if disk.list()?.iter().any(|name| name == NAME) {
        return Ok(());
    }
    let filled = disk.create(NAME).and_then(|mut file| {
        file.append(&vec![0xff; BYTES])?;
        file.sync()
    });
    if filled.is_err() {
        // A part of it would be taken for all of it.
        release(disk);
    }
    filled
}

/// Gives the room back. False if it was not there.
pub(super) fn release<D: Disk>(disk: &D) -> bool {
    disk.remove(NAME).is_ok()
}
