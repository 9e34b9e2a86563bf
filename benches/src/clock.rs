//! CPU time of processes, user and system together, in nanoseconds.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::ClockId;
use nix::unistd::Pid;

/// CPU time a running process has used so far, all its threads, ended ones too.
///
/// # Errors
/// When there is no such process.
pub fn of_process(pid: u32) -> anyhow::Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid)?)).context("no such process")?;
    Ok(Duration::from(clock.now()?))
}

/// CPU time that the threads of this process with this name have used so far.
///
/// # Errors
/// When the system does not say.
pub fn of_thread(name: &str) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        // One may end between the list and the look.
        let Ok(own) = std::fs::read_to_string(thread.join("comm")) else { continue };
        if own.trim_end() == name {
            let times = std::fs::read_to_string(thread.join("schedstat"))?;
            nanos += times.split(' ').next().context("no times")?.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// CPU time of all children of this process that have ended and been waited for.
///
/// # Errors
/// When the system does not say.
pub fn of_ended_children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    #[allow(clippy::useless_conversion, reason = "microseconds are 32 bits wide on other systems")]
    let micros = (user.tv_sec() + system.tv_sec()) * 1_000_000 + i64::from(user.tv_usec() + system.tv_usec());
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

/// Runs a command to its end and returns the CPU time it took and what it printed. Exit code 1 is taken as an
/// answer (`rg` found nothing); others are failures.
///
/// # Errors
/// When it cannot be started or fails.
pub fn of_command(command: &mut Command) -> anyhow::Result<(Duration, String)> {
    let before = of_ended_children()?;
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok((of_ended_children()?.saturating_sub(before), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The middle one; zero for none.
#[must_use]
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
