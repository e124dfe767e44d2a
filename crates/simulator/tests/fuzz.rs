//! Messages between replicas and records of the vote log, mutated (see the crate `fuzzing`). The seeds are real: heard and
//! logged in simulated runs with view changes, checkpoints and a Byzantine replica.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{PublicKey, Signature};
use pbft::{Input, LogRecord, SignatureScheme, SignedMessage};
use simulator::plan::{Behaviour, Every};
use simulator::{Cluster, Plan};

/// How many messages of one kind are taken as seeds.
const OF_A_KIND: usize = 6;

/// Everybody's key is known to the attacker: nothing is refused for its signature.
struct EverythingIsSigned;

impl SignatureScheme for EverythingIsSigned {
    fn accepts(&self, _: &PublicKey, _: &str, _: &[u8], _: &Signature) -> bool {
        true
    }
}

fn cluster(seed: u64) -> Cluster {
    let plan = Plan {
        requests: 40,
        byzantine: vec![(3, Behaviour::Censoring)],
        loss_permille: 30,
        every: Every {
            crash_primary_us: 400_000,
            ..Every::default()
        },
        ..Plan::calm()
    };
    let mut cluster = Cluster::new(plan, seed);
    cluster.run_for(3_000_000);
    assert_eq!(cluster.violation, None);
    cluster
}

fn messages() -> Vec<SignedMessage> {
    let mut by_kind: BTreeMap<&str, Vec<SignedMessage>> = BTreeMap::new();
    for seed in 0..4 {
        for message in cluster(seed).heard_by_faulty() {
            let known = by_kind.entry(message.message.kind()).or_default();
            if known.len() < OF_A_KIND {
                known.push(message.clone());
            }
        }
    }
    for kind in ["pre_prepare", "prepare", "commit", "status"] {
        assert!(by_kind.contains_key(kind), "{:?}", by_kind.keys());
    }
    assert!(by_kind.contains_key("view_change") && by_kind.contains_key("new_view"));
    by_kind.into_values().flatten().collect()
}

#[test]
fn fuzz_message() {
    let verifier = cluster(1).verifier_with(Arc::new(simulator::signing::KeyedHashScheme));
    fuzzing::target("pbft-message")
        .values(messages())
        .run(|bytes| {
            let decoded = SignedMessage::from_bytes(bytes);
            if let Ok(message) = &decoded {
                assert_eq!(message.to_bytes(), bytes);
            }
            let verified = verifier.verify_bytes(bytes).is_ok();
            assert!(decoded.is_ok() || !verified);
            decoded.is_ok()
        });
}

#[test]
fn fuzz_message_of_an_attacker_who_holds_every_key() {
    // Verification of everything but signatures, and then the core itself: it may stop, and must not panic.
    let verifier = cluster(1).verifier_with(Arc::new(EverythingIsSigned));
    let attacked = std::cell::RefCell::new((cluster(1), 0_u32));
    fuzzing::target("pbft-core")
        .values(messages())
        .run(|bytes| {
            let Ok(verified) = verifier.verify_bytes(bytes) else {
                return false;
            };
            let (cluster, steps) = &mut *attacked.borrow_mut();
            *steps += 1;
            if *steps % 500 == 0 || cluster.nodes[1].replica.is_none() {
                *cluster = self::cluster(u64::from(*steps));
            }
            let moment = cluster.nodes[1].moment(cluster.now + u64::from(*steps) * 1_000);
            if let Some(replica) = cluster.nodes[1].replica.as_mut() {
                let effects = replica.step(moment, Input::Message(verified));
                if effects.iter().any(|it| matches!(it, pbft::Effect::Halt(_))) {
                    cluster.nodes[1].replica = None;
                }
            }
            true
        });
}

#[test]
fn fuzz_vote_log_record() {
    let mut cluster = cluster(2);
    let records: Vec<LogRecord> = cluster
        .nodes
        .iter_mut()
        .flat_map(|node| node.disk.read_log().expect("not damaged"))
        .take(40)
        .collect();
    fuzzing::target("pbft-log-record")
        .values(records)
        .run(|bytes| {
            let decoded = LogRecord::from_bytes(bytes);
            if let Ok(record) = &decoded {
                assert_eq!(record.to_bytes(), bytes);
            }
            decoded.is_ok()
        });
}

#[test]
fn fuzz_vote_log() {
    // A whole log, cut, flipped and spliced: read, refused or cut, and whatever is read restores or is refused.
    let mut original = cluster(3);
    original.kill_node(1);
    let log = original.nodes[1].disk.log.clone();
    let attacked = std::cell::RefCell::new(original);
    fuzzing::target("pbft-log").bytes([log]).run(|bytes| {
        let cluster = &mut *attacked.borrow_mut();
        let now = cluster.now;
        cluster.nodes[1].disk.log = bytes.to_vec();
        let started = cluster.nodes[1].start(now).is_ok();
        cluster.nodes[1].replica = None;
        started
    });
}
