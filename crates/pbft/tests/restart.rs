//! The vote log: what was said once is said again in the same bytes, or nothing is said.

use ledger::{
    Digest, Epoch, EpochDescription, Height, LedgerId, ReplicaDescription, ReplicaId, SigningKey,
    Timestamp,
};
use pbft::message::{Recalled, RecalledWord};
use pbft::statement::{Phase, Statement};
use pbft::{
    Base, Configuration, Durable, Effect, HaltReason, Input, InstalledBlock, Limits, LogRecord,
    Message, Moment, Outgoing, Pending, Replica, Request, RestoreError, Sequence, SignedMessage,
    StoredChain, View,
};

fn key(replica: u16) -> SigningKey {
    SigningKey::from_seed([replica as u8 + 1; 32])
}

fn configuration(replica: u16) -> Configuration {
    let member = |id: u16| ReplicaDescription {
        replica: ReplicaId(id),
        operator: LedgerId([id as u8; 16]),
        public_key: key(id).public_key(),
    };
    Configuration {
        chain: Digest([9; 32]),
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(1),
            replicas: (0..4).map(member).collect(),
        },
        replica: ReplicaId(replica),
        base: Base {
            sequence: Sequence(0),
            block: Digest([1; 32]),
            time: Timestamp(1),
        },
        limits: Limits::default(),
    }
}

fn at(microseconds: u64) -> Moment {
    Moment {
        monotonic: Timestamp(microseconds),
        wall: Timestamp(1_000_000_000 + microseconds),
    }
}

/// The primary of view 0 starts with `log`, gets a request, and then hears that nothing of it is remembered: what it
/// logs, and what leaves.
fn primary(
    log: Vec<LogRecord>,
    input: Input,
) -> Result<(Replica, Vec<LogRecord>, Vec<Outgoing>), RestoreError> {
    let mut replica = silent(0, log)?;
    let (mut records, mut left) = (Vec::new(), Vec::new());
    for input in [
        input,
        recalled(1, 0, Vec::new()),
        recalled(2, 0, Vec::new()),
    ] {
        let (more_records, more_left) = step(&mut replica, at(1), input);
        records.extend(more_records);
        left.extend(more_left);
    }
    Ok((replica, records, left))
}

/// A replica that has started and does not vote yet: others have not said what they remember of it.
fn silent(number: u16, log: Vec<LogRecord>) -> Result<Replica, RestoreError> {
    let signer = Box::new(key(number));
    let chain = StoredChain::default();
    Replica::restore(configuration(number), signer, log, chain, at(0))
}

/// Says to replica `of`, as `by`, that these are all the words of it that are remembered.
fn recalled(by: u16, of: u16, words: Vec<RecalledWord>) -> Input {
    let message = Message::Recalled(Recalled {
        of: ReplicaId(of),
        asked: at(0).wall.0,
        words,
    });
    let (domain, bytes) =
        Statement::of(&message).signing_bytes(&Digest([9; 32]), Epoch(0), ReplicaId(by));
    let signed = SignedMessage {
        epoch: Epoch(0),
        sender: ReplicaId(by),
        message,
        signature: key(by).sign(domain, &bytes),
    };
    let verified = verifier().verify(signed).expect("true words verify");
    Input::Message(verified)
}

fn verifier() -> pbft::Verifier {
    pbft::Verifier::new(
        &configuration(0),
        std::sync::Arc::new(pbft::Ed25519::default()),
    )
}

/// A vote of replica `of` as others remember it.
fn word(of: u16, phase: Phase, view: u64, sequence: u64) -> RecalledWord {
    let statement = Statement {
        view: View(view),
        sequence: Sequence(sequence),
        phase,
        digest: Digest([77; 32]),
    };
    let (domain, bytes) = statement.signing_bytes(&Digest([9; 32]), Epoch(0), ReplicaId(of));
    RecalledWord {
        view: statement.view,
        sequence: statement.sequence,
        phase,
        digest: statement.digest,
        signature: key(of).sign(domain, &bytes),
    }
}

fn request(byte: u8) -> Input {
    let (digest, client) = (Digest([byte; 32]), LedgerId([1; 16]));
    Input::Submitted(vec![Request {
        digest,
        client,
        valid_until: Timestamp(u64::MAX),
    }])
}

/// Steps, makes what is persisted durable at once, and gives back the log records and what left.
fn step(replica: &mut Replica, now: Moment, input: Input) -> (Vec<LogRecord>, Vec<Outgoing>) {
    let (mut records, mut left) = (Vec::new(), Vec::new());
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        let mut pending: Vec<Pending> = Vec::new();
        for effect in replica.step(now, input) {
            match effect {
                Effect::Persist(entry) => pending.push(entry),
                Effect::Broadcast(message) | Effect::Send { message, .. } => left.push(message),
                _ => {}
            }
        }
        if !pending.is_empty() {
            let durable = Durable::after(pending, |group| {
                group.iter().try_for_each(|entry| {
                    records.push(LogRecord::from_bytes(&entry.record_bytes())?);
                    Ok::<(), ledger::CanonicalError>(())
                })
            });
            inputs.push(Input::Persisted(durable.expect("records are readable")));
        }
    }
    (records, left)
}

fn proposals(left: &[Outgoing]) -> Vec<Vec<u8>> {
    let proposals = left
        .iter()
        .filter(|message| matches!(message.message().message, Message::PrePrepare(_)));
    proposals.map(Outgoing::to_bytes).collect()
}

#[test]
fn a_proposal_does_not_leave_before_it_is_durable() {
    let mut replica = silent(0, Vec::new()).expect("starts");
    replica.step(at(1), request(1));
    replica.step(at(1), recalled(1, 0, Vec::new()));
    let effects = replica.step(at(1), recalled(2, 0, Vec::new()));
    assert!(effects.iter().any(
        |effect| matches!(effect, Effect::Persist(entry) if entry.bodies() == [Digest([1; 32])])
    ));
    let left = effects.iter().filter(|effect| {
        matches!(effect, Effect::Broadcast(message) if matches!(message.message().message, Message::PrePrepare(_)))
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn after_a_restart_the_same_slot_gets_the_same_bytes_and_no_other() {
    let (_, records, left) = primary(Vec::new(), request(1)).expect("starts");
    let first = proposals(&left);
    assert_eq!(first.len(), 1);

    // Another request comes first now; it may only go to the next place.
    let (mut again, _, left) = primary(records, request(2)).expect("starts again");
    let others = proposals(&left);
    assert!(others.iter().all(|bytes| !first.contains(bytes)));
    for message in &left {
        if let Message::PrePrepare(proposal) = &message.message().message {
            assert_eq!(proposal.sequence, Sequence(2));
        }
    }
    // A peer that has nothing yet is sent the old proposal again, byte for byte.
    let mut peer = Replica::restore(
        configuration(2),
        Box::new(key(2)),
        Vec::new(),
        StoredChain::default(),
        at(0),
    )
    .expect("the peer starts");
    let mut resent = Vec::new();
    for round in 1..4 {
        let now = at(round * 1_000_000);
        let (_, statuses) = step(&mut peer, now, Input::Wakeup);
        for status in statuses {
            let verified = verifier()
                .verify_bytes(&status.to_bytes())
                .expect("a peer's message verifies");
            resent.extend(proposals(
                &step(&mut again, now, Input::Message(verified)).1,
            ));
        }
    }
    assert!(
        resent.contains(&first[0]),
        "the proposal of the first life is resent"
    );
}

#[test]
fn a_log_with_two_votes_for_one_slot_is_refused() {
    let (_, mut records, _) = primary(Vec::new(), request(1)).expect("starts");
    let (_, others, _) = primary(Vec::new(), request(2)).expect("starts");
    records.extend(others);
    assert_eq!(
        silent(0, records).err(),
        Some(RestoreError::ConflictingVotes(Sequence(1)))
    );
}

#[test]
fn a_log_of_another_replica_is_refused() {
    let mut backup = silent(1, Vec::new()).expect("starts");
    for other in [0, 2] {
        backup.step(at(0), recalled(other, 1, Vec::new()));
    }
    // Nothing happens for long: the backup asks for another view, and logs that.
    let (mut records, mut now) = (Vec::new(), 0);
    while records.is_empty() && now < 60_000_000 {
        now += 1_000_000;
        records = step(&mut backup, at(now), Input::Wakeup).0;
    }
    assert!(
        !records.is_empty(),
        "a backup does not wait for a silent primary for ever"
    );
    assert!(matches!(
        silent(0, records).err(),
        Some(RestoreError::Record { .. })
    ));
}

#[test]
fn after_a_start_nothing_is_signed_until_all_others_but_f_have_said_what_they_remember() {
    let mut replica = silent(0, Vec::new()).expect("starts");
    let (records, _) = step(&mut replica, at(1), request(1));
    assert!(records.is_empty() && replica.summary().recalling);
    for other in [1, 1, 2] {
        assert!(records.is_empty());
        step(&mut replica, at(2), recalled(other, 0, Vec::new()));
    }
    assert!(!replica.summary().recalling);
    assert_eq!(replica.summary().view, View(0));
}

#[test]
fn an_answer_to_an_earlier_start_counts_for_nothing() {
    let mut replica = Replica::restore(
        configuration(0),
        Box::new(key(0)),
        Vec::new(),
        StoredChain::default(),
        at(5),
    )
    .expect("starts");
    for other in [1, 2, 3] {
        replica.step(at(6), recalled(other, 0, Vec::new()));
    }
    assert!(replica.summary().recalling);
}

#[test]
fn a_remembered_word_that_the_log_lacks_stops_the_replica_before_it_votes() {
    for (phase, view, sequence) in [
        (Phase::PrePrepare, 0, 3),
        (Phase::Prepare, 1, 3),
        (Phase::Commit, 0, 1),
        (Phase::ViewChange, 2, 0),
        (Phase::NewView, 4, 0),
    ] {
        let mut replica = silent(0, Vec::new()).expect("starts");
        let words = vec![word(0, phase, view, sequence)];
        let effects = replica.step(at(1), recalled(3, 0, words));
        let lost = HaltReason::LostVotes {
            view: View(view),
            sequence: Sequence(sequence),
        };
        assert_eq!(effects, [Effect::Halt(lost)], "{phase:?}");
    }
}

#[test]
fn a_replica_whose_log_holds_everything_that_is_remembered_goes_on() {
    let (_, records, left) = primary(Vec::new(), request(1)).expect("starts");
    let proposal = left
        .iter()
        .find(|message| matches!(message.message().message, Message::PrePrepare(_)))
        .expect("a proposal left");
    let statement = Statement::of(&proposal.message().message);
    let word = RecalledWord {
        view: statement.view,
        sequence: statement.sequence,
        phase: statement.phase,
        digest: statement.digest,
        signature: proposal.message().signature,
    };
    let mut again = silent(0, records).expect("starts again");
    again.step(at(2), recalled(2, 0, vec![word]));
    again.step(at(2), recalled(3, 0, vec![word]));
    assert!(!again.summary().halted && !again.summary().recalling);
    // The same word, and an empty log.
    let mut lost = silent(0, Vec::new()).expect("starts");
    lost.step(at(2), recalled(2, 0, vec![word]));
    assert!(lost.summary().halted);
}

#[test]
fn words_that_somebody_else_signed_are_no_words_of_ours() {
    let mut forged = word(1, Phase::Prepare, 0, 3);
    forged.view = View(0);
    let message = Message::Recalled(Recalled {
        of: ReplicaId(0),
        asked: 0,
        words: vec![forged],
    });
    let (domain, bytes) =
        Statement::of(&message).signing_bytes(&Digest([9; 32]), Epoch(0), ReplicaId(1));
    let signed = SignedMessage {
        epoch: Epoch(0),
        sender: ReplicaId(1),
        signature: key(1).sign(domain, &bytes),
        message,
    };
    assert!(verifier().verify(signed).is_err());
}

/// The block of height 1, certified by these.
fn installed(by: [u16; 3]) -> Input {
    let vote = |replica| {
        let signed = word(replica, Phase::Commit, 0, 1);
        (ReplicaId(replica), signed.signature)
    };
    let certificate = ledger::Certificate {
        epoch: Epoch(0),
        view: 0,
        votes: by.map(vote).to_vec(),
    };
    let proof = verifier()
        .certified(Sequence(1), Digest([77; 32]), certificate)
        .expect("a quorum certifies");
    let block = InstalledBlock {
        proof,
        time: Timestamp(1),
        digests: Vec::new(),
    };
    let durable = Durable::after(vec![block], |_| Ok::<(), ledger::CanonicalError>(()));
    Input::BlocksInstalled(durable.expect("nothing fails"))
}

#[test]
fn a_fetched_block_with_our_own_vote_stops_the_replica_and_one_without_does_not() {
    let mut replica = silent(0, Vec::new()).expect("starts");
    replica.step(at(1), installed([1, 2, 3]));
    assert!(!replica.summary().halted);
    let mut replica = silent(0, Vec::new()).expect("starts");
    let effects = replica.step(at(1), installed([0, 2, 3]));
    let lost = HaltReason::LostVotes {
        view: View(0),
        sequence: Sequence(1),
    };
    assert_eq!(effects, [Effect::Halt(lost)]);
}
