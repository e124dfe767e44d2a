//! A whole system of processes, run by `medshare up` and steered by `medshare admin`, as an operator would.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::story::program;

/// What a test that waits looks again after.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a system is made and run.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Further arguments of `medshare init`.
    pub init: Vec<String>,
    /// Further arguments of `medshare up`.
    pub up: Vec<String>,
    /// Environment of `medshare up` and so of every process.
    pub environment: BTreeMap<String, String>,
}

impl Setup {
    /// The built-in consortium.
    pub fn new() -> Setup {
        Setup::default()
    }

    /// With this many brokers.
    #[must_use]
    pub fn brokers(mut self, count: usize) -> Setup {
        self.init
            .extend(["--nats-servers".to_owned(), count.to_string()]);
        self
    }

    /// With the services' rows on this PostgreSQL server.
    #[must_use]
    pub fn database(mut self, url: &str) -> Setup {
        self.init.extend(["--database".to_owned(), url.to_owned()]);
        self
    }

    /// With every process's traces sent here.
    #[must_use]
    pub fn traces(mut self, endpoint: &str) -> Setup {
        self.up.extend(["--otlp".to_owned(), endpoint.to_owned()]);
        self
    }

    /// With a key of every process's configuration set, as the environment does it.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Setup {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Makes the system in a folder of its own, without starting it.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn make(self) -> Made {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let root = folder.path().join("system");
        let made = Command::new(program())
            .args(["init", "--dir"])
            .arg(&root)
            .args(&self.init)
            .output()
            .expect("medshare runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        forget_usual_ports(&root.join("system.toml"));
        Made {
            setup: self,
            folder,
            root,
        }
    }

    /// Makes the system and starts it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(self) -> RunningSystem {
        self.make().start()
    }
}

/// Each listener takes any free port. Two systems that start at the same moment would both find the usual one free.
fn forget_usual_ports(description: &Path) {
    let text = std::fs::read_to_string(description).expect("the system's description");
    let line = |line: &str| match line.starts_with("port = ") {
        true => "port = 0".to_owned(),
        false => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    std::fs::write(description, lines.join("\n")).expect("it can be written");
}

/// A system that is made and not started.
pub struct Made {
    setup: Setup,
    folder: TempDir,
    /// Its folder.
    pub root: PathBuf,
}

impl Made {
    /// Starts it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(self) -> RunningSystem {
        RunningSystem {
            up: Some(up(&self.setup, &self.root)),
            root: self.root,
            setup: self.setup,
            _folder: Some(self.folder),
        }
    }
}

/// A system that runs. It stops when dropped; its folder goes with it.
pub struct RunningSystem {
    up: Option<Child>,
    root: PathBuf,
    setup: Setup,
    _folder: Option<TempDir>,
}

/// Starts `medshare up` and waits for its line on standard output: then every process is ready.
fn up(setup: &Setup, root: &Path) -> Child {
    let mut child = Command::new(program())
        .args(["up", "--json", "--dir"])
        .arg(root)
        .args(&setup.up)
        .envs(&setup.environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("medshare runs");
    let output = child.stdout.take().expect("its output is a pipe");
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .expect("its output can be read");
    assert!(
        serde_json::from_str::<Value>(&line).is_ok_and(|said| said["up"].is_string()),
        "the system in {} does not start; the end of its logs:\n{}",
        root.display(),
        logs(root)
    );
    child
}

/// The last lines of every log.
fn logs(root: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(root.join("run/logs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(3)..].join("\n");
        text.push_str(&format!("{}\n{last}\n", entry.path().display()));
    }
    text
}

impl RunningSystem {
    /// Runs a system that is made already, in its own folder; the folder stays.
    ///
    /// # Panics
    /// If it does not start.
    pub fn continue_in(root: &Path, setup: Setup) -> RunningSystem {
        RunningSystem {
            up: Some(up(&setup, root)),
            root: root.to_owned(),
            setup,
            _folder: None,
        }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A process's folder.
    pub fn process(&self, name: &str) -> PathBuf {
        self.root.join("processes").join(name)
    }

    /// The block files of a replica.
    pub fn blocks(&self, replica: usize) -> PathBuf {
        self.process(&format!("replica-{replica}"))
            .join("data/blocks")
    }

    /// The genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// A process's log.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.root.join(format!("run/logs/{name}.log"))).unwrap_or_default()
    }

    /// Where a process listens.
    ///
    /// # Panics
    /// If it does not.
    pub fn address(&self, process: &str, listener: &str) -> SocketAddr {
        let status = self.status(process);
        let address = status["addresses"][listener].as_str().unwrap_or_default();
        address
            .parse()
            .unwrap_or_else(|_| panic!("{process} does not listen as {listener}: {status}"))
    }

    /// What the supervisor knows of a process.
    pub fn status(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.root.join("run/processes.json"));
        let all: Value = text
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        all[name].clone()
    }

    /// A process's id.
    ///
    /// # Panics
    /// If it does not run.
    pub fn pid(&self, name: &str) -> i32 {
        let pid = self.status(name)["pid"].as_i64();
        pid.and_then(|pid| i32::try_from(pid).ok())
            .unwrap_or_else(|| panic!("{name} does not run"))
    }

    /// How often a process was started again after it died.
    pub fn restarts(&self, name: &str) -> u64 {
        self.status(name)["restarts"].as_u64().unwrap_or_default()
    }

    /// Steers it as `medshare admin` does.
    ///
    /// # Panics
    /// If it cannot be steered so.
    pub fn admin(&self, arguments: &[&str]) {
        let steered = self.run_admin(arguments);
        let answer: Value = serde_json::from_slice(&steered.stdout).unwrap_or_default();
        assert_eq!(
            answer["done"],
            true,
            "admin {arguments:?}: {answer} {}",
            String::from_utf8_lossy(&steered.stderr)
        );
    }

    /// What a command of `medshare admin` reports, or why it failed.
    ///
    /// # Panics
    /// If it cannot be run.
    pub fn administer(&self, arguments: &[&str]) -> Result<Value, String> {
        let ran = self.run_admin(arguments);
        match ran.status.success() {
            true => Ok(serde_json::from_slice(&ran.stdout).expect("a report is JSON")),
            false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
        }
    }

    fn run_admin(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(program())
            .arg("admin")
            .args(arguments)
            .args(["--json", "--dir"])
            .arg(&self.root)
            .output()
            .expect("medshare runs")
    }

    /// SIGKILL; the supervisor starts it again as after any crash.
    pub fn crash(&self, name: &str) {
        self.admin(&["kill", name]);
    }

    /// SIGKILL; it stays down.
    pub fn kill(&self, name: &str) {
        self.admin(&["kill", name, "--stay-down"]);
    }

    /// Starts a process that is down and waits until it is ready.
    pub fn start_process(&self, name: &str) {
        self.admin(&["start", name]);
    }

    /// Waits until a process is ready, and has been started again at least this often.
    pub async fn until_ready(&self, name: &str, restarts: u64) {
        loop {
            let status = self.status(name);
            if status["state"] == "ready" && status["restarts"].as_u64() >= Some(restarts) {
                return;
            }
            assert_ne!(status["state"], "refused", "{name}: {}", self.log(name));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops every process in order; its files stay as long as this does.
    ///
    /// # Panics
    /// If it does not stop.
    pub fn stop(&mut self) {
        let Some(mut up) = self.up.take() else { return };
        let pid = rustix::process::Pid::from_raw(up.id().cast_signed()).expect("it has an id");
        // It may be gone already.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        up.wait().expect("it ends");
    }

    /// Starts every process again after [`RunningSystem::stop`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        assert!(self.up.is_none(), "it runs");
        self.up = Some(up(&self.setup, &self.root));
    }
}

impl Drop for RunningSystem {
    fn drop(&mut self) {
        self.stop();
    }
}
