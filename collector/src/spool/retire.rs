//! Removing segment files whose frames are done, after their idempotency keys have moved into the file of keys.

use std::io;

use parking_lot::Mutex;

use super::disk::{Appender, Disk};
use super::keys::Keys;
use super::log::{Log, Segment, segment_name};
use super::record::{KeyRecord, Kind, Parsed, parse};
use super::recover::read_all;

const NAME: &str = "keys";
const NEW_NAME: &str = "keys.new";

/// From this many records on that count no more, beside as many that do, the file is written anew.
const DEAD_MAX: usize = 4096;

/// The file of keys: appended to, and written anew now and then.
#[derive(Debug)]
pub(super) struct KeysFile<F> {
    /// `None` where there is none yet, or where its end is unknown after a failure; then it is written anew.
    file: Option<F>,
    bytes: u64,
    records: usize,
    last_seq: u64,
}

impl<F: Appender> KeysFile<F> {
    /// Reads the keys; a torn or damaged end is cut off by writing the file anew at the next occasion.
    pub(super) fn open<D: Disk<File = F>>(disk: &D, keys: &mut Keys) -> io::Result<Self> {
        let mut found = Self { file: None, bytes: 0, records: 0, last_seq: 0 };
        if !disk.list()?.iter().any(|name| name == NAME) {
            return Ok(found);
        }
        let bytes = read_all(disk, NAME)?;
        let mut at = 0;
        while let Parsed::Record(header, meta, _) = parse(&bytes[at..]) {
            if header.kind == Kind::Key
                && let Some(record) = KeyRecord::decode(meta)
            {
                keys.remember(record, header.time_us, header.seq);
                found.last_seq = found.last_seq.max(header.seq);
                found.records += 1;
            }
            at += usize::try_from(header.record_bytes()).unwrap_or(usize::MAX);
        }
        found.bytes = at as u64;
        if at == bytes.len() {
            found.file = Some(disk.open(NAME)?);
        }
        Ok(found)
    }

    /// The last frame whose key is in the file.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Makes the keys of all frames up to `last` durable here. Requests look keys up meanwhile, and wait for no disk: what is to be written
    /// is read first.
    fn keep<D: Disk<File = F>>(&mut self, disk: &D, keys: &Mutex<Keys>, last: u64) -> io::Result<()> {
        if last <= self.last_seq {
            return Ok(());
        }
        let ((records, n), known) = {
            let keys = keys.lock();
            (keys.records(self.last_seq + 1..=last), keys.len())
        };
        match &mut self.file {
            Some(file) if self.records + n <= 2 * known + DEAD_MAX => {
                if n > 0 {
                    let written = file.append(&records).and_then(|()| file.sync());
                    if let Err(error) = written {
                        self.file = None;
                        return Err(error);
                    }
                }
                self.bytes += records.len() as u64;
                self.records += n;
            }
            _ => self.rewrite(disk, keys, last)?,
        }
        self.last_seq = last;
        Ok(())
    }

    fn rewrite<D: Disk<File = F>>(&mut self, disk: &D, keys: &Mutex<Keys>, last: u64) -> io::Result<()> {
        let (records, n) = keys.lock().records(0..=last);
        if disk.list()?.iter().any(|name| name == NEW_NAME) {
            disk.remove(NEW_NAME)?;
        }
        let mut file = disk.create(NEW_NAME)?;
        file.append(&records)?;
        file.sync()?;
        disk.rename(NEW_NAME, NAME)?;
        disk.sync_folder()?;
        *self = Self { file: Some(file), bytes: records.len() as u64, records: n, last_seq: last };
        Ok(())
    }
}

impl<D: Disk> Log<D> {
    /// Removes the segment files that are done. Answers how many bytes that freed.
    ///
    /// # Errors
    /// What the file system says; the files are tried again the next time.
    pub(crate) fn retire(&mut self) -> io::Result<u64> {
        let active = self.active().number;
        let done_seq = self.done_seq;
        let done = |segment: &&Segment| segment.number != active && segment.last <= done_seq;
        let Some(last) = self.segments.iter().take_while(done).last().map(|segment| segment.last) else {
            return Ok(0);
        };
        self.keys_file.keep(&*self.disk, &self.keys, last)?;
        let mut freed = 0;
        while let Some(segment) = self.segments.front().filter(|segment| done(segment)).copied() {
            self.disk.remove(&segment_name(segment.number))?;
            self.segments.pop_front();
            freed += segment.bytes;
        }
        self.disk.sync_folder()?;
        super::reserve::keep(&*self.disk)?;
        Ok(freed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use uuid::Uuid;

    use super::*;
    use crate::spool::disk::RealDisk;
    use crate::spool::keys::KeyLimits;
    use crate::spool::log::{Frame, LogLimits, Op};
    use crate::spool::run::BlockLimits;

    #[test]
    fn keys_are_looked_up_while_the_disk_takes_its_time_to_keep_them() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path().join("table")).unwrap());
        let keys = Arc::new(Mutex::new(Keys::new(KeyLimits::default())));
        // Each commit begins a segment file, so that the one before is done with its checkpoint.
        let limits = LogLimits { block: BlockLimits::default(), segment_bytes: 1 };
        let (mut log, _) = Log::open(Arc::clone(&disk), limits, "t".to_owned(), Arc::clone(&keys)).unwrap();
        let (key, answer) = (Uuid::from_u128(1), bytes::Bytes::new());
        let key_record = KeyRecord { key, fingerprint: 0, answer };
        let frame = Frame { layout: 1, rows: 1, time_us: 0, key: Some(key_record), body: b"row".to_vec() };
        log.commit(None, vec![frame]).unwrap();
        let block = log.commit(Some(Op::Seal { behind: 0 }), Vec::new()).unwrap().unwrap();
        log.commit(Some(Op::Checkpoint(block)), Vec::new()).unwrap();
        disk.gate().hold(true);
        let retiring = std::thread::spawn(move || log.retire());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !disk.gate().is_waited_at() {
            assert!(Instant::now() < deadline, "nothing is written");
            std::thread::sleep(Duration::from_millis(1));
        }
        let is_known = keys.try_lock().map(|keys| keys.get(&key, 0).is_some());
        disk.gate().hold(false);
        assert!(retiring.join().unwrap().unwrap() > 0, "a segment file is done");
        assert_eq!(is_known, Some(true));
        let kept = std::fs::metadata(folder.path().join("table").join(NAME)).unwrap();
        assert!(kept.len() > 0);
    }
}
