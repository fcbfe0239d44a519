//! What graphics processors say of themselves: names, driver, and how much of their memory this process holds.
//!
//! `nvidia-smi` is asked, which comes with every driver and needs no library of the driver in this process. Where it is not there or says
//! nothing, nothing is known, and that is what documents say.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::device::Device;

/// How long an answer may take: a driver that was not in use has to wake the processors first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer; a line is below 100, and a machine has some tens of processors and of processes on them.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// A graphics processor.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gpu {
    name: String,
    driver: String,
    used_bytes: Option<u64>,
}

/// The names of all graphics processors, and their driver; `None` where nobody says.
pub(crate) fn described() -> Option<String> {
    in_words(&gpus(&ask(&mut smi("--query-gpu=name,driver_version,memory.used"), PATIENCE)?))
}

/// How much memory of graphics processors this process holds. Arenas never shrink, so that looks at some instants find about the peak.
#[derive(Debug)]
pub(crate) struct GpuMemory {
    /// What all processes held before this one began.
    before: Option<u64>,
    most: Option<u64>,
}

impl GpuMemory {
    /// A look before the first session; `None` where no graphics processor is asked for.
    pub(crate) fn before(device: Device) -> Option<Self> {
        (device != Device::Cpu).then(|| Self { before: used(), most: None })
    }

    /// Bytes now; `None` where nobody says.
    pub(crate) fn look(&mut self) -> Option<u64> {
        let apps = ask(&mut smi("--query-compute-apps=pid,used_gpu_memory"), PATIENCE);
        let own = apps.and_then(|apps| held_by(&apps, std::process::id()));
        let now = own.or_else(|| grown(self.before, used()));
        self.most = self.most.max(now);
        now
    }

    /// The most bytes of all looks, this one included.
    pub(crate) fn peak(&mut self) -> Option<u64> {
        self.look();
        self.most
    }
}

/// Bytes that all processes hold on all graphics processors.
fn used() -> Option<u64> {
    in_all(&gpus(&ask(&mut smi("--query-gpu=name,driver_version,memory.used"), PATIENCE)?))
}

/// The growth since this process began: in a container a process is known by another number outside, or by none.
fn grown(before: Option<u64>, now: Option<u64>) -> Option<u64> {
    Some(now?.saturating_sub(before?))
}

fn smi(query: &str) -> Command {
    let mut command = Command::new("nvidia-smi");
    command.args([query, "--format=csv,noheader,nounits"]);
    command
}

/// What a program prints; `None` where it is not there, fails, or takes too long.
fn ask(command: &mut Command, patience: Duration) -> Option<String> {
    // Standard input is how this process learns that its parent is gone, and is not shared.
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.ok()?;
    let stdout = child.stdout.take()?;
    let text = within(patience, move || {
        let mut text = String::new();
        stdout.take(ANSWER_BYTES_MAX).read_to_string(&mut text).ok().map(|_| text)
    });
    if text.is_none() {
        let _ = child.kill();
    }
    // One that hangs in the driver cannot be ended.
    let ended = within(patience, move || child.wait().ok()).flatten()?;
    text.flatten().filter(|_| ended.success())
}

/// What a thread finds within some time. One that finds nothing goes on without anybody who waits for it.
fn within<T: Send + 'static>(patience: Duration, find: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (send, receive) = sync_channel(1);
    std::thread::spawn(move || {
        // Whoever waited may have gone on.
        let _ = send.send(find());
    });
    receive.recv_timeout(patience).ok()
}

/// `NVIDIA H200, 580.82.07, 512`: a line a processor, memory in MiB. What a processor does not tell is in brackets: `[N/A]`.
fn gpus(text: &str) -> Vec<Gpu> {
    let gpu = |line: &str| {
        let mut fields = line.rsplitn(3, ',').map(str::trim);
        let (used, driver, name) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Gpu { name: name.to_owned(), driver: driver.to_owned(), used_bytes: mebibytes(used) })
    };
    text.lines().filter_map(gpu).collect()
}

fn in_words(gpus: &[Gpu]) -> Option<String> {
    let driver = &gpus.first()?.driver;
    let names: Vec<&str> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
    Some(format!("{}; driver {driver}", names.join(", ")))
}

/// The sum, where every processor says what it holds.
fn in_all(gpus: &[Gpu]) -> Option<u64> {
    if gpus.is_empty() {
        return None;
    }
    gpus.iter().map(|gpu| gpu.used_bytes).sum()
}

/// Bytes of a process, of `4711, 512` a process and processor; `None` where it is not named, or its memory is not told.
fn held_by(text: &str, pid: u32) -> Option<u64> {
    let own = |line: &str| {
        let (process, used) = line.split_once(',')?;
        (process.trim().parse::<u32>() == Ok(pid)).then(|| mebibytes(used))
    };
    let found: Vec<Option<u64>> = text.lines().filter_map(own).collect();
    if found.is_empty() {
        return None;
    }
    found.into_iter().sum()
}

fn mebibytes(text: &str) -> Option<u64> {
    text.trim().parse::<u64>().ok()?.checked_mul(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_read_with_their_driver_and_their_memory() {
        let found = gpus("NVIDIA H200, 580.82.07, 512\nNVIDIA H200, 580.82.07, 3\n");
        assert_eq!(in_words(&found).unwrap(), "NVIDIA H200, NVIDIA H200; driver 580.82.07");
        assert_eq!(in_all(&found), Some(515 << 20));
        // A name may have commas of its own, and a processor that is cut in parts does not tell what it holds.
        let found = gpus("Tesla T4, rev 1, 470.1, [N/A]\n");
        assert_eq!((found[0].name.as_str(), found[0].driver.as_str()), ("Tesla T4, rev 1", "470.1"));
        assert_eq!(in_all(&found), None);
        assert!(gpus("no devices were found").is_empty());
        assert_eq!((in_words(&[]), in_all(&[])), (None, None));
    }

    #[test]
    fn a_process_is_told_what_it_holds_on_all_processors() {
        let apps = "4711, 512\n99, 1024\n4711, 8\n";
        assert_eq!(held_by(apps, 4711), Some(520 << 20));
        assert_eq!(held_by(apps, 99), Some(1 << 30));
        for silent in ["", "99, 1024\n", "4711, [N/A]\n", "4711, [Insufficient Permissions]\n"] {
            assert_eq!(held_by(silent, 4711), None, "{silent}");
        }
    }

    #[test]
    fn what_all_hold_more_than_before_stands_for_a_process_that_is_not_named() {
        assert_eq!(grown(Some(100), Some(140)), Some(40));
        assert_eq!(grown(Some(100), Some(90)), Some(0));
        assert_eq!((grown(None, Some(90)), grown(Some(1), None)), (None, None));
    }

    #[test]
    fn a_program_that_is_not_there_or_fails_or_hangs_says_nothing() {
        let said = |words: &[&str], patience| ask(Command::new(words[0]).args(&words[1..]), patience);
        assert_eq!(said(&["echo", "a"], PATIENCE).as_deref(), Some("a\n"));
        assert_eq!(said(&["no-such-program"], PATIENCE), None);
        assert_eq!(said(&["false"], PATIENCE), None);
        assert_eq!(said(&["sleep", "600"], Duration::from_millis(20)), None);
    }

    #[test]
    fn a_run_on_the_processor_asks_nobody() {
        assert!(GpuMemory::before(Device::Cpu).is_none());
    }
}
