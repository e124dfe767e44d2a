//! Starts, kills and questions the replicas.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use bus::ordering_wire::{Standing, StatusReply, StatusRequest};
use bus::testing::{TestBroker, test_genesis};
use contracts::governance::command::Change;
use contracts::records::command::{Code, Command as RecordsCommand, RegisterRecord};
use contracts::{ProposalId, RecordNumber};
use keys::Secret;
use ledger::{
    CertifiedBlock, Commitment, DigestAlgorithm, GenesisMember, Height, LedgerId, Receipt,
    ReplicaDescription, ReplicaId, SignedTransaction, SigningKey, Timestamp, TransactionBody,
    store_format,
};

/// Names the configuration file of a replica's process.
pub const REPLICA_CONFIG: &str = "MEDSHARE_TEST_REPLICA_CONFIG";

const HOSPITAL: LedgerId = LedgerId([0xaa; 16]);
/// Whose records they are.
pub const PATIENT: LedgerId = LedgerId([0xbb; 16]);

/// Replicas 0 to 3 are those of the genesis file; 4 and 5 are prepared.
const NUMBERS: Range<u16> = 0..6;

/// The operator of a first replica.
pub fn operator(number: u8) -> LedgerId {
    LedgerId([number + 1; 16])
}

/// The key of an operator.
pub fn operator_key(number: u8) -> SigningKey {
    SigningKey::from_seed([0xc0 + number; 32])
}

/// The voting key of a replica, first or prepared.
pub fn voting_key(replica: ReplicaId) -> SigningKey {
    // test_genesis derives the first ones from these seeds.
    SigningKey::from_seed([replica.0 as u8 + 1; 32])
}

/// The change that takes a replica out and lets one of this operator in.
pub fn replacement(retire: u16, add: u16, by: u8) -> Change {
    let add = ReplicaId(add);
    Change::ReplaceReplica {
        retire: Some(ReplicaId(retire)),
        add: Some(ReplicaDescription {
            replica: add,
            operator: operator(by),
            public_key: voting_key(add).public_key(),
        }),
    }
}

/// Four replicas, a broker, a client.
pub struct Cluster {
    /// A service's connection.
    pub client: Bus,
    /// The broker.
    pub broker: TestBroker,
    folder: tempfile::TempDir,
    processes: BTreeMap<ReplicaId, Child>,
    hospital: SigningKey,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            for number in NUMBERS {
                let log = std::fs::read_to_string(self.folder.path().join(format!("{number}.log")));
                eprintln!("--- replica {number}\n{}", log.unwrap_or_default());
            }
        }
    }
}

fn member(ledger_id: LedgerId, seed: u8, kind: &str, name: &str) -> GenesisMember {
    let public_key = SigningKey::from_seed([seed; 32]).public_key();
    GenesisMember {
        ledger_id,
        public_key,
        kind: kind.to_owned(),
        name: name.to_owned(),
        allowed: Vec::new(),
    }
}

impl Cluster {
    /// Starts everything and waits until the replicas answer.
    pub async fn start() -> Cluster {
        let (mut genesis, replica_keys) = test_genesis(4);
        genesis.members = vec![
            member(HOSPITAL, 0xaa, "Hospital", "North"),
            member(PATIENT, 0xbb, "Patient", ""),
        ];
        for replica in 0..4 {
            genesis.members.push(member(
                operator(replica),
                0xc0 + replica,
                "NodeOperator",
                &format!("Operator {replica}"),
            ));
        }
        let names = TestBroker::replica_names(NUMBERS.end);
        let names: Vec<&str> = names.iter().map(String::as_str).chain(["client"]).collect();
        let broker = TestBroker::start_with(&names, genesis, replica_keys).await;
        let client = broker.connect("client").await;
        let folder = tempfile::tempdir().unwrap();
        let hospital = SigningKey::from_seed([0xaa; 32]);
        let mut cluster = Cluster {
            client,
            broker,
            folder,
            processes: BTreeMap::new(),
            hospital,
        };
        for replica in NUMBERS {
            cluster.configure(ReplicaId(replica));
        }
        for replica in 0..4 {
            cluster.launch(ReplicaId(replica));
        }
        for replica in 0..4 {
            cluster.wait_for_height(ReplicaId(replica), Height(0)).await;
        }
        cluster
    }

    /// The data folder of a replica.
    pub fn data(&self, replica: ReplicaId) -> PathBuf {
        self.folder.path().join(format!("replica-{}", replica.0))
    }

    fn configure(&self, replica: ReplicaId) {
        let key_file = self.folder.path().join(format!("{}.key", replica.0));
        Secret::from_bytes([replica.0 as u8 + 1; 32])
            .save(&key_file)
            .unwrap();
        let config = ordering::Config {
            bus: self.broker.config(&bus::subjects::replica_name(replica)),
            replica,
            voting_key_file: key_file,
            next_voting_key_file: None,
            data: self.data(replica),
            tuning: ordering::Tuning::default(),
        };
        let text = serde_json::to_string(&config).unwrap();
        std::fs::write(self.folder.path().join(format!("{}.json", replica.0)), text).unwrap();
    }

    /// Starts a replica's process.
    pub fn launch(&mut self, replica: ReplicaId) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{}.log", replica.0)))
            .unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args([
                "a_replica_runs_as_a_process_of_its_own",
                "--exact",
                "--nocapture",
            ])
            .env(
                REPLICA_CONFIG,
                self.folder.path().join(format!("{}.json", replica.0)),
            )
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.processes.insert(replica, process);
    }

    /// Kills a replica's process with SIGKILL.
    pub fn kill(&mut self, replica: ReplicaId) {
        let mut process = self.processes.remove(&replica).expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Asks the replica to end, and waits until it has.
    pub fn stop(&mut self, replica: ReplicaId) {
        let mut process = self.processes.remove(&replica).expect("it runs");
        let id = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(process.wait().unwrap().success());
    }

    /// Registers record `number`, with the same nonce.
    pub fn register_record(&self, number: u64) -> SignedTransaction {
        self.register_record_with_nonce(number, number)
    }

    /// Registers record `number` once more, with another nonce.
    pub fn register_record_again(&self, number: u64, nonce: u64) -> SignedTransaction {
        self.register_record_with_nonce(number, nonce)
    }

    /// Registers record `number` with the nonce.
    pub fn register_record_with_nonce(&self, number: u64, nonce: u64) -> SignedTransaction {
        register_record(self.client.chain(), &self.hospital, number, nonce)
    }

    /// Three of the four operators adopt a change.
    pub async fn adopt(&self, number: u8, change: Change) {
        use contracts::governance::Command::{ProposeChange, VoteOnChange};
        let proposal = ProposalId([number; 16]);
        let (first, vote) = (
            ProposeChange { proposal, change },
            VoteOnChange {
                proposal,
                approve: true,
            },
        );
        for (voter, command) in [(0, first), (1, vote.clone()), (2, vote)] {
            let command = contracts::Command::from(command);
            let nonce = u64::from(number);
            let transaction = signed(
                self.client.chain(),
                operator(voter),
                &operator_key(voter),
                nonce,
                &command,
            );
            let receipt = self.client.submit(&transaction).await.unwrap();
            let outcome = receipt.leaf.outcome;
            assert!(outcome.is_accepted(), "operator {voter}: {outcome:?}");
        }
    }

    /// Submits records one group after another until told to stop; gives all receipts.
    pub fn keep_submitting(
        &self,
        first: u64,
        stop: Arc<std::sync::atomic::AtomicBool>,
    ) -> tokio::task::JoinHandle<Vec<Receipt>> {
        let client = Arc::new(self.client.clone());
        let chain = self.client.chain();
        let hospital = self.hospital.clone();
        tokio::spawn(async move {
            let mut receipts = Vec::new();
            let mut next = first;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let group = (next..next + 5).map(|number| {
                    let transaction = register_record(chain, &hospital, number, number);
                    let client = client.clone();
                    async move { client.submit(&transaction).await.unwrap() }
                });
                receipts.extend(futures::future::join_all(group).await);
                next += 5;
            }
            receipts
        })
    }

    /// What a replica says of itself, once it says what is wanted.
    pub async fn wait_for(
        &mut self,
        replica: ReplicaId,
        what: &str,
        wanted: impl Fn(&StatusReply) -> bool,
    ) -> StatusReply {
        let mut last = None;
        for _ in 0..1_200 {
            if let Ok(status) = self.client.ask(replica, &StatusRequest {}).await {
                if wanted(&status) {
                    return status;
                }
                last = Some(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("replica {replica} is not {what}: {last:?}");
    }

    /// Waits until a replica stands so.
    pub async fn wait_for_standing(&mut self, replica: ReplicaId, standing: Standing) {
        let what = format!("{standing:?}");
        self.wait_for(replica, &what, |status| status.standing == standing)
            .await;
    }

    /// The exit status of a replica that ends by itself.
    pub async fn wait_for_end(&mut self, replica: ReplicaId) -> std::process::ExitStatus {
        for _ in 0..1_200 {
            let process = self.processes.get_mut(&replica).expect("it was started");
            if let Some(end) = process.try_wait().unwrap() {
                self.processes.remove(&replica);
                return end;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("replica {replica} goes on");
    }

    /// Submits these records all at once in the background.
    pub fn start_submitting(&self, numbers: Range<u64>) -> tokio::task::JoinHandle<Vec<Receipt>> {
        let client = Arc::new(self.client.clone());
        let transactions: Vec<SignedTransaction> =
            numbers.map(|number| self.register_record(number)).collect();
        tokio::spawn(async move {
            let submitted = transactions.into_iter().map(|transaction| {
                let client = client.clone();
                async move { client.submit(&transaction).await.unwrap() }
            });
            futures::future::join_all(submitted).await
        })
    }

    /// Submits these records all at once and waits for all receipts.
    pub async fn submit_all(&self, numbers: Range<u64>) -> Vec<Receipt> {
        let receipts = self.start_submitting(numbers).await.unwrap();
        for receipt in &receipts {
            assert!(
                receipt.leaf.outcome.is_accepted(),
                "{:?}",
                receipt.leaf.outcome
            );
        }
        receipts
    }

    /// The primary of the highest view that a replica names.
    pub async fn primary(&self) -> ReplicaId {
        let statuses = self.client.status().await;
        let status = statuses
            .into_iter()
            .filter_map(|(_, status)| status.ok())
            .max_by_key(|status| status.view);
        status.expect("a replica answers").primary
    }

    /// The highest certified height that any replica names.
    pub async fn height_of_most(&self) -> Height {
        let statuses = self.client.status().await;
        statuses
            .into_iter()
            .filter_map(|(_, status)| status.ok())
            .map(|status| status.height)
            .max()
            .unwrap()
    }

    /// Waits until a replica's chain reaches the height.
    pub async fn wait_for_height(&mut self, replica: ReplicaId, height: Height) {
        for _ in 0..600 {
            if let Ok(status) = self.client.ask(replica, &StatusRequest {}).await
                && status.height >= height
            {
                return;
            }
            if let Some(process) = self.processes.get_mut(&replica)
                && let Some(end) = process.try_wait().unwrap()
            {
                panic!("replica {replica} ended: {end}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("replica {replica} does not reach height {height}");
    }

    /// Every replica that runs has the same block at every height up to the lowest tip, and the chain verifies from
    /// the genesis file. Ends them.
    pub async fn assert_equal_chains(&mut self) {
        let height = self.height_of_most().await;
        let running: Vec<ReplicaId> = self.processes.keys().copied().collect();
        for replica in &running {
            self.wait_for_height(*replica, height).await;
        }
        for replica in &running {
            self.kill(*replica);
        }
        let chains: Vec<_> = running
            .iter()
            .map(|replica| self.stored_chain(*replica))
            .collect();
        let hashes = |chain: &[CertifiedBlock]| -> Vec<_> {
            chain
                .iter()
                .take(height.0 as usize + 1)
                .map(|block| block.block.hash())
                .collect()
        };
        let first = hashes(&chains[0]);
        assert_eq!(first.len() as u64, height.0 + 1);
        for chain in &chains[1..] {
            assert_eq!(hashes(chain), first);
        }
        let mut verifier = ledger::ChainVerifier::new(self.client.genesis()).unwrap();
        for block in &chains[0] {
            verifier.next(block).unwrap();
        }
    }

    /// The blocks in a replica's files, by an independent reading of them.
    pub fn stored_chain(&self, replica: ReplicaId) -> Vec<CertifiedBlock> {
        let folder = self.data(replica).join("blocks");
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        let mut chain = Vec::new();
        for name in names {
            let bytes = std::fs::read(name).unwrap();
            for block in store_format::read_segment(&bytes) {
                match block {
                    Ok(block) => chain.push(block),
                    // Killed while it wrote the newest.
                    Err(store_format::SegmentError::Torn { .. }) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        chain
    }
}

fn signed(
    chain: ledger::Digest,
    submitter: LedgerId,
    key: &SigningKey,
    nonce: u64,
    command: &contracts::Command,
) -> SignedTransaction {
    let body = TransactionBody {
        chain,
        submitter,
        public_key: key.public_key(),
        nonce,
        valid_until: Timestamp(chassis::clock::now() + 40_000_000),
        contract: command.contract().id(),
        command: command.to_bytes(),
    };
    SignedTransaction::sign(body, key)
}

/// Record `number`, registered by the hospital.
fn register_record(
    chain: ledger::Digest,
    hospital: &SigningKey,
    number: u64,
    nonce: u64,
) -> SignedTransaction {
    let mut record = [0; 16];
    record[..8].copy_from_slice(&number.to_be_bytes());
    let now = chassis::clock::now();
    let commitment = Commitment::new(DigestAlgorithm::Sha256, &[number as u8; 32], &[b"content"]);
    let code = Code {
        key: SigningKey::from_seed([5; 32]).public_key(),
        uses: 3,
        until: Timestamp(now + 24 * 3_600 * 1_000_000),
    };
    let command = contracts::Command::from(RecordsCommand::RegisterRecord(RegisterRecord {
        record: RecordNumber(record),
        patient: PATIENT,
        content: commitment,
        index: commitment,
        patient_code: code,
        hospital_code: code,
    }));
    signed(chain, HOSPITAL, hospital, nonce, &command)
}
