//! A power cut: what replicas wrote and did not sync may be gone.
//!
//! A killed process loses nothing that it wrote: the kernel has it. So replicas run with a small library preloaded
//! (`e2e/power_cut/undo.c`, compiled here) that notes what a file held before each change and forgets the note when the
//! file is synced, or the change was a synced write. [`PowerCut::take_back`] undoes what was never synced: of each file all
//! of it, or all from some change on, that one perhaps by half, as if the disk had got no further.
//!
//! What it shows: that nothing a replica relies on is content it has not synced. What it does not show: names that are
//! lost without a sync of their folder, later changes that survive earlier ones of the same file, or a disk that lies about
//! syncs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::story::workspace;
use crate::system::Setup;

/// The library and its notes.
pub struct PowerCut {
    folder: tempfile::TempDir,
}

/// What was taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// Changes that were never synced.
    pub unsynced: usize,
    /// Of them, those that were undone, wholly or by half.
    pub undone: usize,
}

/// One change, as a note has it.
struct Change {
    offset: u64,
    length: u64,
    file_length: u64,
    bytes: Vec<u8>,
}

impl PowerCut {
    /// Compiles the library; a setup whose replicas run with it.
    ///
    /// # Panics
    /// If there is no C compiler, which building this project needs as well.
    pub fn prepare(setup: Setup) -> (Setup, PowerCut) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let library = folder.path().join("undo.so");
        let notes = folder.path().join("notes");
        std::fs::create_dir(&notes).expect("a folder can be made");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&library)
            .arg(workspace().join("e2e/power_cut/undo.c"))
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("cc runs");
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        let setup = setup
            .environment("LD_PRELOAD", &library.to_string_lossy())
            .environment("POWER_CUT_UNDO", &notes.to_string_lossy());
        (setup, PowerCut { folder })
    }

    /// Takes back what a replica, which is down, has not synced.
    ///
    /// # Panics
    /// If its files cannot be changed.
    pub fn take_back(&self, replica: &str) -> TakenBack {
        let mut taken = TakenBack::default();
        let process = format!("/processes/{replica}/");
        for entry in std::fs::read_dir(self.folder.path().join("notes"))
            .expect("the notes")
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let file = PathBuf::from(format!("/{}", name.replace('%', "/")));
            if !file.to_string_lossy().contains(&process) {
                continue;
            }
            let note = std::fs::read(entry.path()).expect("a note can be read");
            std::fs::remove_file(entry.path()).expect("a note can be removed");
            // Gone since: nothing to take back.
            if file.exists() {
                let changes = changes(&note);
                taken.unsynced += changes.len();
                taken.undone += undo(&file, &changes);
            }
        }
        taken
    }
}

/// The changes of a note, the earliest first. One that was cut short was not made.
fn changes(mut note: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    while let Some((head, rest)) = note.split_first_chunk::<32>() {
        let number =
            |place: usize| u64::from_ne_bytes(std::array::from_fn(|byte| head[8 * place + byte]));
        let Some((bytes, rest)) = rest.split_at_checked(number(3) as usize) else {
            break;
        };
        changes.push(Change {
            offset: number(0),
            length: number(1),
            file_length: number(2),
            bytes: bytes.to_vec(),
        });
        note = rest;
    }
    changes
}

/// Undoes the changes from some place on, in half of the cases all; of the first of them perhaps the second half only.
fn undo(file: &Path, changes: &[Change]) -> usize {
    let [all, place, half, ..]: [u8; 32] = keys::secret::random();
    let kept = match all % 2 {
        0 => 0,
        _ => usize::from(place) * changes.len() / 256,
    };
    let open = OpenOptions::new().write(true).open(file);
    let open = open.expect("a replica's file can be written");
    for (number, change) in changes.iter().enumerate().skip(kept).rev() {
        let torn = number == kept && half % 2 == 0;
        take_back(&open, change, if torn { change.length / 2 } else { 0 });
    }
    changes.len() - kept
}

/// Undoes one change but for its first bytes.
fn take_back(file: &File, change: &Change, survive: u64) {
    let bytes = change.bytes.get(survive as usize..).unwrap_or_default();
    file.write_all_at(bytes, change.offset + survive)
        .expect("a replica's file can be written");
    let now = file.metadata().expect("its length").len();
    let torn_end = if survive == 0 {
        0
    } else {
        change.offset + survive
    };
    file.set_len(change.file_length.max(torn_end.min(now)))
        .expect("a replica's file can be cut");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(offset: u64, length: u64, file_length: u64, bytes: &[u8]) -> Change {
        let bytes = bytes.to_vec();
        Change {
            offset,
            length,
            file_length,
            bytes,
        }
    }

    #[test]
    fn a_change_is_taken_back_wholly_or_by_half() {
        let file = tempfile::tempfile().unwrap();
        let after = |survive, change: &Change| {
            file.set_len(0).unwrap();
            file.write_all_at(b"aaBBBBBB", 0).unwrap();
            take_back(&file, change, survive);
            let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
            file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        // Six bytes were written at 2 of a file with four.
        let grown = change(2, 6, 4, b"aa");
        assert_eq!(after(0, &grown), b"aaaa");
        assert_eq!(after(3, &grown), b"aaBBB");
        let written_over = change(2, 6, 8, b"aaaaaa");
        assert_eq!(after(0, &written_over), b"aaaaaaaa");
        assert_eq!(after(3, &written_over), b"aaBBBaaa");
    }

    #[test]
    fn a_note_that_is_cut_short_tells_what_is_whole() {
        let mut note = Vec::new();
        for number in [2_u64, 6, 4, 2] {
            note.extend(number.to_ne_bytes());
        }
        note.extend(b"aa");
        let whole = note.len();
        note.extend(&note.clone()[..20]);
        assert_eq!(changes(&note).len(), 1);
        assert_eq!(changes(&note[..whole - 1]).len(), 0);
    }
}
