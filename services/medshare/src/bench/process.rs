//! A process of a measurement: started, heard ready, read from `/proc`, stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::supervisor::allocator_option;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Clock ticks a second, as Linux shows CPU times.
const TICKS: f64 = 100.0;

/// A subcommand of this program as a process.
pub struct Process {
    child: Child,
    id: u32,
    health: Option<SocketAddr>,
}

impl Process {
    /// Starts `medshare <subcommand> --config <folder>/config.toml` in its folder, and waits until it is ready.
    pub async fn start(subcommand: &str, folder: &Path) -> anyhow::Result<Process> {
        let log = std::fs::File::create(folder.join("log"))?;
        let mut child = Command::new(std::env::current_exe()?)
            .args([subcommand, "--config", "config.toml", "--die-with-parent"])
            .current_dir(folder)
            .envs([allocator_option(subcommand)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().context("a started process has a number")?;
        let out = child.stdout.take().context("standard output is a pipe")?;
        let mut line = String::new();
        let read = BufReader::new(out).read_line(&mut line).await;
        let heard = tokio::time::timeout(READY_WITHIN, async { read }).await;
        if !matches!(heard, Ok(Ok(1..))) {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            bail!(
                "{subcommand} in {} did not become ready:\n{log}",
                folder.display()
            );
        }
        let ready: serde_json::Value = serde_json::from_str(&line)?;
        let health = ready["health"]
            .as_str()
            .and_then(|address| address.parse().ok());
        Ok(Process { child, id, health })
    }

    /// CPU seconds used so far, by it and its children (the broker's server is one).
    pub fn cpu_seconds(&self) -> f64 {
        family(self.id).into_iter().map(cpu_seconds).sum()
    }

    /// CPU seconds used so far by its threads, by name; threads of one name are added up.
    pub fn cpu_seconds_by_thread(&self) -> BTreeMap<String, f64> {
        let mut seconds = BTreeMap::new();
        let tasks = format!("/proc/{}/task", self.id);
        for entry in std::fs::read_dir(tasks).into_iter().flatten().flatten() {
            let folder = entry.path();
            let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
            let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
            *seconds.entry(name.trim().to_owned()).or_default() += ticks_of(&stat) / TICKS;
        }
        seconds
    }

    /// Resident memory in MiB, with its children's.
    pub fn rss_mb(&self) -> u64 {
        family(self.id).into_iter().map(rss_kib).sum::<u64>() / 1024
    }

    /// The metrics it shows.
    pub async fn metrics(&self) -> anyhow::Result<Metrics> {
        let health = self.health.context("the process serves no health")?;
        let mut stream = TcpStream::connect(health).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(Metrics(text))
    }

    /// Kills it with SIGKILL.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Lets it end by itself: its standard input ends.
    pub async fn stop(mut self) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(Duration::from_secs(15), self.child.wait())
            .await
            .is_err()
        {
            let _ = self.child.kill().await;
        }
    }
}

/// Text in Prometheus's format.
pub struct Metrics(String);

impl Metrics {
    /// The value of a metric by its name without the prefix; 0 if it is not there.
    pub fn get(&self, name: &str) -> f64 {
        let start = format!("medshare_{name}{{");
        let line = self.0.lines().find(|line| line.starts_with(&start));
        line.and_then(|line| line.rsplit(' ').next())
            .and_then(|value| value.parse().ok())
            .unwrap_or(0.0)
    }

    /// The buckets of a histogram: upper bound in seconds, and how many values are at or below it.
    pub fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let start = format!("medshare_{name}_bucket{{");
        let lines = self.0.lines().filter(|line| line.starts_with(&start));
        lines
            .filter_map(|line| {
                let (labels, count) = line.rsplit_once(' ')?;
                let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
                // Rust reads "+Inf" as infinity.
                Some((bound.parse().ok()?, count.parse().ok()?))
            })
            .collect()
    }
}

/// A process and its children, as far as there are any.
fn family(id: u32) -> Vec<u32> {
    let children =
        std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children.split_whitespace().flat_map(str::parse);
    [id].into_iter().chain(children.flat_map(family)).collect()
}

fn rss_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

/// CPU seconds that a process has used.
pub fn cpu_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    ticks_of(&stat) / TICKS
}

/// The clock ticks in a line of `stat`: user and system time.
fn ticks_of(stat: &str) -> f64 {
    // Fields 14 and 15; the name in parentheses may hold spaces.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    ticks(11) + ticks(12)
}
