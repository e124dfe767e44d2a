//! What the verifier lets through, with real signatures.

use std::sync::Arc;

use ledger::{
    BlockVote, Digest, Epoch, EpochDescription, Height, LedgerId, PublicKey, ReplicaDescription,
    ReplicaId, Signature, SigningKey, Timestamp,
};
use pbft::message::{
    Checkpoint, NewView, NewViewProposal, PrePrepare, PreparedCertificate, SignedViewChange,
    ViewChange, Vote,
};
use pbft::statement::{Phase, Statement};
use pbft::{
    Base, Batch, Configuration, Durable, Ed25519, Limits, Message, Sequence, SignedMessage,
    VerificationError, Verifier, View,
};

const CHAIN: Digest = Digest([9; 32]);
const BASE: Digest = Digest([1; 32]);
const BATCH: Digest = Digest([2; 32]);

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
        chain: CHAIN,
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(1),
            replicas: (0..4).map(member).collect(),
        },
        replica: ReplicaId(replica),
        base: Base {
            sequence: Sequence(0),
            block: BASE,
            time: Timestamp(1),
        },
        limits: Limits {
            checkpoint_interval: 4,
            window: 8,
            ..Limits::default()
        },
    }
}

fn verifier() -> Verifier {
    Verifier::new(&configuration(0), Arc::new(Ed25519::default()))
}

fn sign_statement(replica: u16, statement: &Statement) -> Signature {
    let (domain, bytes) = statement.signing_bytes(&CHAIN, Epoch(0), ReplicaId(replica));
    key(replica).sign(domain, &bytes)
}

fn sign(replica: u16, message: Message) -> SignedMessage {
    let signature = sign_statement(replica, &Statement::of(&message));
    SignedMessage {
        epoch: Epoch(0),
        sender: ReplicaId(replica),
        message,
        signature,
    }
}

/// Why a message is refused: the same alone and among others, which that does not touch.
fn refusal(message: SignedMessage) -> VerificationError {
    let verifier = verifier();
    let error = verifier
        .verify(message.clone())
        .expect_err("must be refused");
    let good = |replica| sign(replica, Message::Commit(vote(0, 1)));
    let messages = vec![good(1), message, good(2), good(3)];
    let verdicts = verifier.verify_all(messages.clone(), [7; 32]);
    for (place, verdict) in verdicts.into_iter().enumerate() {
        match verdict {
            Ok(verified) => assert_eq!(*verified.get(), messages[place]),
            Err(of_one) => assert_eq!((place, of_one), (1, error)),
        }
    }
    error
}

fn vote(view: u64, sequence: u64) -> Vote {
    Vote {
        view: View(view),
        sequence: Sequence(sequence),
        digest: BATCH,
    }
}

fn prepared(view: u64, sequence: u64, backups: &[u16]) -> PreparedCertificate {
    let statement = |phase| Statement {
        view: View(view),
        sequence: Sequence(sequence),
        phase,
        digest: BATCH,
    };
    let primary = (view % 4) as u16;
    PreparedCertificate {
        view: View(view),
        sequence: Sequence(sequence),
        digest: BATCH,
        pre_prepare: sign_statement(primary, &statement(Phase::PrePrepare)),
        prepares: backups
            .iter()
            .map(|backup| {
                (
                    ReplicaId(*backup),
                    sign_statement(*backup, &statement(Phase::Prepare)),
                )
            })
            .collect(),
    }
}

fn base() -> Checkpoint {
    Checkpoint {
        sequence: Sequence(0),
        block: BASE,
        certificate: None,
    }
}

fn change(view: u64, prepared: Vec<PreparedCertificate>) -> ViewChange {
    ViewChange {
        view: View(view),
        stable: base(),
        prepared,
    }
}

fn view_change(replica: u16, change: ViewChange) -> SignedViewChange {
    let signature = sign_statement(replica, &Statement::of_view_change(&change));
    SignedViewChange {
        sender: ReplicaId(replica),
        change,
        signature,
    }
}

fn new_view(changes: Vec<SignedViewChange>, proposals: &[(u64, Digest)]) -> SignedMessage {
    let proposals = proposals
        .iter()
        .map(|(sequence, digest)| {
            let sequence = Sequence(*sequence);
            let statement = Statement {
                view: View(1),
                sequence,
                phase: Phase::PrePrepare,
                digest: *digest,
            };
            NewViewProposal {
                sequence,
                digest: *digest,
                signature: sign_statement(1, &statement),
            }
        })
        .collect();
    sign(
        1,
        Message::NewView(NewView {
            view: View(1),
            view_changes: changes,
            proposals,
        }),
    )
}

#[test]
fn a_commit_is_the_vote_that_certificates_are_made_of() {
    let block = Digest([5; 32]);
    let commit = Vote {
        view: View(3),
        sequence: Sequence(7),
        digest: block,
    };
    let ours = sign(2, Message::Commit(commit));
    let (replica, height) = (ReplicaId(2), Height(7));
    let theirs = BlockVote::sign(&CHAIN, replica, Epoch(0), 3, height, block, &key(2));
    assert_eq!(ours.signature, theirs.signature);
    assert!(verifier().verify(ours).is_ok());
}

#[test]
fn a_certificate_needs_a_quorum_of_distinct_members() {
    let block = Digest([5; 32]);
    let in_view = |view: u64, replicas: &[u16]| {
        let sign = |replica: &u16| {
            BlockVote::sign(
                &CHAIN,
                ReplicaId(*replica),
                Epoch(0),
                view,
                Height(4),
                block,
                &key(*replica),
            )
        };
        let votes: Vec<BlockVote> = replicas.iter().map(sign).collect();
        ledger::Certificate::from_votes(Epoch(0), view, &votes)
    };
    let votes = |replicas: &[u16]| in_view(0, replicas);
    let verifier = verifier();
    let good = || (Sequence(4), block, votes(&[0, 1, 3]));
    // By itself and among others, a certificate holds or is refused alike; those beside it hold.
    let certify = |certificate: ledger::Certificate| {
        let claimed = (Sequence(4), block, certificate.clone());
        let [before, beside, after] = verifier
            .certified_all(vec![good(), claimed, good()], [7; 32])
            .try_into()
            .unwrap();
        assert!(before.is_ok() && after.is_ok());
        let alone = verifier.certified(Sequence(4), block, certificate);
        assert_eq!(alone, beside);
        alone
    };
    assert!(certify(votes(&[0, 1, 3])).is_ok());
    assert!(certify(votes(&[0, 1])).is_err(), "two of four");
    assert!(certify(votes(&[0, 1, 1])).is_err(), "one signer twice");
    assert!(
        certify(votes(&[0, 1, 7])).is_err(),
        "a signer who is no member"
    );
    let other_epoch = ledger::Certificate {
        epoch: Epoch(1),
        ..votes(&[0, 1, 3])
    };
    assert!(certify(other_epoch).is_err(), "another epoch");
    assert!(certify(in_view(2, &[0, 1, 3])).is_ok(), "any view");
    let mut of_two_views = votes(&[0, 1, 3]);
    of_two_views.votes[2] = in_view(1, &[3]).votes[0];
    assert!(certify(of_two_views).is_err(), "votes of two views");
    let mut forged = votes(&[0, 1, 3]);
    forged.votes[1].1.0[40] ^= 1;
    assert_eq!(
        certify(forged),
        Err(VerificationError::BadSignature(ReplicaId(1)))
    );
}

#[test]
fn signatures_bind_chain_epoch_view_place_phase_and_digest() {
    let statement = Statement {
        view: View(1),
        sequence: Sequence(2),
        phase: Phase::Prepare,
        digest: BATCH,
    };
    let variants = [
        Statement {
            view: View(2),
            ..statement
        },
        Statement {
            sequence: Sequence(3),
            ..statement
        },
        Statement {
            phase: Phase::Commit,
            ..statement
        },
        Statement {
            digest: BASE,
            ..statement
        },
    ];
    let bytes = |statement: &Statement| statement.signing_bytes(&CHAIN, Epoch(0), ReplicaId(2));
    for variant in &variants {
        assert_ne!(bytes(&statement), bytes(variant));
    }
    assert_ne!(
        bytes(&statement),
        statement.signing_bytes(&BASE, Epoch(0), ReplicaId(2))
    );
    assert_ne!(
        bytes(&statement),
        statement.signing_bytes(&CHAIN, Epoch(1), ReplicaId(2))
    );
}

#[test]
fn strangers_other_epochs_wrong_roles_and_borrowed_signatures_are_refused() {
    let stranger = sign(7, Message::Commit(vote(0, 1)));
    assert_eq!(
        refusal(stranger),
        VerificationError::NotAMember(ReplicaId(7))
    );
    let mut other_epoch = sign(2, Message::Commit(vote(0, 1)));
    other_epoch.epoch = Epoch(1);
    assert_eq!(
        refusal(other_epoch),
        VerificationError::WrongEpoch(Epoch(1))
    );
    let proposal = PrePrepare {
        view: View(0),
        sequence: Sequence(1),
        batch: Batch::null(),
    };
    assert_eq!(
        refusal(sign(2, Message::PrePrepare(proposal))),
        VerificationError::WrongRole(ReplicaId(2))
    );
    let by_primary = sign(0, Message::Prepare(vote(0, 1)));
    assert_eq!(
        refusal(by_primary),
        VerificationError::WrongRole(ReplicaId(0))
    );
    let mut borrowed = sign(2, Message::Commit(vote(0, 1)));
    borrowed.sender = ReplicaId(3);
    assert_eq!(
        refusal(borrowed),
        VerificationError::BadSignature(ReplicaId(3))
    );
}

#[test]
fn only_canonical_bytes_are_read() {
    let mut bytes = sign(2, Message::Commit(vote(0, 1))).to_bytes();
    assert!(verifier().verify_bytes(&bytes).is_ok());
    bytes.push(0);
    assert_eq!(
        verifier().verify_bytes(&bytes),
        Err(VerificationError::Malformed)
    );
    assert_eq!(
        verifier().verify_bytes(&[0xff; 40]),
        Err(VerificationError::Malformed)
    );
}

#[test]
fn a_view_change_must_prove_what_it_says_was_prepared() {
    let refused = |prepared| {
        let signed = sign(3, Message::ViewChange(change(1, prepared)));
        matches!(
            refusal(signed),
            VerificationError::BadProof(_) | VerificationError::BadSignature(_)
        )
    };
    assert!(
        verifier()
            .verify(sign(
                3,
                Message::ViewChange(change(1, vec![prepared(0, 2, &[1, 2])]))
            ))
            .is_ok()
    );
    assert!(
        refused(vec![prepared(0, 2, &[1])]),
        "one backup is no quorum"
    );
    assert!(
        refused(vec![prepared(0, 2, &[1, 1])]),
        "the same backup twice"
    );
    assert!(
        refused(vec![prepared(0, 2, &[0, 1])]),
        "the primary's PREPARE does not count"
    );
    assert!(
        refused(vec![prepared(1, 2, &[0, 2])]),
        "not older than the view that is asked for"
    );
    assert!(
        refused(vec![prepared(0, 9, &[1, 2])]),
        "above the high water mark"
    );
    assert!(
        refused(vec![prepared(0, 3, &[1, 2]), prepared(0, 2, &[1, 2])]),
        "out of order"
    );
    let mut forged = prepared(0, 2, &[1, 2]);
    forged.digest = BASE;
    assert!(refused(vec![forged]), "signatures for another batch");
    let elsewhere = Checkpoint {
        sequence: Sequence(4),
        block: BASE,
        certificate: None,
    };
    let unproven = ViewChange {
        view: View(1),
        stable: elsewhere,
        prepared: Vec::new(),
    };
    assert!(matches!(
        refusal(sign(3, Message::ViewChange(unproven))),
        VerificationError::BadProof(_)
    ));
}

#[test]
fn a_new_view_is_refused_unless_its_proposals_are_what_its_view_changes_imply() {
    let null = Batch::null().digest();
    let with_proof = || {
        vec![
            view_change(0, change(1, Vec::new())),
            view_change(2, change(1, vec![prepared(0, 2, &[1, 2])])),
            view_change(3, change(1, Vec::new())),
        ]
    };
    assert!(
        verifier()
            .verify(new_view(with_proof(), &[(1, null), (2, BATCH)]))
            .is_ok()
    );
    let refused = |message| matches!(refusal(message), VerificationError::BadProof(_));
    assert!(
        refused(new_view(with_proof(), &[(1, null), (2, null)])),
        "a prepared batch is dropped"
    );
    assert!(
        refused(new_view(with_proof(), &[(2, BATCH)])),
        "the gap is skipped"
    );
    assert!(
        refused(new_view(with_proof(), &[])),
        "everything is dropped"
    );
    assert!(
        refused(new_view(
            with_proof()[..2].to_vec(),
            &[(1, null), (2, BATCH)]
        )),
        "no quorum"
    );
    let twice = vec![
        with_proof()[0].clone(),
        with_proof()[0].clone(),
        with_proof()[1].clone(),
    ];
    assert!(
        refused(new_view(twice, &[(1, null), (2, BATCH)])),
        "one signer twice"
    );
    let mut stale = with_proof();
    stale[0] = view_change(0, change(2, Vec::new()));
    assert!(
        refused(new_view(stale, &[(1, null), (2, BATCH)])),
        "a view change for another view"
    );
}

#[test]
fn nothing_is_durable_if_the_sync_fails() {
    let failed = Durable::after(vec![1, 2], |_| Err("disk full"));
    assert_eq!(failed, Err("disk full"));
    let done = Durable::after(vec![1, 2], |_| Ok::<(), &str>(()));
    assert_eq!(
        done.map(|group| group.into_iter().map(Durable::into_inner).collect()),
        Ok(vec![1, 2])
    );
}

#[test]
fn keys_are_compared_by_their_public_half() {
    let mut configuration = configuration(0);
    configuration.epoch.replicas[0].public_key = PublicKey([0; 32]);
    let moment = pbft::Moment::default();
    let started = pbft::Replica::restore(
        configuration,
        Box::new(key(0)),
        Vec::new(),
        pbft::StoredChain::default(),
        moment,
    );
    assert_eq!(started.err(), Some(pbft::RestoreError::WrongKey));
}
