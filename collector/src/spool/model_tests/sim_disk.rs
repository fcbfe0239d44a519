//! A disk in memory that forgets what was not synced, and that fails where it is told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::spool::disk::{Appender, Disk};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No room: a write leaves half of its bytes.
    NoSpace,
    /// An input/output error.
    Broken,
    /// The power goes: this and everything after fails until the crash.
    PowerCut,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    data: Vec<u8>,
    synced: usize,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    folder: BTreeMap<String, usize>,
    synced_folder: BTreeMap<String, usize>,
    fault: Option<(u8, Fault)>,
    cut: bool,
    read_only: bool,
}

impl State {
    /// Counts one changing operation and fails it if its time has come.
    fn step(&mut self) -> io::Result<()> {
        if self.cut {
            return Err(io::Error::other("power is gone"));
        }
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        match &mut self.fault {
            None => Ok(()),
            Some((0, fault)) => {
                let fault = *fault;
                self.fault = None;
                self.cut = fault == Fault::PowerCut;
                let kind =
                    if fault == Fault::NoSpace { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
                Err(io::Error::new(kind, format!("{fault:?}")))
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    pub(super) fn fault_in(&self, after: u8, fault: Fault) {
        self.state.lock().fault = Some((after, fault));
    }

    /// As a file system that the kernel has mounted anew after an error: it is read, and takes no change.
    pub(super) fn be_read_only(&self, read_only: bool) {
        self.state.lock().read_only = read_only;
    }

    /// Loses the end of every file, synced or not.
    pub(super) fn cut_off(&self, bytes: usize) {
        for inode in &mut self.state.lock().inodes {
            let left = inode.data.len().saturating_sub(bytes);
            inode.data.truncate(left);
            inode.synced = inode.synced.min(left);
        }
    }

    pub(super) fn heal(&self) {
        let mut state = self.state.lock();
        state.fault = None;
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state.lock().cut
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state.lock().folder.keys().cloned().collect()
    }

    /// Loses what was not synced: of each file a tail that the seed chooses; and, on every other seed, all changes of the
    /// folder since it was synced.
    pub(super) fn crash(&self, seed: u64) {
        let mut state = self.state.lock();
        let mut random = seed;
        for inode in &mut state.inodes {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let unsynced = inode.data.len() - inode.synced;
            let kept = usize::try_from(random >> 33).unwrap() % (unsynced + 1);
            inode.data.truncate(inode.synced + kept);
            inode.synced = inode.data.len();
        }
        if seed.is_multiple_of(2) {
            state.folder = state.synced_folder.clone();
        } else {
            state.synced_folder = state.folder.clone();
        }
        state.fault = None;
        state.cut = false;
    }

    /// Flips a bit of these bytes, wherever they stand.
    pub(super) fn spoil(&self, bytes: &[u8]) {
        for inode in &mut self.state.lock().inodes {
            if let Some(at) = inode.data.windows(bytes.len()).position(|window| window == bytes) {
                inode.data[at] ^= 1;
            }
        }
    }

    /// Flips a bit of a segment file; `choose` gets the number of bytes of all of them.
    pub(super) fn flip(&self, choose: impl Fn(usize) -> usize, bit: u8) -> String {
        let mut state = self.state.lock();
        let segments: Vec<(String, usize)> = state
            .folder
            .iter()
            .filter(|(name, _)| name.ends_with(".segment"))
            .map(|(n, i)| (n.clone(), *i))
            .collect();
        let mut at = choose(segments.iter().map(|(_, inode)| state.inodes[*inode].data.len()).sum());
        for (name, inode) in segments {
            let data = &mut state.inodes[inode].data;
            if at < data.len() {
                data[at] ^= 1 << bit;
                return format!("{name} at {at}");
            }
            at -= data.len();
        }
        unreachable!("the index lies in one of the files")
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        let mut state = self.state.lock();
        state.step()?;
        if state.folder.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.folder.insert(name.to_owned(), inode);
        Ok(SimFile { inode, state: Arc::clone(&self.state) })
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let inode = *self.state.lock().folder.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(SimFile { inode, state: Arc::clone(&self.state) })
    }

    fn read(&self, name: &str, (offset, len): (u64, usize), onto: &mut Vec<u8>) -> io::Result<()> {
        let state = self.state.lock();
        let inode = *state.folder.get(name).ok_or(io::ErrorKind::NotFound)?;
        let data = &state.inodes[inode].data;
        let from = usize::try_from(offset).unwrap().min(data.len());
        onto.extend_from_slice(&data[from..data.len().min(from + len)]);
        Ok(())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        let state = self.state.lock();
        let inode = *state.folder.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.inodes[inode].data.len() as u64)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        state.folder.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        let inode = state.folder.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.folder.insert(to.to_owned(), inode);
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        state.synced_folder = state.folder.clone();
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct SimFile {
    inode: usize,
    state: Arc<Mutex<State>>,
}

impl Appender for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        let takes_nothing = state.cut || state.read_only;
        let result = state.step();
        let written = match (takes_nothing, &result) {
            (true, _) => 0,
            (false, Ok(())) => bytes.len(),
            (false, Err(_)) => bytes.len() / 2,
        };
        state.inodes[self.inode].data.extend_from_slice(&bytes[..written]);
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        let inode = &mut state.inodes[self.inode];
        inode.synced = inode.data.len();
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        let inode = &mut state.inodes[self.inode];
        inode.data.truncate(usize::try_from(len).unwrap());
        inode.synced = inode.synced.min(inode.data.len());
        Ok(())
    }
}
