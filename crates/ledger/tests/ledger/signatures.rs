use ledger::*;
use proptest::prelude::*;

use crate::consortium::{key, transaction};

/// The order of the prime subgroup, little-endian.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Every encoding of every point of small order, the non-canonical ones included.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let from_hex = |text: &str| byte_string::from_hex::<32>(text).unwrap();
    let last = "7f";
    let middle = "ff".repeat(30);
    let mut encodings = Vec::new();
    for y in [
        format!("00{}", "00".repeat(31)),
        format!("01{}", "00".repeat(31)),
        format!("ec{middle}{last}"),
        format!("ed{middle}{last}"),
        format!("ee{middle}{last}"),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".into(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".into(),
    ] {
        let even = from_hex(&y);
        let mut odd = even;
        odd[31] |= 0x80;
        encodings.extend([even, odd]);
    }
    encodings
}

#[test]
fn a_signature_serves_one_purpose_one_message_and_one_key() {
    let signature = key(1).sign("purpose", b"message");
    assert_eq!(
        key(1)
            .public_key()
            .verify("purpose", b"message", &signature),
        Ok(())
    );
    let refused = Err(SignatureError::Invalid);
    assert_eq!(
        key(1)
            .public_key()
            .verify("purposem", b"essage", &signature),
        refused
    );
    assert_eq!(
        key(1).public_key().verify("other", b"message", &signature),
        refused
    );
    assert_eq!(
        key(1)
            .public_key()
            .verify("purpose", b"messages", &signature),
        refused
    );
    assert_eq!(
        key(2)
            .public_key()
            .verify("purpose", b"message", &signature),
        refused
    );
}

#[test]
fn a_signing_key_never_shows_its_secret() {
    let shown = format!("{:?}", SigningKey::from_seed([0x5a; 32]));
    assert!(
        !shown.contains("5a5a") && !shown.contains("90, 90"),
        "{shown}"
    );
}

#[test]
fn every_encoding_of_every_small_order_point_is_weak() {
    for encoding in small_order_encodings() {
        assert!(PublicKey(encoding).is_weak(), "{}", PublicKey(encoding));
        assert!(
            PublicKey(encoding).has_weak_encoding(),
            "{}",
            PublicKey(encoding)
        );
        // Independent of the table: under a key of small order, the signature (identity, 0) fits any message.
        let mut fits_everything = [0; 64];
        fits_everything[0] = 1;
        let verdict = PublicKey(encoding).verify("any", b"thing", &Signature(fits_everything));
        assert_eq!(verdict, Ok(()), "{}", PublicKey(encoding));
    }
}

#[test]
fn non_canonical_keys_and_bytes_that_are_no_point_are_weak_and_ordinary_keys_are_not() {
    for low in 0xed..=0xff_u8 {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        assert!(PublicKey(bytes).is_weak(), "{low:02x}");
    }
    let mut no_point = [0; 32];
    no_point[0] = 2;
    assert!(PublicKey(no_point).is_weak() && !PublicKey(no_point).has_weak_encoding());
    assert_eq!(
        PublicKey(no_point).verify("d", b"m", &Signature([0; 64])),
        Err(SignatureError::MalformedKey)
    );
    for number in 0..=255 {
        assert!(!key(number).public_key().is_weak());
    }
}

#[test]
fn zip_215_edge_cases_are_accepted_singly_and_in_a_batch_alike() {
    let mut batch = SignatureBatch::new();
    for public_key in small_order_encodings() {
        for commitment in small_order_encodings() {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&commitment);
            let (public_key, signature) = (PublicKey(public_key), Signature(signature));
            assert_eq!(public_key.verify("edge", b"case", &signature), Ok(()));
            batch.push("edge", b"case", &public_key, &signature);
        }
    }
    assert_eq!(batch.len(), 196);
    assert_eq!(batch.verify([7; 32]), Ok(()));
}

#[test]
fn a_scalar_beyond_the_group_order_is_refused_singly_and_in_a_batch_alike() {
    let mut signature = key(1).sign("d", b"m");
    let mut carry = 0;
    for (byte, order) in signature.0[32..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(
        key(1).public_key().verify("d", b"m", &signature),
        Err(SignatureError::Invalid)
    );
    let mut batch = SignatureBatch::new();
    for number in 0..20 {
        batch.push(
            "d",
            b"m",
            &key(number).public_key(),
            &key(number).sign("d", b"m"),
        );
    }
    batch.push("d", b"m", &key(1).public_key(), &signature);
    assert_eq!(batch.verify([0; 32]), Err(vec![20]));
}

#[test]
fn an_empty_batch_is_accepted() {
    assert!(SignatureBatch::new().is_empty());
    assert_eq!(SignatureBatch::new().verify([0; 32]), Ok(()));
}

#[test]
fn two_bad_signatures_whose_errors_cancel_are_found() {
    // s1 + 1 and s2 - 1: a batch without random coefficients would accept the pair.
    let public_key = key(1).public_key();
    let (mut first, mut second) = (key(1).sign("d", b"1"), key(1).sign("d", b"2"));
    let position = (32..63)
        .find(|at| first.0[*at] < 255 && second.0[*at] > 0)
        .unwrap();
    first.0[position] += 1;
    second.0[position] -= 1;
    let mut batch = SignatureBatch::new();
    for message in [b"3", b"4", b"5", b"6"] {
        batch.push("d", message, &public_key, &key(1).sign("d", message));
    }
    batch.push("d", b"1", &public_key, &first);
    batch.push("d", b"2", &public_key, &second);
    assert_eq!(batch.verify([0; 32]), Err(vec![4, 5]));
}

#[test]
fn a_transaction_signed_by_another_key_than_it_names_is_refused() {
    let body = transaction(Digest::ZERO, 2).body;
    assert_eq!(
        SignedTransaction::sign(body.clone(), &key(1)).verify(),
        Ok(())
    );
    assert_eq!(
        SignedTransaction::sign(body, &key(2)).verify(),
        Err(SignatureError::Invalid)
    );
}

#[test]
fn a_transactions_id_does_not_depend_on_its_signature_and_its_wire_digest_does() {
    let signed = transaction(Digest::ZERO, 2);
    let resigned = SignedTransaction::sign(signed.body.clone(), &key(2));
    assert_eq!(signed.id(), resigned.id());
    assert_ne!(signed.wire_digest(), resigned.wire_digest());
}

#[test]
fn a_transaction_is_valid_from_a_minute_before_its_end_to_its_end() {
    let body = transaction(Digest::ZERO, 2).body;
    let end = body.valid_until.0;
    assert!(body.is_valid_at(Timestamp(end)));
    assert!(!body.is_valid_at(Timestamp(end + 1)));
    assert!(body.is_valid_at(Timestamp(end - MAX_VALIDITY_US)));
    assert!(!body.is_valid_at(Timestamp(end - MAX_VALIDITY_US - 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_batch_names_exactly_the_signatures_that_fail_alone(bad in prop::collection::vec(prop::bool::weighted(0.1), 0..60), seed in any::<[u8; 32]>()) {
        let mut batch = SignatureBatch::new();
        let mut failing = vec![];
        for (index, bad) in bad.iter().enumerate() {
            let signed = transaction(Digest::ZERO, index as u64);
            let signed = if *bad { SignedTransaction::sign(signed.body, &key(9)) } else { signed };
            if signed.verify().is_err() {
                failing.push(index);
            }
            signed.push_to(&mut batch);
        }
        let expected = if failing.is_empty() { Ok(()) } else { Err(failing) };
        prop_assert_eq!(batch.verify(seed), expected);
    }

    #[test]
    fn any_bytes_as_key_and_signature_are_judged_alike_singly_and_in_a_batch(keys in prop::collection::vec(any::<[u8; 32]>(), 1..8), bytes in any::<[u8; 32]>()) {
        let mut batch = SignatureBatch::new();
        let mut failing = vec![];
        for (index, public_key) in keys.iter().enumerate() {
            let mut signature = key(1).sign("d", b"m");
            signature.0[..32].copy_from_slice(&bytes);
            if PublicKey(*public_key).verify("d", b"m", &signature).is_err() {
                failing.push(index);
            }
            batch.push("d", b"m", &PublicKey(*public_key), &signature);
        }
        let expected = if failing.is_empty() { Ok(()) } else { Err(failing) };
        prop_assert_eq!(batch.verify([1; 32]), expected);
    }
}
