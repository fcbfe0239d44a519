//! What tests do to a disk: they let it become read-only or full, or take its time. In a build that is none of a test there is nothing to it.

use std::io;

/// What stands before each change of a folder and its files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    #[cfg(test)]
    told: std::sync::Arc<told::Told>,
}

impl Gate {
    /// Before any change.
    pub(super) fn pass(&self) -> io::Result<()> {
        #[cfg(test)]
        self.told.pass()?;
        Ok(())
    }

    /// Before a change that makes a file longer.
    pub(super) fn grow(&self) -> io::Result<()> {
        self.pass()?;
        #[cfg(test)]
        self.told.grow()?;
        Ok(())
    }
}

#[cfg(test)]
mod told {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::Gate;

    #[derive(Debug, Default)]
    pub(super) struct Told {
        is_shut: AtomicBool,
        is_full: AtomicBool,
        is_held: AtomicBool,
        is_waited_at: AtomicBool,
    }

    impl Told {
        pub(super) fn pass(&self) -> io::Result<()> {
            while self.is_held.load(Ordering::SeqCst) {
                self.is_waited_at.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
            }
            self.is_waited_at.store(false, Ordering::SeqCst);
            match self.is_shut.load(Ordering::SeqCst) {
                true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
                false => Ok(()),
            }
        }

        pub(super) fn grow(&self) -> io::Result<()> {
            match self.is_full.load(Ordering::SeqCst) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }

    impl Gate {
        /// No change goes through, as on a file system that became read-only.
        pub(crate) fn shut(&self, is_shut: bool) {
            self.told.is_shut.store(is_shut, Ordering::SeqCst);
        }

        /// No file becomes longer, as on a disk that is full.
        pub(crate) fn fill(&self, is_full: bool) {
            self.told.is_full.store(is_full, Ordering::SeqCst);
        }

        /// Changes wait, as on a disk that hangs.
        pub(crate) fn hold(&self, is_held: bool) {
            self.told.is_held.store(is_held, Ordering::SeqCst);
        }

        /// Whether a change waits.
        pub(crate) fn is_waited_at(&self) -> bool {
            self.told.is_waited_at.load(Ordering::SeqCst)
        }
    }
}
