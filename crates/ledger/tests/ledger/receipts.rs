use ledger::receipt_file::ReceiptFileError;
use ledger::*;
use proptest::prelude::*;

use crate::consortium::{Chain, certify, genesis, key, transaction};

/// A receipt of the accepted transaction 4 among five.
fn receipt() -> Receipt {
    let mut chain = Chain::new();
    chain.push(&[100]);
    chain.push(&[2, 3, 4, 5, 6]);
    chain.receipt(2)
}

/// The error's number after a change.
fn judge(change: impl FnOnce(&mut Receipt)) -> u16 {
    let mut receipt = receipt();
    change(&mut receipt);
    receipt
        .verify(&genesis())
        .expect_err("a changed receipt")
        .number()
}

#[test]
fn every_receipt_of_a_block_verifies_from_the_genesis_file_alone() {
    let mut chain = Chain::new();
    let block = chain.push(&[2, 3, 4, 5, 6]).clone();
    let proofs = BlockProofs::new(&block);
    for index in 0..5 {
        let receipt = proofs.receipt(index, &[]).unwrap();
        let verified = receipt.verify(&genesis()).unwrap();
        assert_eq!(
            verified.transaction(),
            transaction(chain.id(), u64::from(index) + 2).id()
        );
        assert_eq!(verified.outcome().is_accepted(), index % 2 == 0);
        assert_eq!(verified.events().len(), usize::from(index % 2 == 0));
        assert_eq!((verified.height(), verified.index()), (Height(1), index));
        assert_eq!(verified.time(), block.block.header.time);
    }
    assert_eq!(proofs.receipt(5, &[]), None);
    assert_eq!(proofs.epoch_link(), None);
}

#[test]
fn a_verifier_of_many_receipts_accepts_and_refuses_what_single_verification_does() {
    let mut chain = Chain::new();
    let blocks = [
        chain.push(&[2, 3, 4]).clone(),
        chain.push(&[5, 6, 7]).clone(),
    ];
    let mut verifier = ReceiptVerifier::new(genesis().chain_id(), genesis().epoch);
    for block in &blocks {
        let proofs = BlockProofs::new(block);
        for index in 0..3 {
            let receipt = proofs.receipt(index, &[]).unwrap();
            let verified = verifier.verify(&receipt).unwrap();
            assert_eq!(verified, receipt.verify(&genesis()).unwrap());
            // With the good certificate remembered, others are looked at all the same.
            let mut forged = receipt.clone();
            forged.certificate.votes[1].1.0[7] ^= 1;
            assert_eq!(verifier.verify(&forged).unwrap_err().number(), 16);
            let mut moved = receipt;
            moved.header.time = Timestamp(moved.header.time.0 + 1);
            assert_eq!(verifier.verify(&moved).unwrap_err().number(), 16);
        }
    }
}

#[test]
fn a_receipt_of_another_chain_is_refused() {
    assert_eq!(judge(|receipt| receipt.header.chain = Digest::ZERO), 4);
    let foreign = GenesisFile {
        name: "Another consortium".into(),
        ..genesis()
    };
    assert_eq!(receipt().verify(&foreign).unwrap_err().number(), 4);
    // A genesis file with other replicas is another chain, whatever else is equal.
    let mut usurped = genesis();
    usurped.epoch = crate::consortium::epoch(0, 0, &[4, 5, 6, 7]);
    assert_eq!(receipt().verify(&usurped).unwrap_err().number(), 4);
    assert_eq!(
        judge(|receipt| receipt.transaction = transaction(Digest::ZERO, 4)),
        5
    );
}

#[test]
fn a_changed_transaction_is_refused() {
    assert_eq!(judge(|receipt| receipt.transaction.body.command[1] ^= 1), 7);
    assert_eq!(judge(|receipt| receipt.transaction.signature.0[0] ^= 1), 7);
    let chain = genesis().chain_id();
    assert_eq!(
        judge(|receipt| receipt.transaction = transaction(chain, 6)),
        8
    );
    // Signed again by another key in the submitter's name: another transaction.
    let resigned = |receipt: &mut Receipt| {
        let body = TransactionBody {
            public_key: key(2).public_key(),
            ..receipt.transaction.body.clone()
        };
        receipt.transaction = SignedTransaction::sign(body, &key(2));
    };
    assert_eq!(judge(resigned), 8);
    assert_eq!(
        judge(|receipt| {
            resigned(receipt);
            receipt.leaf.transaction = receipt.transaction.id();
        }),
        12
    );
}

#[test]
fn a_changed_outcome_or_event_is_refused() {
    assert_eq!(judge(|receipt| receipt.leaf.events[0].bytes[0] ^= 1), 11);
    assert_eq!(
        judge(|receipt| receipt.leaf.events[0].contract = ContractId(3)),
        11
    );
    assert_eq!(judge(|receipt| receipt.leaf.events.clear()), 11);
    assert_eq!(judge(|receipt| receipt.leaf.writes = Digest::ZERO), 11);
    let reject = |receipt: &mut Receipt| {
        receipt.leaf.outcome = Outcome::Rejected {
            contract: ContractId(2),
            code: 1,
        }
    };
    assert_eq!(judge(reject), 9);
    assert_eq!(
        judge(|receipt| {
            reject(receipt);
            receipt.leaf.events.clear();
        }),
        11
    );
}

#[test]
fn a_swapped_proof_or_index_is_refused() {
    let other = BlockProofs::new(Chain::new().push(&[2, 3, 4, 5, 6]))
        .receipt(0, &[])
        .unwrap();
    assert_eq!(judge(|receipt| receipt.proof = other.proof.clone()), 11);
    assert_eq!(
        judge(|receipt| receipt.transaction_proof = other.transaction_proof.clone()),
        12
    );
    assert_eq!(
        judge(|receipt| std::mem::swap(&mut receipt.proof, &mut receipt.transaction_proof)),
        12
    );
    assert_eq!(judge(|receipt| receipt.index = 0), 12);
    assert_eq!(judge(|receipt| receipt.index = 5), 10);
    assert_eq!(judge(|receipt| receipt.proof.truncate(1)), 11);
}

#[test]
fn the_leaf_of_another_transaction_of_the_block_is_refused_with_its_own_proof() {
    let mut chain = Chain::new();
    chain.push(&[2, 3, 4]);
    let (wanted, given) = (chain.receipt(1), chain.receipt(0));
    let forged = Receipt {
        leaf: given.leaf,
        proof: given.proof,
        ..wanted
    };
    assert_eq!(forged.verify(&genesis()).unwrap_err().number(), 8);
}

#[test]
fn a_header_changed_to_fit_is_refused_for_want_of_a_certificate() {
    let changed = judge(|receipt| {
        receipt.leaf.events[0].bytes[0] ^= 1;
        receipt.header.transactions = 1;
        receipt.index = 0;
        receipt.transaction_proof.clear();
        receipt.header.transaction_root = merkle::root(&[receipt.transaction.wire_digest()]);
        let system = Digest::ZERO;
        receipt.header.outcome_root = merkle::root(&[system, receipt.leaf.hash()]);
        receipt.proof = vec![merkle::leaf_hash(&system.0)];
    });
    assert_eq!(changed, 16);
}

#[test]
fn wrong_keys_too_few_votes_and_doubled_votes_are_refused() {
    let certificate = |receipt: &mut Receipt, signers: &[u16]| {
        receipt.certificate = certify(&receipt.header, signers)
    };
    assert_eq!(judge(|receipt| certificate(receipt, &[0, 1])), 16);
    assert_eq!(judge(|receipt| certificate(receipt, &[0, 1, 1])), 16);
    assert_eq!(judge(|receipt| certificate(receipt, &[0, 1, 9])), 16);
    assert_eq!(judge(|receipt| receipt.certificate.votes.clear()), 16);
    assert_eq!(
        judge(|receipt| receipt.certificate.votes[0].1 = receipt.certificate.votes[1].1),
        16
    );
    assert_eq!(judge(|receipt| receipt.header.epoch = Epoch(1)), 14);
}

#[test]
fn the_genesis_block_certifies_no_transaction() {
    let genesis_header = |receipt: &mut Receipt| {
        receipt.header.height = Height(0);
        receipt.certificate = certify(&receipt.header, &[0, 1, 2]);
    };
    assert_eq!(judge(genesis_header), 13);
}

#[test]
fn a_receipt_file_is_read_by_its_bytes_and_not_by_its_summary() {
    let text = receipt().to_file();
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["medshare_receipt"], 1);
    assert_eq!(file["summary"]["outcome"], "accepted");
    file["summary"] = serde_json::json!({ "outcome": "a lie" });
    assert_eq!(Receipt::from_file(&file.to_string()).unwrap(), receipt());
    file["medshare_receipt"] = 2.into();
    assert!(matches!(
        Receipt::from_file(&file.to_string()),
        Err(ReceiptFileError::Version(2))
    ));
    file["medshare_receipt"] = 1.into();
    file["bytes"] = "AA==".into();
    assert!(matches!(
        Receipt::from_file(&file.to_string()),
        Err(ReceiptFileError::Base64)
    ));
    file["bytes"] = "AAAA".into();
    let refused = Receipt::from_file(&file.to_string());
    assert!(matches!(
        refused,
        Err(ReceiptFileError::Receipt(ReceiptError::Encoding(_)))
    ));
    assert!(matches!(
        Receipt::from_file("{"),
        Err(ReceiptFileError::Json(_))
    ));
}

#[test]
fn a_receipt_larger_than_any_is_not_even_decoded() {
    let bytes = vec![0; receipt::MAX_RECEIPT_BYTES + 1];
    assert!(matches!(
        Receipt::from_bytes(&bytes),
        Err(ReceiptError::TooLong(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bit_of_a_receipt_can_be_changed(position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = receipt().to_bytes();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        let refused = Receipt::from_bytes(&bytes).and_then(|receipt| receipt.verify(&genesis()));
        prop_assert!(refused.is_err(), "byte {}, bit {}", position, bit);
    }
}
