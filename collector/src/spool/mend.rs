//! Going on after the disk failed: once it can be written to again, the log is where its last commit left it.
//!
//! After a sync that failed only the bytes behind the last commit are in doubt, and all of them were refused. They are cut off, the cut is
//! synced, and a new segment file is begun: what follows is written through a file that has seen no failure. A crash on the way
//! finds what it would have found without.
//!
//! Linux takes a page for written after it could not write it, so that a second sync alone would prove nothing. Of what was acknowledged only
//! the end can share a page with what was refused: cutting clears the rest of that page, which makes it one to be written again, and its sync
//! tells whether it was.

use std::io;

use super::disk::{Appender, Disk};
use super::log::{Log, Segment, begin_segment_on_a_full_disk, segment_name};

impl<D: Disk> Log<D> {
    /// Tries to go on.
    ///
    /// # Errors
    /// What the file system says; the log stays as it is, and may be tried again.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        let active = *self.active();
        let name = segment_name(active.number);
        let found = self.disk.len(&name)?;
        if found < active.bytes {
            let message =
                format!("`{name}` has {found} bytes of {}: what was acknowledged is not there", active.bytes);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        let mut file = self.disk.open(&name)?;
        file.truncate(active.bytes)?;
        file.sync()?;
        let number = active.number + 1;
        // An earlier try may have left it, with nothing in it but a checkpoint.
        let _ = self.disk.remove(&segment_name(number));
        let (file, bytes) = begin_segment_on_a_full_disk(&*self.disk, number, self.done_seq)?;
        self.file = file;
        self.segments.push_back(Segment { number, bytes, last: active.last });
        self.failed = false;
        Ok(())
    }
}
