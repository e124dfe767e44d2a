//! Bytes and digests that must never change: whoever changes the format sees it here first.
//!
//! `golden.txt` is read by the Python verifier's tests as well, which compute the same values from
//! `docs/ledger-format.md` alone.

use ledger::canonical::encode;
use ledger::*;

use crate::consortium::{Chain, accepted, genesis, key, rejected, transaction};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every golden value by name, as this build computes it.
fn values() -> Vec<(&'static str, String)> {
    let signed = transaction(Digest([0x11; 32]), 300);
    let writes = WriteSet(vec![
        (b"a".to_vec(), Some(vec![1, 2])),
        (b"b".to_vec(), None),
    ]);
    let epoch_event = LedgerEvent::EpochStarted(crate::consortium::epoch(1, 300, &[7]));
    let commit = |algorithm| encode(&Commitment::new(algorithm, &[0x22; 32], &[b"part", b""]));
    let mut chain = Chain::new();
    let certified = chain.push(&[2, 3, 4]).clone();
    let mut segment = store_format::MAGIC.to_vec();
    for block in &chain.blocks {
        segment.extend(store_format::encode_record(block));
    }
    vec![
        ("genesis_json", hex(genesis().to_json().as_bytes())),
        ("chain_id", genesis().chain_id().to_string()),
        ("transaction", hex(&signed.to_bytes())),
        ("transaction_id", signed.id().to_string()),
        ("transaction_wire_digest", signed.wire_digest().to_string()),
        ("accepted_leaf", hex(&encode(&accepted(&signed)))),
        ("accepted_leaf_hash", accepted(&signed).hash().to_string()),
        ("rejected_leaf", hex(&encode(&rejected(&signed)))),
        ("write_set", hex(&encode(&writes))),
        ("write_set_digest", writes.digest().to_string()),
        ("epoch_event", hex(&encode(&epoch_event))),
        ("header", hex(&encode(&certified.block.header))),
        ("header_hash", certified.block.hash().to_string()),
        ("certificate", hex(&encode(&certified.certificate))),
        ("segment", hex(&segment)),
        ("receipt", hex(&chain.receipt(1).to_bytes())),
        ("commitment_sha_256", hex(&commit(DigestAlgorithm::Sha256))),
        (
            "commitment_sha_512_256",
            hex(&commit(DigestAlgorithm::Sha512_256)),
        ),
        (
            "signature",
            hex(&key(1).sign("medshare/example/v1", b"message").0),
        ),
    ]
}

#[test]
fn the_format_has_not_changed() {
    let computed: String = values()
        .iter()
        .map(|(name, value)| format!("{name} {value}\n"))
        .collect();
    // Shown when the test fails: what golden.txt should hold if the change of format is meant.
    println!("{computed}");
    let golden = include_str!("golden.txt");
    for (computed, golden) in computed.lines().zip(golden.lines()) {
        assert_eq!(computed, golden);
    }
    assert_eq!(computed.lines().count(), golden.lines().count());
}
