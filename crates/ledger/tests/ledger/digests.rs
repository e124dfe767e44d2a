use ledger::*;

#[test]
fn a_tag_is_length_prefixed_so_that_no_two_purposes_share_a_digest() {
    let expected = DigestAlgorithm::Sha256.digest(b"\x05helloworld");
    assert_eq!(tagged("hello", &[b"wor", b"ld"]), expected);
    assert_ne!(tagged("hellow", &[b"orld"]), expected);
}

#[test]
fn both_algorithms_give_the_digests_of_their_standard() {
    // FIPS 180-4, message "abc".
    assert_eq!(
        DigestAlgorithm::Sha256.digest(b"abc").to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        DigestAlgorithm::Sha512_256.digest(b"abc").to_string(),
        "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
    );
}

#[test]
fn a_commitment_opens_to_its_parts_and_salt_only() {
    for algorithm in DigestAlgorithm::ALL {
        let commitment = Commitment::new(algorithm, &[1; 32], &[b"patient", b"record"]);
        assert!(commitment.opens(&[1; 32], &[b"patient", b"record"]));
        assert!(!commitment.opens(&[2; 32], &[b"patient", b"record"]));
        assert!(!commitment.opens(&[1; 32], &[b"patientr", b"ecord"]));
        assert!(!commitment.opens(&[1; 32], &[b"patient", b"record", b""]));
        assert!(!commitment.opens(&[1; 32], &[b"record", b"patient"]));
    }
}

#[test]
fn the_two_algorithms_never_open_each_others_commitments() {
    let sha256 = Commitment::new(DigestAlgorithm::Sha256, &[1; 32], &[b"x"]);
    let sha512_256 = Commitment::new(DigestAlgorithm::Sha512_256, &[1; 32], &[b"x"]);
    assert_ne!(sha256.value, sha512_256.value);
    let mislabelled = Commitment {
        algorithm: DigestAlgorithm::Sha256,
        value: sha512_256.value,
    };
    assert!(!mislabelled.opens(&[1; 32], &[b"x"]));
}

#[test]
fn algorithms_are_numbered_in_bytes_and_named_in_text() {
    assert_eq!(canonical::encode(&DigestAlgorithm::Sha256), [1]);
    assert_eq!(canonical::encode(&DigestAlgorithm::Sha512_256), [2]);
    assert_eq!(
        serde_json::to_string(&DigestAlgorithm::Sha512_256).unwrap(),
        "\"sha-512/256\""
    );
    assert!(serde_json::from_str::<DigestAlgorithm>("\"md5\"").is_err());
}

#[test]
fn a_write_set_must_ascend_and_its_digest_depends_on_every_entry() {
    let write = |key: &str, value: Option<&str>| {
        (
            key.as_bytes().to_vec(),
            value.map(|v| v.as_bytes().to_vec()),
        )
    };
    let set = WriteSet(vec![write("a", Some("1")), write("b", None)]);
    assert!(set.is_ordered());
    assert!(!WriteSet(vec![write("b", None), write("a", None)]).is_ordered());
    assert!(!WriteSet(vec![write("a", None), write("a", None)]).is_ordered());
    assert_ne!(set.digest(), WriteSet(vec![write("a", Some("1"))]).digest());
    assert_ne!(
        set.digest(),
        WriteSet(vec![write("a", Some("1")), write("b", Some(""))]).digest()
    );
}
