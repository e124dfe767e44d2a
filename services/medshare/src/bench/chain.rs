//! A chain of any length, made by the real executor from signed commands, certified by a quorum and written as replicas
//! write it: what verification and projections are measured on.
//!
//! Of every 20 commands 11 register records, 3 log a patient's view of one, 1 submits an insurance claim, 1 anchors
//! readings, and 4 are an application's way from the third party over hospital and patient to the paid release.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use contracts::authorization::command::{Command as Authorization, ItemOffer};
use contracts::records::command::{Basis, Code, Command as Records, RegisterRecord};
use contracts::settlement::command::{
    BenefitCategory, ClaimReference, Command as Settlement, PlanId, ReimbursementRule,
};
use contracts::telemetry::command::Command as Telemetry;
use contracts::{
    ApplicationId, Command, Contract, ItemId, PaymentReference, Purpose, RecordNumber, Sealed,
};
use execution::{
    BlockOrder, ChainHead, CheckedTransaction, Contracts, ExecutedBlock, Executor, Used,
};
use ledger::store_format::{MAGIC, encode_record, segment_name};
use ledger::{
    BlockVote, Certificate, CertifiedBlock, Commitment, Digest, DigestAlgorithm, Epoch,
    EpochDescription, GenesisFile, GenesisMember, GenesisParameters, Height, LedgerId,
    ReplicaDescription, ReplicaId, SignedTransaction, SigningKey, Timestamp, TransactionBody,
};

const HOSPITALS: u64 = 4;
const PATIENTS: u64 = 1_000;
const REPLICAS: u16 = 4;
const BLOCK_US: u64 = 50_000;
const BLOCKS_PER_FILE: u64 = 512;
const PLAN: PlanId = PlanId(7);
const PRICE: i64 = 10_000;
const CENTS_PAID_IN: i64 = 1_000_000_000_000;

/// Who acts.
#[derive(Clone, Copy)]
enum Role {
    Operator,
    Hospital,
    Patient,
    ThirdParty,
    Insurer,
    Treasurer,
    Service,
}

fn key(role: Role, number: u64) -> SigningKey {
    let mut seed = [role as u8 + 1; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(seed)
}

fn id(role: Role, number: u64) -> LedgerId {
    let mut id = [role as u8 + 1; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    LedgerId(id)
}

fn voting_key(replica: u16) -> SigningKey {
    SigningKey::from_seed([200 + replica as u8; 32])
}

/// A chain on disk.
pub struct Chain {
    /// The genesis file.
    pub genesis: GenesisFile,
    /// Where that is written.
    pub genesis_file: PathBuf,
    /// The folder of block files.
    pub blocks: PathBuf,
    /// Bytes of the block files.
    pub bytes: u64,
    /// Transactions, all accepted.
    pub transactions: u64,
    /// Blocks, the genesis block included.
    pub count: u64,
    /// Events of all blocks.
    pub events: u64,
    /// A hospital.
    pub hospital: LedgerId,
    /// Records registered.
    pub records: u64,
    /// Records of that hospital.
    pub records_of_hospital: u64,
    /// Applications, of one item each.
    pub applications: u64,
    /// Claims.
    pub claims: u64,
}

impl Chain {
    /// Makes one of so many transactions, so many a block.
    pub fn make(folder: &Path, transactions: u64, per_block: usize) -> anyhow::Result<Chain> {
        let genesis = genesis();
        let genesis_file = folder.join("genesis.json");
        crate::files::write(&genesis_file, genesis.to_json().as_bytes())?;
        let blocks = folder.join("blocks");
        crate::files::make_private_folder(&blocks)?;
        let mut maker = Maker::new(&genesis)?;
        let mut chain = Chain {
            genesis,
            genesis_file,
            blocks,
            bytes: 0,
            transactions: 0,
            count: 0,
            events: 0,
            hospital: id(Role::Hospital, 0),
            records: 0,
            records_of_hospital: 0,
            applications: 0,
            claims: 0,
        };
        let first = maker.genesis_block(&chain.genesis)?;
        let mut file = Vec::from(MAGIC);
        let mut first_height = Height(0);
        chain.add(&mut file, &first);
        while chain.transactions < transactions {
            let due = (transactions - chain.transactions).min(per_block as u64);
            let block = maker.next_block(due as usize)?;
            chain.add(&mut file, &block);
            if chain.count.is_multiple_of(BLOCKS_PER_FILE) || chain.transactions == transactions {
                let path = chain.blocks.join(segment_name(first_height));
                chain.bytes += file.len() as u64;
                crate::files::write(&path, &file)?;
                file = Vec::from(MAGIC);
                first_height = Height(chain.count);
            }
        }
        chain.records = maker.records;
        chain.records_of_hospital = maker.records.div_ceil(HOSPITALS);
        chain.applications = maker.applications;
        chain.claims = maker.claims;
        Ok(chain)
    }

    fn add(&mut self, file: &mut Vec<u8>, block: &CertifiedBlock) {
        file.extend_from_slice(&encode_record(block));
        self.count += 1;
        self.transactions += block.block.transactions.len() as u64;
        let leaves = block.block.outcomes.iter();
        self.events += leaves.map(|leaf| leaf.events.len() as u64).sum::<u64>();
    }
}

fn genesis() -> GenesisFile {
    let member = |role: Role, number: u64, kind: &str, name: String| GenesisMember {
        ledger_id: id(role, number),
        public_key: key(role, number).public_key(),
        kind: kind.to_owned(),
        name,
        allowed: Vec::new(),
    };
    let mut members = Vec::new();
    for number in 0..u64::from(REPLICAS) {
        members.push(member(
            Role::Operator,
            number,
            "NodeOperator",
            format!("Operator {number}"),
        ));
    }
    for number in 0..HOSPITALS {
        members.push(member(
            Role::Hospital,
            number,
            "Hospital",
            format!("Hospital {number}"),
        ));
    }
    for number in 0..PATIENTS {
        members.push(member(Role::Patient, number, "Patient", String::new()));
    }
    members.push(member(
        Role::ThirdParty,
        0,
        "ThirdParty",
        "Institute".to_owned(),
    ));
    members.push(member(Role::Insurer, 0, "Insurer", "Insurer".to_owned()));
    members.push(member(
        Role::Treasurer,
        0,
        "Treasurer",
        "Treasury".to_owned(),
    ));
    let mut service = member(Role::Service, 0, "Service", "Devices".to_owned());
    service.allowed = vec![(Contract::Telemetry.id(), 4)];
    members.push(service);
    let replicas = (0..REPLICAS).map(|number| ReplicaDescription {
        replica: ReplicaId(number),
        operator: id(Role::Operator, number.into()),
        public_key: voting_key(number).public_key(),
    });
    GenesisFile {
        name: "measurement".to_owned(),
        time: Timestamp(1_700_000_000_000_000),
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(0),
            replicas: replicas.collect(),
        },
        certificate_authority: Digest::ZERO,
        members,
        parameters: GenesisParameters::default(),
    }
}

/// Makes block after block.
struct Maker {
    executor: Executor<Contracts>,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    used: Used,
    head: Option<ChainHead>,
    quorum: usize,
    chain: Digest,
    /// Commands given so far.
    given: u64,
    records: u64,
    batches: u64,
    applications: u64,
    claims: u64,
}

impl Maker {
    fn new(genesis: &GenesisFile) -> anyhow::Result<Maker> {
        genesis.check()?;
        let chain = genesis.chain_id();
        Ok(Maker {
            executor: Executor::new(chain, Contracts),
            state: BTreeMap::new(),
            used: Used::default(),
            head: None,
            quorum: genesis.epoch.quorum(),
            chain,
            given: 0,
            records: 0,
            batches: 0,
            applications: 0,
            claims: 0,
        })
    }

    fn genesis_block(&mut self, genesis: &GenesisFile) -> anyhow::Result<CertifiedBlock> {
        let executed = self.executor.genesis_block(genesis)?;
        Ok(self.take(executed, Vec::new()))
    }

    fn next_block(&mut self, count: usize) -> anyhow::Result<CertifiedBlock> {
        let head = self.head.clone().context("the genesis block comes first")?;
        let (height, time) = (head.height.next(), head.time.plus(BLOCK_US));
        let transactions = (0..count)
            .map(|_| {
                let (role, number, command) = self.next_command(time);
                let signed = self.sign(role, number, &command, time);
                Arc::new(CheckedTransaction::new(signed))
            })
            .collect();
        let order = BlockOrder {
            epoch: Epoch(0),
            height,
            time,
            state_root: execution::state_tree::empty_root(),
            transactions,
        };
        let executed = self
            .executor
            .execute_block(&self.state, &mut self.used, &head, order);
        ensure!(executed.left_out.is_empty(), "a transaction was left out");
        let mut leaves = executed.block.outcomes.iter();
        if let Some(leaf) = leaves.find(|leaf| !leaf.outcome.is_accepted()) {
            anyhow::bail!(
                "a command was rejected: {:?}",
                contracts::Rejection::from_outcome(leaf.outcome)
            );
        }
        let hash = executed.block.hash();
        let votes: Vec<BlockVote> = (0..self.quorum as u16)
            .map(|replica| {
                let (id, key) = (ReplicaId(replica), voting_key(replica));
                BlockVote::sign(&self.chain, id, Epoch(0), 0, height, hash, &key)
            })
            .collect();
        Ok(self.take(executed, votes))
    }

    fn take(&mut self, executed: ExecutedBlock, votes: Vec<BlockVote>) -> CertifiedBlock {
        for (key, value) in executed.writes.0 {
            match value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
        self.head = Some(executed.head);
        CertifiedBlock {
            certificate: Certificate::from_votes(Epoch(0), 0, &votes),
            block: executed.block,
        }
    }

    fn sign(
        &self,
        role: Role,
        number: u64,
        command: &Command,
        time: Timestamp,
    ) -> SignedTransaction {
        let key = key(role, number);
        let body = TransactionBody {
            chain: self.chain,
            submitter: id(role, number),
            public_key: key.public_key(),
            nonce: self.given,
            valid_until: time.plus(30_000_000),
            contract: command.contract().id(),
            command: command.to_bytes(),
        };
        SignedTransaction::sign(body, &key)
    }

    /// The next command, and whose it is.
    fn next_command(&mut self, time: Timestamp) -> (Role, u64, Command) {
        self.given += 1;
        let beginning = 3;
        if self.given <= beginning {
            return self.beginning();
        }
        let turn = self.given - beginning;
        match turn % 20 {
            1..=11 => self.register(time),
            12..=14 => self.view(turn),
            15 => self.claim(turn),
            16 => self.anchor(),
            place => self.application(place, time),
        }
    }

    fn beginning(&self) -> (Role, u64, Command) {
        let command = match self.given {
            1 => Settlement::PublishRules {
                plan: PLAN,
                version: 1,
                rules: vec![ReimbursementRule {
                    category: BenefitCategory::Outpatient,
                    proportion_basis_points: 8_000,
                    copay: 0,
                    benefit_max: 1_000_000,
                }],
            },
            number => Settlement::Deposit {
                reference: PaymentReference([number as u8; 16]),
                account: [id(Role::Insurer, 0), id(Role::ThirdParty, 0)][number as usize % 2],
                amount: CENTS_PAID_IN,
            },
        };
        let role = if self.given == 1 {
            Role::Insurer
        } else {
            Role::Treasurer
        };
        (role, 0, command.into())
    }

    fn register(&mut self, time: Timestamp) -> (Role, u64, Command) {
        let number = self.records;
        self.records += 1;
        let hospital = number % HOSPITALS;
        let commitment = |salt: u8| {
            Commitment::new(
                DigestAlgorithm::Sha256,
                &[salt; 32],
                &[&number.to_be_bytes()],
            )
        };
        let code = Code {
            key: key(Role::Hospital, hospital).public_key(),
            uses: 3,
            until: time.plus(24 * 3_600_000_000),
        };
        let command = Records::RegisterRecord(RegisterRecord {
            record: record_number(number),
            patient: id(Role::Patient, number % PATIENTS),
            content: commitment(1),
            index: commitment(2),
            patient_code: code,
            hospital_code: code,
        });
        (Role::Hospital, hospital, command.into())
    }

    fn view(&self, turn: u64) -> (Role, u64, Command) {
        let number = turn.wrapping_mul(7_919) % self.records;
        let command = Records::LogAccess {
            records: vec![record_number(number)],
            basis: Basis::Owner,
            purpose: Purpose::PatientRequest,
            viewer: Sealed(vec![5; 96]),
        };
        (Role::Patient, number % PATIENTS, command.into())
    }

    fn claim(&mut self, turn: u64) -> (Role, u64, Command) {
        self.claims += 1;
        let number = self.records - 1;
        let command = Settlement::SubmitClaim {
            claim: ClaimReference(digest(turn)),
            insured: id(Role::Patient, number % PATIENTS),
            plan: PLAN,
            category: BenefitCategory::Outpatient,
            charged: 12_900,
            service_year: 2023,
        };
        (Role::Hospital, number % HOSPITALS, command.into())
    }

    fn anchor(&mut self) -> (Role, u64, Command) {
        self.batches += 1;
        let command = Telemetry::AnchorReadings {
            root: digest(self.batches),
            readings: 4_096,
            batch: self.batches,
        };
        (Role::Service, 0, command.into())
    }

    fn application(&mut self, place: u64, time: Timestamp) -> (Role, u64, Command) {
        if place == 17 {
            self.applications += 1;
        }
        let number = self.records - 1;
        let application = ApplicationId(record_number(self.applications << 32).0);
        let item = ItemId {
            application,
            index: 0,
        };
        let (role, actor, command) = match place {
            17 => {
                let command = Authorization::ApplyForRecords {
                    application,
                    purpose: Purpose::Research,
                    until: time.plus(30 * 24 * 3_600_000_000),
                    statement: Commitment::new(DigestAlgorithm::Sha256, &[3; 32], &[b"statement"]),
                    items: vec![ItemOffer {
                        record: record_number(number),
                        price: PRICE,
                        item_key: digest(number).0,
                    }],
                };
                (Role::ThirdParty, 0, command)
            }
            18 => {
                let command = Authorization::ApproveAsHospital {
                    item,
                    ciphertext: digest(number),
                    ciphertext_bytes: 10_000,
                    release: Commitment::new(DigestAlgorithm::Sha256, &[4; 32], &[b"release"]),
                    version: 1,
                };
                (Role::Hospital, number % HOSPITALS, command)
            }
            19 => {
                let command = Authorization::ApproveAsPatient { item };
                (Role::Patient, number % PATIENTS, command)
            }
            _ => {
                let sealed_key = Sealed(vec![6; 80]);
                let command = Authorization::ReleaseKey { item, sealed_key };
                (Role::Hospital, number % HOSPITALS, command)
            }
        };
        (role, actor, command.into())
    }
}

fn digest(number: u64) -> Digest {
    DigestAlgorithm::Sha256.digest(&number.to_be_bytes())
}

/// Record numbers are random: so are these, each a function of its number.
fn record_number(number: u64) -> RecordNumber {
    let mut record = [0; 16];
    record.copy_from_slice(&digest(number).0[..16]);
    RecordNumber(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_chain_verifies_with_all_signatures() {
        let folder = tempfile::tempdir().unwrap();
        let chain = Chain::make(folder.path(), 200, 30).unwrap();
        let report = crate::verify::chain(&chain.blocks, &chain.genesis_file, true).unwrap();
        assert_eq!((report.accepted, report.rejected), (200, 0));
        assert_eq!((report.blocks, report.events), (chain.count, chain.events));
        assert_eq!(report.bytes, chain.bytes);
    }
}
