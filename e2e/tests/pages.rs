//! The portal's pages in a real browser: every story of `e2e/pages/stories`, on phone and desktop width, against a system
//! that `medshare demo --keep` has filled.
//!
//! What each page is checked for stands in `e2e/pages/browser.mjs`: axe-core finds nothing (WCAG 2.2 AA), nothing is wider
//! than the window, the console says no error, nothing is asked of another host.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The demo's story and its system's start take a while on a small machine.
const READY_WITHIN: Duration = Duration::from_secs(600);

/// A kept demo; stopped at the end.
struct Demo {
    child: Child,
    accounts: PathBuf,
    _folder: tempfile::TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        // Interrupted as by Ctrl-C: it stops all its processes.
        let _ = Command::new("kill").args(["-INT", &id]).status();
        let _ = self.child.wait();
    }
}

fn demo() -> Demo {
    let medshare =
        std::env::var("MEDSHARE_BINARY").expect("MEDSHARE_BINARY names the medshare command");
    let folder = tempfile::tempdir().expect("a folder for the system");
    let system = folder.path().join("system");
    let child = Command::new(medshare)
        .args(["demo", "--keep", "--dir"])
        .arg(&system)
        .stdout(Stdio::null())
        .spawn()
        .expect("the demo starts");
    let mut demo = Demo {
        child,
        accounts: system.join("accounts.json"),
        _folder: folder,
    };
    let started = Instant::now();
    while !demo.accounts.exists() {
        assert!(started.elapsed() < READY_WITHIN, "the demo is not ready");
        if let Some(status) = demo.child.try_wait().expect("the demo can be asked") {
            panic!("the demo ended: {status}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    demo
}

/// Installs what the stories need, by the committed lock file.
fn packages(folder: &Path) {
    let status = Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        ])
        .current_dir(folder)
        .status()
        .expect("npm is installed");
    assert!(status.success(), "npm ci failed in {}", folder.display());
}

fn has_browser() -> bool {
    let named = std::env::var_os("MEDSHARE_CHROMIUM").map(PathBuf::from);
    let browser = named.unwrap_or_else(|| PathBuf::from("/usr/bin/chromium"));
    browser.exists()
}

/// Says that the test did not run, and why (docs/testing.md).
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(list) = std::env::var_os("MEDSHARE_SKIPPED") {
        let mut list = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
            .expect("the list of skipped tests can be written");
        writeln!(list, "pages: {why}").expect("the list of skipped tests can be written");
    }
}

#[test]
fn every_role_does_its_work_in_a_browser_on_phone_and_desktop_without_a_fault_of_any_page() {
    if !has_browser() {
        return skipped("no Chromium; MEDSHARE_CHROMIUM names one");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    packages(&folder);
    let demo = demo();
    let status = Command::new("node")
        .arg("run.mjs")
        .arg(&demo.accounts)
        .current_dir(&folder)
        .status()
        .expect("node is installed");
    assert!(status.success(), "a story failed; see above");
}
