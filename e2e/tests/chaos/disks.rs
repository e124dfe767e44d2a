//! A replica's disk fails in the ways that disks do.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::cast::Cast;
use e2e::invariants;
use e2e::linearizable::judge;
use e2e::load::Load;
use e2e::system::{RunningSystem, Setup};

use crate::row::{AT_WORK, Row};

/// The replica whose disk fails: a backup in the first view.
const VICTIM: &str = "replica-3";

/// The newest file in a folder whose name ends so.
fn newest_file(folder: &Path, end: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let named = entries.map(|entry| entry.path());
    let mut files: Vec<PathBuf> = named
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    files.sort();
    files.pop().unwrap()
}

/// Where the last whole group of a journal ends: behind it is room, or what an earlier use of the file left there.
fn end_of_journal(bytes: &[u8]) -> usize {
    let salt = &bytes[8..24];
    let mut at = 28;
    while bytes.get(at..at + 16) == Some(salt) {
        let length: [u8; 4] = bytes[at + 16..at + 20].try_into().unwrap();
        let end = at + 24 + u32::from_le_bytes(length) as usize;
        if end > bytes.len() {
            break;
        }
        at = end;
    }
    at
}

/// A16. Fault: a journal that ends in a group cut short keeps its replica away, or loses it a vote that had left.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_journal_ends_in_a_torn_record_cuts_it_off_and_is_back() {
    let row = Row::start(Setup::new(), 1).await;
    loop {
        for torn_bytes in [1, 7, 40] {
            row.load.goes_on(AT_WORK).await;
            row.system.kill(VICTIM);
            // A group whose write was under way when the power failed: its sync had not returned, so no vote of it had left.
            let journal = newest_file(&row.system.process(VICTIM).join("data/journal"), ".journal");
            let mut bytes = std::fs::read(&journal).unwrap();
            let end = end_of_journal(&bytes);
            let mut torn = bytes[8..24].to_vec();
            torn.extend_from_slice(&200_u32.to_le_bytes());
            torn.extend(std::iter::repeat_n(0xa5, 4 + torn_bytes));
            bytes.truncate(end);
            bytes.extend(torn);
            std::fs::write(&journal, bytes).unwrap();
            row.system.start_process(VICTIM);
            row.load.goes_on(AT_WORK).await;
        }
        if !row.has_more_to_do() {
            break;
        }
    }
    assert!(row.system.log(VICTIM).contains("cut short"));
    row.settle().await;
}

/// A07. Fault: damage in the middle of a file is taken for its end, and what follows is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_replicas_files_is_named_and_never_cut_off_as_a_tail() {
    let mut system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let load = Load::start(&cast.treasurer, 8);
    load.goes_on(10 * AT_WORK).await;
    system.kill(VICTIM);
    let history = load.finish().await;
    for (folder, end) in [("data/journal", ".journal"), ("data/blocks", ".blk")] {
        let file = newest_file(&system.process(VICTIM).join(folder), end);
        let whole = std::fs::read(&file).unwrap();
        let used = match end {
            ".journal" => end_of_journal(&whole),
            _ => whole.len(),
        };
        let mut flipped = whole.clone();
        flipped[used / 3] ^= 0x10;
        std::fs::write(&file, &flipped).unwrap();
        let told = start_in_vain(&system);
        assert!(
            told.contains("damaged") && told.contains(end),
            "the damage in {} is not named: {told}",
            file.display()
        );
        assert_eq!(
            std::fs::read(&file).unwrap(),
            flipped,
            "damage was cut off or overwritten"
        );
        std::fs::write(&file, &whole).unwrap();
    }
    // The others have not noticed; with its files as they were, it is back.
    system.start_process(VICTIM);
    invariants::all_reach(&system, history.newest()).await;
    drop(cast);
    system.stop();
    invariants::check(&system, &history.receipts());
    judge(&e2e::chain::blocks(&system.blocks(0)), &history).unwrap();
}

/// Starts the victim by hand; it ends by itself, and says why.
fn start_in_vain(system: &RunningSystem) -> String {
    let broker = system.address("nats-1", "client");
    let ended = Command::new(e2e::story::program())
        .args(["ordering", "--config", "config.toml"])
        .current_dir(system.process(VICTIM))
        .env("MEDSHARE__BUS__SERVERS", format!("[\"nats://{broker}\"]"))
        .output()
        .unwrap();
    assert!(!ended.status.success(), "it started over damaged files");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

/// A file system of its own in memory, as small as wanted; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts over a folder, keeping what is in it; none where that is not permitted.
    fn mount(folder: &Path, size: &str) -> Option<SmallDisk> {
        let kept = folder.with_extension("kept");
        std::fs::rename(folder, &kept).unwrap();
        std::fs::create_dir(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            std::fs::remove_dir(folder).unwrap();
            std::fs::rename(&kept, folder).unwrap();
            return None;
        }
        let copied = Command::new("cp")
            .arg("-a")
            .arg(format!("{}/.", kept.display()))
            .arg(folder)
            .status();
        assert!(copied.unwrap().success());
        Some(SmallDisk(folder.to_owned()))
    }

    fn grow(&self, size: &str) {
        let grown = Command::new("mount")
            .args(["-o", &format!("remount,size={size}")])
            .arg(&self.0)
            .status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A16. Fault: a replica whose disk is full goes on voting from memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_disk_is_full_ends_and_is_back_once_there_is_room() {
    let row = Row::start(Setup::new(), 1).await;
    row.system.kill(VICTIM);
    let data = row.system.process(VICTIM).join("data");
    let Some(disk) = SmallDisk::mount(&data, "512m") else {
        e2e::story::skipped(
            "a_replica_whose_disk_is_full",
            "a tmpfs can be mounted by root only",
        );
        return;
    };
    row.system.start_process(VICTIM);
    row.load.goes_on(AT_WORK).await;
    // Whatever room is left is taken by somebody else.
    let ballast = data.join("ballast");
    let _ = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k"])
        .arg(format!("of={}", ballast.display()))
        .output();
    let restarts = row.system.restarts(VICTIM);
    while row.system.restarts(VICTIM) == restarts {
        row.load.goes_on(1).await;
    }
    row.load.goes_on(AT_WORK).await;
    disk.grow("1g");
    std::fs::remove_file(&ballast).unwrap();
    row.system.start_process(VICTIM);
    row.load.goes_on(AT_WORK).await;
    row.settle().await;
}

/// A19, A20. Fault: a contract reads a clock, a random number or a map's order, so that executing again gives another state.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lost_its_state_executes_every_contract_again_and_comes_to_the_same_roots() {
    let row = Row::start(Setup::new(), 1).await;
    // Persons, endorsements, records, claims and codes, so that contracts of every kind have executed.
    let person = e2e::cast::made_up(1).remove(0);
    row.cast.patient(&person).await;
    e2e::cast::until_some(async || {
        let report = row.cast.hospitals[0].import(&person.bundle).await.unwrap();
        (report.unchanged.len() == person.records).then_some(())
    })
    .await;
    row.load.goes_on(20 * AT_WORK).await;
    row.system.kill(VICTIM);
    std::fs::remove_dir_all(row.system.process(VICTIM).join("data/state")).unwrap();
    row.system.start_process(VICTIM);
    // It votes again over the state it computed: another root, and it would halt.
    row.load.goes_on(20 * AT_WORK).await;
    assert_eq!(row.system.status(VICTIM)["state"], "ready");
    let (system, _) = row.settle().await;
    let contracts: std::collections::BTreeSet<u16> = e2e::chain::blocks(&system.blocks(3))
        .iter()
        .flat_map(|block| &block.block.transactions)
        .map(|transaction| transaction.body.contract.0)
        .collect();
    assert!(
        contracts.len() >= 3,
        "only contracts {contracts:?} executed"
    );
}
