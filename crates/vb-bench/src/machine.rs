//! What the figures depend on: versions, kernel, processors, and what else runs.

use fs_err as fs;

use crate::{
    error::BenchError,
    run::{Program, output_of},
};

/// Returns the lines that stand above the figures.
pub(crate) fn describe(program: &Program) -> Result<String, BenchError> {
    let version = output_of(program.command().arg("--version"))?;
    let commit = output_of(std::process::Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]))?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: Vec<&str> = load.split(' ').take(3).collect();
    Ok(format!(
        "{version}, commit {commit}; Linux {}, {cores} cores ({}), load average before the first run {}\n",
        kernel.trim(),
        model.unwrap_or("unknown"),
        load.join(" "),
    ))
}
