//! The vote log: what was said once is said again in the same bytes, or nothing is said.

use ledger::{
    Digest, Epoch, EpochDescription, Height, LedgerId, ReplicaDescription, ReplicaId, SigningKey,
    Timestamp,
};
use pbft::{
    Base, Configuration, Durable, Effect, Input, Limits, LogRecord, Message, Moment, Outgoing,
    Pending, Replica, Request, RestoreError, Sequence, StoredChain,
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

fn primary(log: Vec<LogRecord>) -> Result<Replica, RestoreError> {
    Replica::restore(
        configuration(0),
        Box::new(key(0)),
        log,
        StoredChain::default(),
        at(0),
    )
}

fn request(byte: u8) -> Input {
    let (digest, client) = (Digest([byte; 32]), LedgerId([1; 16]));
    Input::Submitted(Request {
        digest,
        client,
        valid_until: Timestamp(u64::MAX),
    })
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
    let mut replica = primary(Vec::new()).expect("starts");
    let effects = replica.step(at(1), request(1));
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
    let (records, left) = step(&mut primary(Vec::new()).expect("starts"), at(1), request(1));
    let first = proposals(&left);
    assert_eq!(first.len(), 1);

    let mut again = primary(records).expect("starts again");
    // Another request comes first now; it may only go to the next place.
    let (_, left) = step(&mut again, at(1), request(2));
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
    let verifier = pbft::Verifier::new(&configuration(0), std::sync::Arc::new(pbft::Ed25519));
    let mut resent = Vec::new();
    for round in 1..4 {
        let now = at(round * 1_000_000);
        let (_, statuses) = step(&mut peer, now, Input::Wakeup);
        for status in statuses {
            let verified = verifier
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
    let (mut records, _) = step(&mut primary(Vec::new()).expect("starts"), at(1), request(1));
    let (others, _) = step(&mut primary(Vec::new()).expect("starts"), at(1), request(2));
    records.extend(others);
    assert_eq!(
        primary(records).err(),
        Some(RestoreError::ConflictingVotes(Sequence(1)))
    );
}

#[test]
fn a_log_of_another_replica_is_refused() {
    let mut backup = Replica::restore(
        configuration(1),
        Box::new(key(1)),
        Vec::new(),
        StoredChain::default(),
        at(0),
    )
    .expect("starts");
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
        primary(records).err(),
        Some(RestoreError::Record { .. })
    ));
}
