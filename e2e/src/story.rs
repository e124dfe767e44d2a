//! Plays the story once for all tests, also when each test is a process of its own.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use crate::capture::{Heard, Listening};

/// How many patients are made up: enough for one disease to show and another to hide, and for both hospitals.
pub const PATIENTS: usize = 16;

/// A story that was played to its end.
#[derive(Debug)]
pub struct Story {
    /// The last line of standard output: the report.
    pub report: Value,
    /// Whether the command ended with success.
    pub success: bool,
    /// What it told on standard error.
    pub told: String,
    /// The system's folder.
    pub folder: PathBuf,
    /// What was said on the brokers, and the spans of all processes, while it was played.
    pub heard: Heard,
}

/// The story of this test run.
///
/// # Panics
/// If it cannot be played at all.
pub fn story() -> &'static Story {
    static STORY: OnceLock<Story> = OnceLock::new();
    STORY.get_or_init(play_once)
}

impl Story {
    /// A process's folder.
    pub fn process(&self, name: &str) -> PathBuf {
        self.folder.join("processes").join(name)
    }

    /// The block files of a replica.
    pub fn blocks(&self, replica: usize) -> PathBuf {
        self.process(&format!("replica-{replica}"))
            .join("data/blocks")
    }

    /// The genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.folder.join("genesis.json")
    }

    /// A figure of the report.
    ///
    /// # Panics
    /// If the report has no such figure.
    pub fn figure(&self, name: &str) -> u64 {
        self.report[name]
            .as_u64()
            .unwrap_or_else(|| panic!("the report has no figure {name}: {}", self.report))
    }

    /// Requires that the story told this.
    ///
    /// # Panics
    /// If it did not.
    pub fn tells(&self, text: &str) {
        assert!(
            self.told.contains(text),
            "the story does not tell `{text}`:\n{}",
            self.told
        );
    }
}

/// The `medshare` command: `$MEDSHARE_BINARY`, else the one next to this test's folder.
///
/// # Panics
/// If it is not built.
pub fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("MEDSHARE_BINARY") {
        return PathBuf::from(named);
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let found = test
        .ancestors()
        .map(|folder| folder.join("medshare"))
        .find(|program| program.is_file());
    found.expect("medshare is not built: cargo build -p medshare")
}

/// Runs `medshare` with these arguments.
///
/// # Panics
/// If it cannot be started.
pub fn medshare(arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .output()
        .expect("medshare runs")
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("e2e lies in the workspace")
}

fn play_once() -> Story {
    let all = all_stories();
    std::fs::create_dir_all(&all).expect("the folder of stories can be made");
    // nextest gives each test a process of its own, and all of them one run id.
    let run = std::env::var("NEXTEST_RUN_ID")
        .unwrap_or_else(|_| format!("process-{}", std::process::id()));
    forget_earlier(&all, &run);
    let own = all.join(&run);
    std::fs::create_dir_all(&own).expect("the story's folder can be made");
    let lock = File::create(own.join("lock")).expect("the lock can be made");
    lock.lock().expect("the lock can be taken");
    let folder = own.join("system");
    let (report, told) = (own.join("report.json"), own.join("told.txt"));
    if !report.exists() {
        let listening = Listening::begin(&folder, &own.join("heard"));
        let output = demo(&folder, &[], listening.environment());
        listening.close();
        std::fs::write(&told, &output.stderr).expect("what was told can be kept");
        std::fs::write(&report, &output.stdout).expect("the report can be kept");
    }
    let told = std::fs::read_to_string(told).expect("what was told is text");
    let printed = std::fs::read_to_string(report).expect("the report is text");
    let report = report_of(&printed, &told);
    let success = report["failed"].as_array().is_some_and(Vec::is_empty);
    Story {
        report,
        success,
        told,
        folder,
        heard: Heard::of(&own.join("heard")),
    }
}

/// Plays the story another time with further arguments; the report and what was told. Its files are removed.
///
/// # Panics
/// If it cannot be played at all.
pub fn play_again(further: &[&str]) -> (Value, String) {
    let folder = all_stories().join(format!("again-{}", std::process::id()));
    let output = demo(&folder, further, []);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = report_of(&printed, &told);
    let _ = std::fs::remove_dir_all(&folder);
    (report, told)
}

/// Notes that a test could not run, for the closing line of `./dev test`.
pub fn skipped(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
    if let Some(file) = std::env::var_os("MEDSHARE_SKIPPED") {
        let line = format!("{test}: {why}\n");
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file);
        file.and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()))
            .expect("a skip can be noted");
    }
}

fn all_stories() -> PathBuf {
    workspace().join("target/stories")
}

fn demo<'a>(
    folder: &Path,
    further: &[&str],
    environment: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Output {
    let patients = PATIENTS.to_string();
    let folder = folder.to_str().expect("a path in UTF-8");
    Command::new(program())
        .args(["demo", "--json", "--dir", folder, "--patients", &patients])
        .args(further)
        .envs(environment)
        .env_remove("DATA")
        .env_remove("VITALS")
        .current_dir(workspace())
        .output()
        .expect("medshare demo runs")
}

fn report_of(printed: &str, told: &str) -> Value {
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(last)
        .unwrap_or_else(|_| panic!("the last line is no JSON: `{last}`\n{told}"))
}

/// Removes the stories of earlier runs that nobody holds.
fn forget_earlier(all: &Path, run: &str) {
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        if entry.file_name().to_str() == Some(run) {
            continue;
        }
        let lock = File::open(entry.path().join("lock"));
        let held = matches!(
            lock.map(|lock| lock.try_lock()),
            Ok(Err(TryLockError::WouldBlock))
        );
        let old = entry
            .metadata()
            .and_then(|it| it.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age.as_secs() > 3600));
        if !held && old {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
