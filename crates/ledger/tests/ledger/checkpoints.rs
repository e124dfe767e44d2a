use ledger::tlog::{Checkpoint, CheckpointError};
use ledger::*;

use crate::consortium::key;

fn checkpoint() -> Checkpoint {
    Checkpoint::of(
        Digest([0xab; 32]),
        &HistoryLog::from_hashes(&[Digest::ZERO, Digest([1; 32])]),
    )
}

#[test]
fn a_checkpoint_has_three_lines_and_reads_back() {
    let text = checkpoint().text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("medshare/{}", "ab".repeat(32)));
    assert_eq!(lines[1], "2");
    assert_eq!(lines[2].len(), 44);
    assert_eq!(Checkpoint::parse(&text), Ok(checkpoint()));
}

#[test]
fn a_checkpoint_has_one_text_only() {
    let text = checkpoint().text();
    let judge = |text: String| Checkpoint::parse(&text).unwrap_err();
    assert_eq!(
        judge(text.replace("medshare/", "other/")),
        CheckpointError::Origin
    );
    assert_eq!(judge(text.replace("\n2\n", "\nx\n")), CheckpointError::Size);
    assert_eq!(
        judge(text.replace("\n2\n", "\n02\n")),
        CheckpointError::Ending
    );
    assert_eq!(judge(text.replace("ab", "AB")), CheckpointError::Ending);
    assert_eq!(judge(format!("{text}more\n")), CheckpointError::Ending);
    assert_eq!(judge(text.trim_end().to_string()), CheckpointError::Ending);
    assert_eq!(judge(text.replace('=', "")), CheckpointError::Root);
}

#[test]
fn a_signed_note_line_verifies_for_its_name_key_and_text_only() {
    let line = checkpoint().sign("replica-1", &key(1));
    assert!(line.starts_with("\u{2014} replica-1 ") && line.ends_with('\n'));
    assert_eq!(
        checkpoint().verify(&line, "replica-1", &key(1).public_key()),
        Ok(())
    );
    assert_eq!(
        checkpoint().verify(&line, "replica-2", &key(1).public_key()),
        Err(CheckpointError::SignatureLine)
    );
    assert_eq!(
        checkpoint().verify(&line, "replica-1", &key(2).public_key()),
        Err(CheckpointError::SignatureLine)
    );
    let other = Checkpoint {
        size: 3,
        ..checkpoint()
    };
    assert_eq!(
        other.verify(&line, "replica-1", &key(1).public_key()),
        Err(CheckpointError::Signature(SignatureError::Invalid))
    );
    let note = checkpoint().note(std::slice::from_ref(&line));
    assert_eq!(note, format!("{}\n{line}", checkpoint().text()));
}
