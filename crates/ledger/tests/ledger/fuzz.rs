//! Every decoder of this crate under mutated inputs (see the crate `fuzzing`): no panic, and what is accepted is
//! canonical.

use ledger::*;

use crate::consortium::{Chain, genesis, transaction};

/// A chain with accepted and rejected transactions, and a new epoch's start.
fn chain() -> Chain {
    let mut chain = Chain::new();
    chain.push(&[0, 1]);
    let next = crate::consortium::epoch(1, 3, &[1, 2, 3, 4]);
    chain.push_in(
        Epoch(0),
        &[0, 1, 2],
        &[2],
        &[LedgerEvent::EpochStarted(next)],
    );
    chain.push_in(Epoch(1), &[1, 2, 3], &[3, 4, 5], &[]);
    chain
}

fn is_canonical<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> bool {
    let decoded = canonical::decode::<T>(bytes);
    if let Ok(value) = &decoded {
        assert_eq!(canonical::encode(value), bytes);
    }
    decoded.is_ok()
}

#[test]
fn fuzz_transaction() {
    let chain = genesis().chain_id();
    fuzzing::target("ledger-transaction")
        .values((0..4).map(|nonce| transaction(chain, nonce)))
        .run(|bytes| {
            let Ok(signed) = SignedTransaction::from_bytes(bytes) else {
                return false;
            };
            assert_eq!(signed.to_bytes(), bytes);
            let mut batch = SignatureBatch::new();
            signed.push_to(&mut batch);
            assert_eq!(
                signed.verify().is_ok(),
                batch.verify([7; 32]).is_ok(),
                "single and batch checks accept the same set"
            );
            true
        });
}

#[test]
fn fuzz_block() {
    fuzzing::target("ledger-block")
        .values(chain().blocks)
        .run(|bytes| {
            let Ok(certified) = canonical::decode::<CertifiedBlock>(bytes) else {
                return false;
            };
            assert_eq!(canonical::encode(&certified), bytes);
            let _ = certified.block.check_roots();
            let mut verifier = ChainVerifier::new(&genesis()).unwrap();
            let _ = verifier.next(&certified);
            true
        });
}

#[test]
fn fuzz_chain() {
    // Whole chains whose second block is mutated: nothing but the original follows the first.
    let chain = chain();
    fuzzing::target("ledger-chain")
        .values([&chain.blocks[1]])
        .run(|bytes| {
            let Ok(certified) = canonical::decode::<CertifiedBlock>(bytes) else {
                return false;
            };
            let mut verifier = ChainVerifier::new(&chain.genesis).unwrap();
            verifier.next(&chain.blocks[0]).unwrap();
            let accepted = verifier.next(&certified).is_ok();
            assert!(!accepted || certified.block.hash() == chain.blocks[1].block.hash());
            true
        });
}

#[test]
fn fuzz_receipt() {
    let mut chain = chain();
    let receipts = [chain.receipt(0), {
        chain.push_in(Epoch(1), &[2, 3, 4], &[8], &[]);
        chain.receipt(0)
    }];
    let outcomes: Vec<_> = receipts.iter().map(|it| it.transaction.id()).collect();
    fuzzing::target("ledger-receipt")
        .values(receipts)
        .run(|bytes| {
            let Ok(receipt) = Receipt::from_bytes(bytes) else {
                return false;
            };
            assert_eq!(receipt.to_bytes(), bytes);
            if let Ok(verified) = receipt.verify(&chain.genesis) {
                assert!(outcomes.contains(&verified.transaction()), "made up");
            }
            true
        });
}

#[test]
fn fuzz_certificate() {
    let blocks = chain().blocks;
    let epoch = genesis().epoch;
    fuzzing::target("ledger-certificate")
        .values(blocks.iter().map(|block| block.certificate.clone()))
        .run(|bytes| {
            let Ok(certificate) = canonical::decode::<Certificate>(bytes) else {
                return false;
            };
            let header = &blocks[1].block.header;
            let hash = header.hash();
            if certificate
                .verify(&header.chain, header.height, &hash, &epoch)
                .is_ok()
            {
                assert_eq!(certificate, blocks[1].certificate);
            }
            true
        });
}

#[test]
fn fuzz_parts_of_blocks_and_receipts() {
    let chain = chain();
    fuzzing::target("ledger-parts")
        .values(chain.blocks.iter().map(|it| it.block.header.clone()))
        .values(chain.links.clone())
        .values([chain.genesis.epoch.clone()])
        .values(chain.blocks.iter().map(|it| it.block.outcomes.clone()))
        .run(|bytes| {
            [
                is_canonical::<Header>(bytes),
                is_canonical::<EpochLink>(bytes),
                is_canonical::<EpochDescription>(bytes),
                is_canonical::<Vec<OutcomeLeaf>>(bytes),
                is_canonical::<LedgerEvent>(bytes),
                is_canonical::<WriteSet>(bytes),
                is_canonical::<BlockVote>(bytes),
            ]
            .contains(&true)
        });
}

#[test]
fn fuzz_genesis_file() {
    fuzzing::target("ledger-genesis-file")
        .json([genesis().to_json().into_bytes()])
        .run(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Ok(read) = GenesisFile::from_json(&text) else {
                return false;
            };
            assert_eq!(GenesisFile::from_json(&read.to_json()).unwrap(), read);
            let _ = read.chain_id();
            true
        });
}

#[test]
fn fuzz_receipt_file() {
    let receipt = chain().receipt(0);
    fuzzing::target("ledger-receipt-file")
        .json([receipt.to_file().into_bytes()])
        .run(|bytes| Receipt::from_file(&String::from_utf8_lossy(bytes)).is_ok());
}

#[test]
fn fuzz_block_file() {
    let mut file = store_format::MAGIC.to_vec();
    for block in &chain().blocks {
        file.extend(store_format::encode_record(block));
    }
    fuzzing::target("ledger-block-file")
        .bytes([file])
        .run(|bytes| {
            let blocks: Vec<_> = store_format::read_segment(bytes).collect();
            blocks.iter().any(Result::is_ok)
        });
}

#[test]
fn fuzz_tlog_checkpoint() {
    let checkpoint = tlog::Checkpoint::of(Digest([5; 32]), &HistoryLog::new());
    let key = crate::consortium::key(3);
    let line = checkpoint.sign("witness.example", &key);
    fuzzing::target("ledger-tlog")
        .bytes([checkpoint.text().into_bytes(), line.into_bytes()])
        .run(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let verified = checkpoint.verify(&text, "witness.example", &key.public_key());
            tlog::Checkpoint::parse(&text).is_ok() || verified.is_ok()
        });
}
