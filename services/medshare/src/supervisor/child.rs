//! One child process: its command line, its readiness line, its end.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;

/// What is needed to start a process.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The `medshare` program.
    pub program: PathBuf,
    /// The subcommand.
    pub command: String,
    /// The process's folder; it runs there, on the `config.toml` in it.
    pub folder: PathBuf,
    /// Overrides of configuration keys.
    pub environment: BTreeMap<String, String>,
    /// Where its log goes.
    pub log: PathBuf,
}

/// The line that a process prints once it is ready.
#[derive(Clone, Debug, Deserialize)]
pub struct Readiness {
    /// Where it serves health.
    pub health: Option<String>,
    /// Where else it listens.
    pub addresses: BTreeMap<String, String>,
}

/// A log larger than this is put aside at the next start.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// What the allocator of a process is told by its environment. What a replica holds goes up and down with each run that it stores, every
/// ten seconds under load: its pages, given back and taken again, would cost a twentieth of its time, so they are kept for a minute. The
/// other processes hold little, of which pages of two megabytes would make three times as much.
pub(crate) fn allocator_option(command: &str) -> (&'static str, &'static str) {
    if command == "ordering" {
        ("MIMALLOC_PURGE_DELAY", "60000")
    } else {
        ("MIMALLOC_ALLOW_THP", "0")
    }
}

/// A running child. Dropping it closes its standard input, which stops it.
pub struct Child {
    child: tokio::process::Child,
    group: Pid,
    /// Held apart from `child`, whose `wait` would close it.
    input: Option<tokio::process::ChildStdin>,
}

impl Child {
    /// Starts the process in a process group of its own, so that a signal reaches what it starts itself.
    pub fn start(launch: &Launch) -> anyhow::Result<(Child, oneshot::Receiver<Readiness>)> {
        put_aside_when_large(&launch.log)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&launch.log)
            .with_context(|| format!("{} cannot be opened", launch.log.display()))?;
        let mut child = Command::new(&launch.program)
            .arg(&launch.command)
            .args(["--config", "config.toml", "--die-with-parent"])
            .current_dir(&launch.folder)
            .envs([allocator_option(&launch.command)])
            .envs(&launch.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?)
            .process_group(0)
            .spawn()
            .with_context(|| {
                format!(
                    "{} {} cannot be started",
                    launch.program.display(),
                    launch.command
                )
            })?;
        let id = child.id().context("the process ended at once")?;
        let group = Pid::from_raw(id.cast_signed()).context("the process has no id")?;
        let output = child
            .stdout
            .take()
            .context("the process has no standard output")?;
        let input = child.stdin.take();
        let (sender, readiness) = oneshot::channel();
        tokio::spawn(read_output(output, log, sender));
        Ok((
            Child {
                child,
                group,
                input,
            },
            readiness,
        ))
    }

    /// Its process id, and its group's.
    pub fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Waits for its end. Cancel-safe.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to stop, by ending its standard input.
    pub fn ask_to_stop(&mut self) {
        self.input = None;
    }

    /// Sends a signal to it and to what it started.
    pub fn signal(&self, signal: Signal) {
        // The group may be gone already, and that is as well.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }
}

/// A log that has grown large is put aside at the next start, in place of the one put aside before.
fn put_aside_when_large(log: &Path) -> anyhow::Result<()> {
    let is_large = std::fs::metadata(log).is_ok_and(|found| found.len() > LOG_BYTES_MAX);
    if is_large {
        std::fs::rename(log, log.with_extension("log.1"))
            .with_context(|| format!("{} cannot be put aside", log.display()))?;
    }
    Ok(())
}

/// Takes the readiness line from standard output; anything else there is log.
async fn read_output(
    output: tokio::process::ChildStdout,
    mut log: std::fs::File,
    readiness: oneshot::Sender<Readiness>,
) {
    let mut readiness = Some(readiness);
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Readiness>(&line) {
            Ok(ready) if readiness.is_some() => {
                let _ = readiness.take().map(|sender| sender.send(ready));
            }
            _ => {
                let _ = writeln!(log, "{line}");
            }
        }
    }
}
