//! The ledger that the story leaves behind.

use e2e::canary::files;
use e2e::chain::{blocks, recount};
use e2e::story::{medshare, story};
use serde_json::Value;

/// A01, A03, A06, A08, A12, A16, A17, A100. Fault: a replica that was away never catches up, or executes differently.
#[test]
fn every_replica_holds_the_same_certified_chain_although_one_was_killed_and_came_back() {
    let story = story();
    story.tells("sabotage: replica-3 is killed");
    let chains: Vec<_> = (0..4)
        .map(|replica| blocks(&story.blocks(replica)))
        .collect();
    let common = chains.iter().map(Vec::len).min().expect("four replicas");
    // Only blocks at the very end may not have reached everybody when all of it was stopped.
    assert!(
        common as u64 + 5 >= story.figure("blocks"),
        "a replica has only {common} blocks"
    );
    for chain in &chains {
        assert_eq!(
            chain[common - 1].block.hash(),
            chains[0][common - 1].block.hash()
        );
    }
    for block in &chains[0][1..] {
        assert!(
            block.certificate.votes.len() >= 3,
            "a block without a quorum of votes"
        );
    }
    for replica in 0..4 {
        recount(&story.blocks(replica), &story.genesis())
            .expect("each replica's chain verifies by itself");
    }
}

/// A01, A04, A05, A07, A39. Fault: `verify chain` or the verifier trusts a block's stored hash instead of recomputing it.
#[test]
fn one_altered_byte_in_one_copy_of_the_ledger_is_detected() {
    let story = story();
    let copy = story
        .folder
        .with_file_name(format!("altered-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&copy);
    std::fs::create_dir_all(copy.join("blocks")).unwrap();
    for file in files(&story.blocks(1)) {
        std::fs::copy(&file, copy.join("blocks").join(file.file_name().unwrap())).unwrap();
    }
    let genesis = story.genesis();
    let verify = || {
        medshare(&[
            "verify",
            "chain",
            copy.to_str().unwrap(),
            "--genesis",
            genesis.to_str().unwrap(),
        ])
    };
    assert!(
        verify().status.success(),
        "{}",
        String::from_utf8_lossy(&verify().stderr)
    );
    let file = files(&copy.join("blocks")).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(
        !verify().status.success(),
        "medshare verify chain accepts an altered block"
    );
    assert!(
        recount(&copy.join("blocks"), &genesis).is_err(),
        "the independent verifier accepts an altered block"
    );
    std::fs::remove_dir_all(&copy).unwrap();
}

/// A02, A41, A50. Fault: a receipt is taken for true without checking the certificate against the genesis file.
#[test]
fn every_receipt_verifies_offline_and_a_forged_one_is_refused() {
    let story = story();
    let receipts = files(&story.folder.join("receipts"));
    assert_eq!(receipts.len() as u64, story.figure("transactions"));
    let genesis = story.genesis();
    let verify = |file: &str| {
        medshare(&[
            "verify",
            "receipt",
            file,
            "--genesis",
            genesis.to_str().unwrap(),
            "--json",
        ])
    };
    for file in receipts.iter().step_by(receipts.len() / 5) {
        let output = verify(file.to_str().unwrap());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["verified"], true);
    }
    let text = std::fs::read_to_string(&receipts[0]).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let bytes = file["bytes"].as_str().unwrap();
    let middle = bytes.len() / 2;
    let other = if bytes.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let forged = format!("{}{other}{}", &bytes[..middle], &bytes[middle + 1..]);
    file["bytes"] = forged.into();
    let forged = story
        .folder
        .with_file_name(format!("forged-{}.json", std::process::id()));
    std::fs::write(&forged, file.to_string()).unwrap();
    assert!(
        !verify(forged.to_str().unwrap()).status.success(),
        "a forged receipt verifies"
    );
    std::fs::remove_file(&forged).unwrap();
}
