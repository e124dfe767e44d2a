//! A process of a running system that is run by hand, as its operator's own machine would run it: with another clock, or
//! over another network.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::Value;

use crate::story::program;
use crate::system::RunningSystem;

/// The process. It is killed when this is dropped, or when the test is.
pub struct ByHand {
    child: Child,
    /// What it says once it is ready.
    ready: Receiver<Value>,
}

impl ByHand {
    /// Kills the process that the supervisor runs under this name, which stays down there, and runs it by hand in the same
    /// environment but for these variables. Its log goes on.
    ///
    /// # Panics
    /// If it does not run, or cannot be run.
    pub fn take_over(system: &RunningSystem, name: &str, changed: &[(&str, &str)]) -> ByHand {
        let environment = environment(system, name);
        let command = command_of(name);
        system.kill(name);
        let log = OpenOptions::new()
            .append(true)
            .open(system.root().join(format!("run/logs/{name}.log")))
            .expect("its log");
        let mut child = Command::new(program())
            .args([command, "--config", "config.toml", "--die-with-parent"])
            .current_dir(system.process(name))
            .envs(environment)
            .envs(changed.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("medshare runs");
        let output = child.stdout.take().expect("its output is a pipe");
        let (tell, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(said) = serde_json::from_str(&line) {
                    // Nobody may want to know.
                    let _ = tell.send(said);
                }
            }
        });
        ByHand { child, ready }
    }

    /// Waits until it is ready, and gives where it shows its metrics. To be asked once.
    ///
    /// # Panics
    /// If it ends before.
    pub fn health(&self) -> SocketAddr {
        let said = self.ready.recv().expect("it becomes ready");
        let address = said["health"].as_str().expect("it says where");
        address.parse().expect("an address")
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The subcommand that a process runs.
fn command_of(name: &str) -> &str {
    match name.split_once('-') {
        Some(("replica", _)) => "ordering",
        Some(("nats", _)) => "broker",
        Some(("records", _)) => "records",
        _ => name,
    }
}

/// What a process was started with.
fn environment(system: &RunningSystem, name: &str) -> BTreeMap<String, String> {
    let file = format!("/proc/{}/environ", system.pid(name));
    let bytes = std::fs::read(file).expect("the environment of a process that runs");
    let entries = bytes.split(|byte| *byte == 0).filter_map(|entry| {
        let entry = String::from_utf8(entry.to_vec()).ok()?;
        let (name, value) = entry.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    entries.collect()
}
