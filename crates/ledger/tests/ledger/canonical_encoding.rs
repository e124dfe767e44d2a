use ledger::canonical::{CanonicalError, decode, encode};
use ledger::*;
use proptest::prelude::*;

use crate::consortium::{Chain, transaction};

#[test]
fn overlong_integers_are_refused() {
    // 5 as one byte, and as two: postcard alone reads both.
    assert_eq!(decode::<u64>(&[0x05]), Ok(5));
    assert_eq!(postcard::from_bytes::<u64>(&[0x85, 0x00]), Ok(5));
    assert_eq!(
        decode::<u64>(&[0x85, 0x00]),
        Err(CanonicalError::NotCanonical)
    );
    assert_eq!(
        decode::<u16>(&[0xff, 0x80, 0x00]),
        Err(CanonicalError::NotCanonical)
    );
}

#[test]
fn an_overlong_length_inside_a_transaction_is_refused() {
    let bytes = transaction(Digest::ZERO, 2).to_bytes();
    // The command is 3 bytes long, just before the 64 bytes of the signature.
    let length_at = bytes.len() - 64 - 3 - 1;
    assert_eq!(bytes[length_at], 3);
    let mut overlong = bytes.clone();
    overlong.splice(length_at..=length_at, [0x83, 0x00]);
    assert!(postcard::from_bytes::<SignedTransaction>(&overlong).is_ok());
    assert!(matches!(
        SignedTransaction::from_bytes(&overlong),
        Err(TransactionError::Encoding(CanonicalError::NotCanonical))
    ));
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = transaction(Digest::ZERO, 2).to_bytes();
    bytes.push(0);
    assert!(matches!(
        SignedTransaction::from_bytes(&bytes),
        Err(TransactionError::Encoding(CanonicalError::NotCanonical))
    ));
}

#[test]
fn missing_bytes_and_unknown_variants_are_refused() {
    let bytes = transaction(Digest::ZERO, 2).to_bytes();
    for end in 0..bytes.len() {
        assert!(
            SignedTransaction::from_bytes(&bytes[..end]).is_err(),
            "{end} bytes"
        );
    }
    assert!(matches!(
        decode::<Outcome>(&[2]),
        Err(CanonicalError::Malformed(_))
    ));
    assert!(matches!(
        decode::<DigestAlgorithm>(&[0]),
        Err(CanonicalError::Malformed(_))
    ));
    assert!(matches!(
        decode::<Option<u8>>(&[2, 1]),
        Err(CanonicalError::Malformed(_))
    ));
}

#[test]
fn a_huge_length_is_refused_without_reserving_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert!(decode::<Vec<u64>>(&huge).is_err());
    assert!(decode::<WriteSet>(&huge).is_err());
}

#[test]
fn a_transaction_of_more_than_64_kib_is_refused() {
    let mut body = transaction(Digest::ZERO, 2).body;
    body.command = vec![0; 64 * 1024];
    let bytes = SignedTransaction::sign(body, &crate::consortium::key(1)).to_bytes();
    assert_eq!(
        SignedTransaction::from_bytes(&bytes),
        Err(TransactionError::TooLong(bytes.len()))
    );
}

#[test]
fn identifiers_and_digests_are_hex_in_json_and_raw_in_bytes() {
    let id = LedgerId([0xab; 16]);
    assert_eq!(
        serde_json::to_string(&id).unwrap(),
        format!("\"{}\"", "ab".repeat(16))
    );
    assert_eq!(
        serde_json::from_str::<LedgerId>(&format!("\"{}\"", "AB".repeat(16))).unwrap(),
        id
    );
    assert!(serde_json::from_str::<LedgerId>("\"ab\"").is_err());
    assert_eq!(encode(&id), [0xab; 16]);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(
        "zz".repeat(32).parse::<Digest>().unwrap_err().to_string(),
        "expected 64 hex characters"
    );
    assert_eq!(encode(&Height(300)), [0xac, 0x02]);
    assert_eq!(serde_json::to_string(&Height(300)).unwrap(), "300");
}

#[test]
fn blocks_and_receipts_survive_json_and_canonical_bytes() {
    let mut chain = Chain::new();
    let certified = chain.push(&[2, 3, 4]).clone();
    assert_eq!(
        decode::<CertifiedBlock>(&encode(&certified)).unwrap(),
        certified
    );
    let json = serde_json::to_string(&certified).unwrap();
    assert_eq!(
        serde_json::from_str::<CertifiedBlock>(&json).unwrap(),
        certified
    );
    let receipt = chain.receipt(1);
    assert_eq!(Receipt::from_bytes(&receipt.to_bytes()).unwrap(), receipt);
    assert_eq!(Receipt::from_file(&receipt.to_file()).unwrap(), receipt);
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(transaction) = SignedTransaction::from_bytes(&bytes) {
            prop_assert_eq!(transaction.to_bytes(), bytes.clone());
        }
        if let Ok(leaf) = decode::<OutcomeLeaf>(&bytes) {
            prop_assert_eq!(encode(&leaf), bytes.clone());
        }
        if let Ok(block) = decode::<CertifiedBlock>(&bytes) {
            prop_assert_eq!(encode(&block), bytes.clone());
        }
        if let Ok(log) = decode::<HistoryLog>(&bytes) {
            let mut log: HistoryLog = log;
            log.append(&Digest::ZERO);
        }
    }

    #[test]
    fn two_byte_strings_never_mean_one_transaction(position in 0usize..1000, flip in 1u8..) {
        let bytes = transaction(Digest::ZERO, 2).to_bytes();
        let mut changed = bytes.clone();
        let position = position % bytes.len();
        changed[position] ^= flip;
        if let Ok(other) = SignedTransaction::from_bytes(&changed) {
            prop_assert_ne!(&other, &transaction(Digest::ZERO, 2));
            prop_assert_ne!(other.wire_digest(), transaction(Digest::ZERO, 2).wire_digest());
            prop_assert!(other.verify().is_err());
        }
    }
}
