//! What the browser's library (`services/portal/assets/browser`) is tried on: made here, checked here, read there.
//!
//! `services/portal/assets/browser/tests/vectors.json` holds bytes of this program's making, and for every forgery the number
//! under which it must be refused. `MEDSHARE_WRITE_VECTORS=1` writes the file anew; without it the test says whether
//! this program still makes and judges what the file says.

#[path = "../../ledger/tests/ledger/consortium.rs"]
#[allow(dead_code)]
mod consortium;

use std::path::PathBuf;

use consortium::{Chain, epoch, genesis, key, ledger_id, transaction};
use keys::delivery::{self, Package};
use keys::{ContentKey, MemberKey, SealingKey, Secret, viewer_name};
use ledger::*;
use serde_json::{Value, json};

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(value.as_str().unwrap().as_bytes())
        .unwrap()
}

fn start(description: EpochDescription) -> LedgerEvent {
    LedgerEvent::EpochStarted(description)
}

/// Height 1 announces epoch 1 from height 3, height 4 announces epoch 2 from height 5.
fn three_epochs() -> Chain {
    let mut chain = Chain::new();
    let next = [start(epoch(1, 3, &[1, 2, 3, 4]))];
    chain.push_in(Epoch(0), &[0, 1, 2], &[2], &next);
    chain.push_in(Epoch(0), &[0, 1, 3], &[4], &[]);
    chain.push_in(Epoch(1), &[1, 2, 4], &[6], &[]);
    let next = [start(epoch(2, 5, &[2, 3, 4, 5]))];
    chain.push_in(Epoch(1), &[1, 2, 4], &[8], &next);
    chain.push_in(Epoch(2), &[3, 4, 5], &[10, 11], &[]);
    chain
}

fn one_epoch() -> Chain {
    let mut chain = Chain::new();
    chain.push_in(Epoch(0), &[0, 1, 3], &[2, 3, 4, 5, 6], &[]);
    chain
}

fn receipts() -> Vec<(&'static str, Receipt)> {
    vec![
        ("an accepted transaction", one_epoch().receipt(0)),
        ("a rejected transaction", one_epoch().receipt(1)),
        ("the last of five", one_epoch().receipt(4)),
        ("through three epochs", three_epochs().receipt(0)),
    ]
}

/// A receipt with one thing changed.
fn altered(mut receipt: Receipt, change: impl FnOnce(&mut Receipt)) -> Receipt {
    change(&mut receipt);
    receipt
}

/// Wrong transactions, outcomes and proofs, well-encoded each.
fn forged_contents() -> Vec<(&'static str, Receipt)> {
    let good = |index| one_epoch().receipt(index);
    let other = Digest([9; 32]);
    let rejection = Outcome::Rejected {
        contract: ContractId(2),
        code: 1,
    };
    vec![
        (
            "header of another chain",
            altered(good(0), |it| it.header.chain = other),
        ),
        (
            "transaction of another chain",
            altered(good(0), |it| it.transaction = transaction(other, 2)),
        ),
        (
            "a command that was not signed",
            altered(good(0), |it| it.transaction.body.command.push(0)),
        ),
        (
            "another transaction in its place",
            altered(good(0), |it| it.transaction = good(2).transaction),
        ),
        (
            "an event that was not decided",
            altered(good(0), |it| it.leaf.events[0].bytes.push(1)),
        ),
        (
            "an acceptance made a rejection",
            altered(good(0), |it| it.leaf.outcome = rejection),
        ),
        (
            "a rejection made an acceptance",
            altered(good(1), |it| it.leaf.outcome = Outcome::Accepted),
        ),
        ("an index past the end", altered(good(0), |it| it.index = 5)),
        (
            "an index beside the place",
            altered(good(0), |it| it.index = 1),
        ),
        (
            "an outcome proof of another leaf",
            altered(good(0), |it| it.proof = good(2).proof),
        ),
        (
            "a transaction proof cut short",
            altered(good(0), |it| it.transaction_proof.truncate(1)),
        ),
    ]
}

/// Wrong headers, certificates and epochs, well-encoded each.
fn forged_certificates() -> Vec<(&'static str, Receipt)> {
    let good = || one_epoch().receipt(0);
    let later = || three_epochs().receipt(0);
    let mut rogue = Chain::new();
    rogue.push_in(Epoch(0), &[4, 5, 6], &[2], &[]);
    let mut self_admitted = Chain::new();
    let own = [start(epoch(1, 2, &[4, 5, 6, 7]))];
    self_admitted.push_in(Epoch(0), &[4, 5, 6], &[], &own);
    self_admitted.push_in(Epoch(1), &[4, 5, 6], &[2], &[]);
    let mut weak = Chain::new();
    let mut with_weak_key = epoch(1, 2, &[0, 1, 2, 3]);
    with_weak_key.replicas[0].public_key = PublicKey([0; 32]);
    weak.push_in(Epoch(0), &[0, 1, 2], &[], &[start(with_weak_key)]);
    weak.push_in(Epoch(1), &[1, 2, 3], &[2], &[]);
    vec![
        (
            "a header that nobody voted for",
            altered(good(), |it| it.header.time = Timestamp(1)),
        ),
        (
            "the height of genesis",
            altered(good(), |it| it.header.height = Height(0)),
        ),
        (
            "an epoch without links",
            altered(good(), |it| it.header.epoch = Epoch(1)),
        ),
        (
            "a certificate of another view",
            altered(good(), |it| it.certificate.view = 1),
        ),
        (
            "a certificate of another epoch",
            altered(good(), |it| it.certificate.epoch = Epoch(1)),
        ),
        (
            "one vote less than a quorum",
            altered(good(), |it| it.certificate.votes.truncate(2)),
        ),
        (
            "a voter counted twice",
            altered(good(), |it| {
                it.certificate.votes[1] = it.certificate.votes[0]
            }),
        ),
        (
            "votes out of order",
            altered(good(), |it| it.certificate.votes.swap(0, 1)),
        ),
        (
            "a vote under another's name",
            altered(good(), |it| it.certificate.votes[2].0 = ReplicaId(2)),
        ),
        ("replicas that nobody admitted", rogue.receipt(0)),
        (
            "replicas that admitted themselves",
            self_admitted.receipt(0),
        ),
        ("an epoch with a weak key", weak.receipt(0)),
        (
            "a link left out",
            altered(later(), |it| drop(it.epochs.remove(0))),
        ),
        (
            "links in another order",
            altered(later(), |it| it.epochs.swap(0, 1)),
        ),
        (
            "a link's leaf of another place",
            altered(later(), |it| it.epochs[0].index = 1),
        ),
        (
            "a link's certificate without quorum",
            altered(later(), |it| it.epochs[1].certificate.votes.truncate(2)),
        ),
        (
            "all links left out",
            altered(later(), |it| it.epochs.clear()),
        ),
    ]
}

fn member() -> MemberKey {
    MemberKey::from_seed(ledger_id(1), Secret::from_bytes([7; 32]))
}

fn prepared(chain: Digest) -> TransactionBody {
    TransactionBody {
        chain,
        submitter: member().ledger_id(),
        public_key: member().public_key(),
        nonce: u64::MAX - 1,
        valid_until: Timestamp(1_700_000_060_000_000),
        contract: ContractId(3),
        // WithdrawGrant of a made-up grant.
        command: [&[7][..], &[0xab; 16]].concat(),
    }
}

/// Signatures on which implementations disagree, and this program's word on each.
fn signatures() -> Value {
    let bytes = |text: &str| -> [u8; 32] { byte_string::from_hex(text).unwrap() };
    let identity = format!("01{}", "00".repeat(31));
    let not_canonical = format!("ee{}7f", "ff".repeat(30));
    let order_eight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let no_point = format!("02{}", "00".repeat(31));
    let encodings = [&identity, &not_canonical, order_eight, &no_point].map(bytes);
    let mut cases = Vec::new();
    for public_key in encodings {
        for commitment in encodings {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&commitment);
            cases.push((PublicKey(public_key), Signature(signature)));
        }
    }
    let signature = key(1).sign("medshare/example/v1", b"message");
    // The scalar plus the group's order is the same number to the curve, and must be refused.
    let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut beyond_order = signature;
    let mut carry = 0u16;
    for (byte, add) in beyond_order.0[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    cases.push((key(1).public_key(), signature));
    cases.push((key(1).public_key(), beyond_order));
    cases.push((key(2).public_key(), signature));
    let judged = cases.into_iter().map(|(public_key, signature)| {
        let verified = public_key.verify("medshare/example/v1", b"message", &signature);
        json!({
            "public_key": public_key,
            "signature": signature,
            "holds": verified.is_ok(),
            "weak": public_key.is_weak(),
        })
    });
    judged.collect()
}

/// Pairs of signed checkpoints with the proof between them.
fn checkpoints() -> Value {
    let chain = genesis().chain_id();
    let leaves: Vec<Digest> = (0..20u8)
        .map(|number| DigestAlgorithm::Sha256.digest(&[number]))
        .collect();
    let signed = |size: usize| {
        let checkpoint = tlog::Checkpoint {
            chain,
            size: size as u64,
            root: merkle::root(&leaves[..size]),
        };
        let name = format!("medshare/{chain}");
        let lines = [0, 2, 3].map(|it| checkpoint.sign(&name, &consortium::replica_key(it)));
        checkpoint.note(&lines)
    };
    let pairs = [
        (0, 5),
        (1, 1),
        (1, 2),
        (3, 7),
        (4, 7),
        (6, 8),
        (7, 20),
        (8, 20),
        (13, 19),
        (20, 20),
    ];
    let pairs = pairs.into_iter().map(|(older, newer)| {
        let proof = merkle::consistency_proof(&leaves[..newer], older as u64).unwrap_or_default();
        json!({ "older": signed(older), "newer": signed(newer), "proof": proof })
    });
    pairs.collect()
}

/// What follows from the code alone.
fn fixed() -> Value {
    let chain = genesis().chain_id();
    let receipts = receipts().into_iter().map(|(name, receipt)| {
        json!({ "name": name, "bytes": hex(&receipt.to_bytes()), "file": receipt.to_file() })
    });
    let forgeries = forged_contents().into_iter().chain(forged_certificates());
    let forgeries = forgeries.map(|(name, receipt)| {
        let refused = receipt.verify(&genesis()).expect_err(name);
        json!({
            "name": name,
            "bytes": hex(&receipt.to_bytes()),
            "number": refused.number(),
            "reason": refused.to_string(),
        })
    });
    let body = prepared(chain);
    json!({
        "genesis": genesis().to_json(),
        "chain": chain,
        "receipts": receipts.collect::<Value>(),
        "forgeries": forgeries.collect::<Value>(),
        "signatures": signatures(),
        "checkpoints": checkpoints(),
        "member": {
            "file": json!({ "ledger_id": member().ledger_id(), "seed": "07".repeat(32) }).to_string(),
            "ledger_id": member().ledger_id(),
            "public_key": member().public_key(),
            "sealing_public_key": hex(&member().sealing_public_key().0),
            "challenge": hex(b"challenge"),
            "challenge_signature": member().sign_message("medshare/sign-in/v1", b"challenge"),
        },
        "prepared": {
            "transaction": body.id(),
            "unsigned": data_encoding::BASE64URL_NOPAD.encode(&canonical::encode(&body)),
            "signature": member().sign(body).signature,
        },
    })
}

const ITEM_INDEX: u16 = 259;
const APPLICATION: [u8; 16] = [0x5a; 16];
const CONTENT: &[u8] = br#"{"resourceType":"Bundle","type":"collection"}"#;
const NAME: &str = "Dr. Ada Example, Ärztin 医生";

fn item_key() -> SealingKey {
    SealingKey::from_secret(&Secret::from_bytes([3; 32]))
}

/// What is sealed with fresh randomness each time.
fn sealed() -> Value {
    let item = delivery::item_data(&APPLICATION, ITEM_INDEX);
    let content_key = ContentKey::from_secret(Secret::from_bytes([4; 32]));
    let package = Package {
        salt: [5; 32],
        content: CONTENT.to_vec(),
    };
    let sealed_key = delivery::seal_key(&item_key().public_key(), &item, &content_key).unwrap();
    let release = Commitment::new(DigestAlgorithm::Sha512_256, &[5; 32], &[CONTENT]);
    let regulator = SealingKey::from_secret(&Secret::from_bytes([6; 32]));
    let patient = member().sealing_public_key();
    let name = viewer_name::seal(NAME, &patient, &regulator.public_key()).unwrap();
    json!({
        "released": {
            "item_secret": "03".repeat(32),
            "item_public_key": hex(&item_key().public_key().0),
            "application": hex(&APPLICATION),
            "index": ITEM_INDEX,
            "sealed_key": hex(&sealed_key),
            "ciphertext": hex(&delivery::encrypt(&content_key, &item, &package)),
            "release_algorithm": DigestAlgorithm::Sha512_256 as u8,
            "release": release.value,
            "content": hex(CONTENT),
        },
        "viewer_name": {
            "regulator_secret": "06".repeat(32),
            "regulator_public_key": hex(&regulator.public_key().0),
            "sealed": hex(&name),
            "name": NAME,
        },
    })
}

fn check_sealed(vectors: &Value) {
    let released = &vectors["released"];
    let item = delivery::item_data(&APPLICATION, ITEM_INDEX);
    let (sealed_key, ciphertext) = (&released["sealed_key"], &released["ciphertext"]);
    let package = delivery::open(&item_key(), &item, &unhex(sealed_key), &unhex(ciphertext));
    assert_eq!(package.unwrap().content, CONTENT);
    let name = unhex(&vectors["viewer_name"]["sealed"]);
    assert_eq!(viewer_name::open(member().sealing(), &name).unwrap(), NAME);
}

#[test]
fn the_browsers_vectors_are_what_this_program_makes_and_how_it_judges_them() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../services/portal/assets/browser/tests/vectors.json");
    if std::env::var_os("MEDSHARE_WRITE_VECTORS").is_some() {
        let mut vectors = fixed();
        for (name, value) in sealed().as_object().unwrap() {
            vectors[name] = value.clone();
        }
        let text = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (name, value) in fixed().as_object().unwrap() {
        assert_eq!(
            &vectors[name], value,
            "{name}: run this test with MEDSHARE_WRITE_VECTORS=1"
        );
    }
    for (name, receipt) in receipts() {
        receipt.verify(&genesis()).expect(name);
    }
    check_sealed(&vectors);
}

#[test]
fn a_receipt_with_any_one_byte_flipped_is_refused() {
    for (name, receipt) in receipts() {
        let bytes = receipt.to_bytes();
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            let verified = Receipt::from_bytes(&forged).and_then(|read| read.verify(&genesis()));
            assert!(verified.is_err(), "{name}, byte {at}");
        }
    }
}
