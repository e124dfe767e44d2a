//! Keeps one system running for the attacks, which nextest runs as processes of their own: starts it, waits while a test
//! holds `users.lock`, and stops it when nobody has for a while.
//!
//! `keeper FOLDER`: the system is in `FOLDER/system`; `FOLDER/ready` appears when it can be attacked, `FOLDER/failed` when
//! it cannot be started.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::story::PATIENTS;

/// Between two tests there is less.
const NOBODY_FOR: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(500);

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("keeper FOLDER"));
    let told = File::create(folder.join("told.txt")).expect("a log");
    let mut system = Command::new(e2e::story::program())
        .args(["demo", "--keep", "--json", "--tls", "mutual"])
        .args(["--patients", &PATIENTS.to_string(), "--dir"])
        .arg(folder.join("system"))
        .env_remove("DATA")
        .env_remove("VITALS")
        .current_dir(e2e::story::workspace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(told)
        .spawn()
        .expect("medshare demo starts");
    let output = system.stdout.take().expect("its output");
    let mut report = String::new();
    // The report comes when the story is over and the system keeps running; without one, it has ended.
    let read = BufReader::new(output).read_line(&mut report);
    let report: Option<serde_json::Value> = serde_json::from_str(&report).ok();
    let failed = match (read, &report) {
        (Ok(_), Some(report)) => report["failed"]
            .as_array()
            .is_none_or(|list| !list.is_empty()),
        _ => true,
    };
    if failed {
        std::fs::write(folder.join("failed"), format!("{report:?}")).expect("a note");
        stop(&mut system);
        return;
    }
    // Who can sign in is written down, and the system can be steered, a moment after the report.
    while !folder.join("system/run/control.json").exists() {
        std::thread::sleep(LOOK_EVERY);
    }
    std::fs::write(folder.join("ready"), "").expect("a note");
    let users = File::create(folder.join("users.lock")).expect("a lock");
    let mut nobody_since = Instant::now();
    while nobody_since.elapsed() < NOBODY_FOR {
        std::thread::sleep(LOOK_EVERY);
        match users.try_lock() {
            Ok(()) => users.unlock().expect("the lock is given back"),
            Err(_) => nobody_since = Instant::now(),
        }
        if system.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
    }
    let _ = std::fs::remove_file(folder.join("ready"));
    stop(&mut system);
    let _ = std::fs::remove_dir_all(&folder);
}

/// As Ctrl-C does.
fn stop(system: &mut Child) {
    let _ = Command::new("kill")
        .args(["-INT", &system.id().to_string()])
        .status();
    let _ = system.wait();
}
