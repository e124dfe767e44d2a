//! The journal's file under mutated bytes (see the crate `fuzzing`): a damaged disk, or one that somebody wrote to.

use std::path::Path;

use ledger::{Certificate, Digest, Epoch, Header, Height, Timestamp};

use super::file::{Salt, file_head, group_head, read};
use super::record::{self, JournaledBlock, JournaledCertificate};

const SALT: Salt = [0x5a; 16];

fn bodies(nonces: std::ops::Range<u64>) -> Vec<u8> {
    let mut buffer = Vec::new();
    for nonce in nonces {
        record::put_body(&mut buffer, &crate::fixtures::transaction(nonce).to_bytes());
    }
    buffer
}

fn block() -> JournaledBlock {
    let digest = Digest([3; 32]);
    JournaledBlock {
        header: Header {
            chain: digest,
            height: Height(4),
            previous: digest,
            time: Timestamp(9),
            epoch: Epoch(0),
            transactions: 1,
            transaction_root: digest,
            outcome_root: digest,
            state_root: digest,
            history_root: digest,
        },
        batch: digest,
        wires: vec![digest],
        outcomes: Vec::new(),
    }
}

/// Groups of records, each with its head.
fn file(groups: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = file_head(&SALT).to_vec();
    for records in groups {
        bytes.extend_from_slice(&group_head(&SALT, records));
        bytes.extend_from_slice(records);
    }
    bytes
}

fn groups() -> Vec<Vec<u8>> {
    let mut mixed = Vec::new();
    record::put_votes_anew(&mut mixed);
    record::put_block(&mut mixed, &block());
    let certificate = JournaledCertificate {
        height: Height(4),
        block: Digest([3; 32]),
        certificate: Certificate::from_votes(Epoch(0), 0, &[]),
    };
    record::put_certificate(&mut mixed, &certificate);
    vec![bodies(0..2), mixed, bodies(2..3)]
}

#[test]
fn fuzz_journal_file() {
    let whole = file(&groups());
    let mut with_room = whole.clone();
    with_room.extend_from_slice(&[0; 300]);
    fuzzing::target("ordering-journal")
        .bytes([whole, with_room, file(&[])])
        .run(|bytes| match read(Path::new("journal"), bytes) {
            // Whatever is read, the next group goes behind it.
            Ok((_, _, end)) => {
                assert!(end <= bytes.len());
                true
            }
            Err(_) => false,
        });
}

#[test]
fn fuzz_journal_records() {
    // Behind a checksum that is right: somebody who can write to the disk can do that, too.
    fuzzing::target("ordering-journal-records")
        .bytes(groups())
        .run(|records| read(Path::new("journal"), &file(&[records.to_vec()])).is_ok());
}
