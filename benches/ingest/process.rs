//! What a process has used so far, and what machine this is; read from /proc.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

/// Linux counts CPU time for users in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// CPU time and memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
    pub(crate) peak_bytes: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name, which may hold spaces: fields 14 and 15, utime and stime, of proc(5).
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks: u32 =
            after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self {
            cpu: TICK * ticks,
            resident_bytes: kib("VmRSS:").unwrap_or(0) << 10,
            peak_bytes: kib("VmHWM:").unwrap_or(0) << 10,
        }
    }
}

impl Sub for Usage {
    type Output = Self;

    /// The CPU time since `before`; memory as it is now.
    fn sub(self, before: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(before.cpu), ..self }
    }
}

/// The machine in a line.
pub(crate) fn machine() -> String {
    let find = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "machine: {}, {cores} cores, {} memory, Linux {}",
        find("/proc/cpuinfo", "model name"),
        find("/proc/meminfo", "MemTotal"),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    )
}
