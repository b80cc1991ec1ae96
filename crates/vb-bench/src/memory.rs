//! The memory of a process and of all that it started, looked at again and again until it ends.
//!
//! What lives shorter than the interval between two looks is not seen.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use fs_err as fs;

const INTERVAL: Duration = Duration::from_millis(10);

/// The most memory that was seen, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peak {
    /// Of the process alone.
    pub(crate) own: u64,
    /// Of the process and its descendants together; what they share is counted once for each.
    pub(crate) tree: u64,
}

/// Looks until it is told to stop.
pub(crate) fn watch(process: u32, stop: &AtomicBool) -> Peak {
    let mut peak = Peak::default();
    while !stop.load(Ordering::Relaxed) {
        let now = look(process);
        peak.own = peak.own.max(now.own);
        peak.tree = peak.tree.max(now.tree);
        std::thread::sleep(INTERVAL);
    }
    peak
}

fn look(root: u32) -> Peak {
    let Ok(entries) = fs::read_dir("/proc") else { return Peak::default() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let processes: BTreeMap<u32, Process> = names.filter_map(|pid| Some((pid, Process::read(pid)?))).collect();
    let is_below = |mut pid: u32| {
        while let Some(process) = processes.get(&pid) {
            if pid == root {
                return true;
            }
            pid = process.parent;
        }
        false
    };
    let tree = processes.iter().filter(|(pid, _)| is_below(**pid)).map(|(_, process)| process.resident).sum();
    Peak { own: processes.get(&root).map_or(0, |process| process.highest), tree }
}

struct Process {
    parent: u32,
    resident: u64,
    highest: u64,
}

impl Process {
    /// Reads `/proc/<pid>/status` (proc(5)); a kernel thread and a process that has ended have no memory.
    fn read(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let bytes = |name: &str| field(name).unwrap_or(0) * 1024;
        let parent = u32::try_from(field("PPid:")?).ok()?;
        Some(Self { parent, resident: bytes("VmRSS:"), highest: bytes("VmHWM:") })
    }
}
