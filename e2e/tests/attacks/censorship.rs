//! A primary whose operator lets nothing of one hospital reach it, and serves everybody else.
//!
//! The operator puts a filter between its replica and the broker (it holds the replica's certificate); the replica behind it
//! is the product's own, and takes part in everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::ordering_wire::Submission;
use bus::subjects;
use e2e::between::{Between, Delivered, Verdict};
use e2e::by_hand::ByHand;
use e2e::load::{see_through, withdrawal};
use e2e::wire::Wire;
use keys::MemberKey;
use keys::tls::TlsFiles;
use ledger::{LedgerId, ReplicaId, SignedTransaction, canonical};
use serde_json::json;

use crate::target::{AT_WORK, Target};

/// How often the hospital is censored, by whoever is primary.
const TRIALS: usize = 20;
/// No replica.
const NOBODY: u16 = u16::MAX;

/// What all operators' filters know: one of them censors, and all count.
struct Censor {
    hospital: LedgerId,
    replica: AtomicU16,
    submitted: AtomicU64,
    relayed: AtomicU64,
}

impl Censor {
    fn is_of_hospital(&self, bytes: &[u8]) -> bool {
        SignedTransaction::from_bytes(bytes).is_ok_and(|it| it.body.submitter == self.hospital)
    }

    /// What becomes of a message on its way to a replica.
    fn judge(&self, replica: u16, delivered: Delivered<'_>) -> Verdict {
        if self.replica.load(Ordering::SeqCst) != replica {
            return Verdict::Arrives;
        }
        if subjects::user_of(delivered.subject).is_some() {
            let Ok(mut submission) = canonical::decode::<Submission>(delivered.payload) else {
                return Verdict::Arrives;
            };
            let submitted = submission.transactions.len();
            submission
                .transactions
                .retain(|submitted| !self.is_of_hospital(&submitted.bytes));
            let withheld = submitted - submission.transactions.len();
            if withheld == 0 {
                return Verdict::Arrives;
            }
            self.submitted.fetch_add(withheld as u64, Ordering::SeqCst);
            return Verdict::Instead(canonical::encode(&submission));
        }
        let Ok(mut message) = canonical::decode::<Wire>(delivered.payload) else {
            return Verdict::Arrives;
        };
        let (Wire::Relayed(bodies) | Wire::PassedOn(bodies)) = &mut message else {
            return Verdict::Arrives;
        };
        let all = bodies.len();
        bodies.retain(|body| !self.is_of_hospital(&body.bytes));
        if bodies.len() == all {
            return Verdict::Arrives;
        }
        if matches!(message, Wire::Relayed(_)) {
            self.relayed.fetch_add(1, Ordering::SeqCst);
        }
        Verdict::Instead(canonical::encode(&message))
    }
}

/// A replica whose operator has put the filter before it.
struct Filtered {
    name: String,
    process: ByHand,
    /// Its configuration as it was.
    configuration: String,
}

impl Filtered {
    async fn of(target: &Target, number: u16, censor: Arc<Censor>) -> Filtered {
        let name = subjects::replica_name(ReplicaId(number));
        let folder = target.system.process(&name);
        let tls = TlsFiles {
            identity_file: folder.join("keys/tls.pem"),
            root_file: target.system.root().join("root.pem"),
        };
        let broker = target.system.address("nats-1", "client");
        let judge = move |delivered: Delivered<'_>| censor.judge(number, delivered);
        let between = Between::of_process(broker, &tls, judge).await;
        let file = folder.join("config.toml");
        let configuration = std::fs::read_to_string(&file).unwrap();
        let mut changed: toml::Table = configuration.parse().unwrap();
        let bus = changed["bus"].as_table_mut().unwrap();
        assert!(bus.remove("tls").is_some());
        std::fs::write(&file, changed.to_string()).unwrap();
        let servers = between.servers();
        let changed = [("MEDSHARE__BUS__SERVERS", servers.as_str())];
        Filtered {
            process: ByHand::take_over(&target.system, &name, &changed),
            name,
            configuration,
        }
    }

    /// Back to how it was.
    fn remove(mut self, target: &Target) {
        assert!(self.process.runs(), "{}", target.system.log(&self.name));
        drop(self.process);
        let file = target.system.process(&self.name).join("config.toml");
        std::fs::write(file, self.configuration).unwrap();
        target.system.start_process(&self.name);
    }
}

/// Fault: a primary stays primary as long as it serves most, whomever it leaves out.
#[tokio::test(flavor = "multi_thread")]
async fn attack_03_a_primary_drops_one_hospitals_transactions() {
    let (target, load) = Target::at_work().await;
    let key = target
        .system
        .root()
        .join("organisations/lakeside/member.json");
    let hospital = MemberKey::load(&key).unwrap();
    let money =
        json!({ "reference": "00".repeat(16), "account": hospital.ledger_id(), "amount": 1_000 });
    let paid = target.treasurer.command("/v1/deposits", &money).await;
    paid.expect("the hospital has money");
    let censor = Arc::new(Censor {
        hospital: hospital.ledger_id(),
        replica: AtomicU16::new(NOBODY),
        submitted: AtomicU64::new(0),
        relayed: AtomicU64::new(0),
    });
    let mut replicas = Vec::new();
    for number in 0..4 {
        replicas.push(Filtered::of(&target, number, censor.clone()).await);
        load.goes_on(AT_WORK).await;
    }
    let mut took = Vec::new();
    while took.len() < TRIALS {
        let (view, primary) = target.view().await;
        censor.replica.store(primary, Ordering::SeqCst);
        // The primary orders what others submit.
        load.goes_on(AT_WORK).await;
        let withheld = censor.submitted.load(Ordering::SeqCst);
        let (began, others) = (Instant::now(), load.committed());
        let signed = withdrawal(target.chain, &hospital);
        let commit = see_through(&target.client, &signed).await;
        let (elapsed, others) = (began.elapsed(), load.committed() - others);
        let commit = commit.expect("the hospital's transaction is committed");
        assert!(commit.receipt.leaf.outcome.is_accepted(), "{commit:?}");
        // Whoever was primary at first never had it from anybody.
        if censor.submitted.load(Ordering::SeqCst) == withheld || target.view().await.0 == view {
            continue;
        }
        assert!(others > 0, "nobody else was served meanwhile");
        took.push(elapsed);
        println!("{elapsed:?} in place of view {view}; {others} receipts of others meanwhile");
    }
    println!(
        "of {TRIALS} censored transactions the slowest was committed after {:?}, half within {:?}",
        took.iter().max().unwrap(),
        median(&mut took.clone()),
    );
    assert!(censor.relayed.load(Ordering::SeqCst) > 0, "backups relayed");
    censor.replica.store(NOBODY, Ordering::SeqCst);
    for replica in replicas {
        replica.remove(&target);
        load.goes_on(AT_WORK).await;
    }
    target.settle(load).await;
}

fn median(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}
