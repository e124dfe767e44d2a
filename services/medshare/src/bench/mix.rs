//! The transactions of a measurement: what the members do, each in an order that the contracts accept.
//!
//! Of twenty transactions in a row sixteen register a record, three are views that a patient asks for, and one is a step
//! of an application: applied for, approved by the hospital, approved by the patient, released and paid. What needs
//! another transaction comes a second later than that one.

use contracts::authorization::command::{Command as Authorization, ItemOffer};
use contracts::records::command::{Basis, Code, Command as Records, RegisterRecord};
use contracts::settlement::command::Command as Settlement;
use contracts::{ApplicationId, ItemId, PaymentReference, Purpose, RecordNumber, Sealed};
use ledger::{
    Commitment, Digest, DigestAlgorithm, GenesisMember, LedgerId, SignedTransaction, SigningKey,
    Timestamp, TransactionBody, tagged,
};

/// Transactions in a round.
const ROUND: u64 = 20;
const REGISTRATIONS_PER_ROUND: u64 = 16;
/// The places of the views in a round, and of the application's step.
const VIEWS: [u64; 3] = [5, 11, 17];
const STEP: u64 = 19;

const DAY_US: u64 = 24 * 3_600 * 1_000_000;
const PRICE: i64 = 250;
const FUNDS: i64 = 1_000_000_000_000;
/// The length of a sealed name (HPKE) and of a sealed content key.
const SEALED_NAME_BYTES: usize = 112;
const SEALED_KEY_BYTES: usize = 80;

/// A member with its key.
pub struct Member {
    /// Its pseudonym.
    pub ledger_id: LedgerId,
    key: SigningKey,
}

/// Who submits.
pub struct Members {
    hospitals: Vec<Member>,
    patients: Vec<Member>,
    third_parties: Vec<Member>,
    treasurer: Member,
}

/// The key of a role and number; only for measurements.
pub fn key(role: u8, number: u64) -> SigningKey {
    let mut seed = [role; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(seed)
}

fn member(role: u8, number: u64) -> Member {
    let mut id = [role; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Member {
        ledger_id: LedgerId(id),
        key: key(role, number),
    }
}

impl Members {
    /// So many members: six of ten are hospitals, one of ten is a third party, the others are patients; and a treasurer.
    pub fn new(count: u64) -> Members {
        let third_parties = (count / 10).max(1);
        let hospitals = (count * 6 / 10).max(1);
        let patients = count.saturating_sub(third_parties + hospitals).max(1);
        let many = |role, count| (0..count).map(|number| member(role, number)).collect();
        Members {
            hospitals: many(0xa1, hospitals),
            patients: many(0xa2, patients),
            third_parties: many(0xa3, third_parties),
            treasurer: member(0xa4, 0),
        }
    }

    /// As the genesis file names them.
    pub fn founders(&self) -> Vec<GenesisMember> {
        let founder = |kind: &'static str, named: bool| {
            move |(number, member): (usize, &Member)| GenesisMember {
                ledger_id: member.ledger_id,
                public_key: member.key.public_key(),
                kind: kind.to_owned(),
                name: if named {
                    format!("{kind} {number}")
                } else {
                    String::new()
                },
                allowed: Vec::new(),
            }
        };
        let hospitals = self.hospitals.iter().enumerate();
        let patients = self.patients.iter().enumerate();
        let third_parties = self.third_parties.iter().enumerate();
        hospitals
            .map(founder("Hospital", true))
            .chain(patients.map(founder("Patient", false)))
            .chain(third_parties.map(founder("ThirdParty", true)))
            .chain([founder("Treasurer", true)((0, &self.treasurer))])
            .collect()
    }
}

fn of(members: &[Member], number: u64) -> &Member {
    &members[(number % members.len() as u64) as usize]
}

/// One thing that somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The treasurer puts money on the account of a third party.
    Deposit(u64),
    /// A hospital registers the record of that number.
    Register(u64),
    /// The patient asks to view the record of that number.
    View(u64),
    /// A third party applies for the record of that number.
    Apply(u64),
    /// The record's hospital approves.
    ApproveAsHospital(u64),
    /// The patient approves.
    ApproveAsPatient(u64),
    /// The hospital releases the key, which pays the patient.
    Release(u64),
}

/// The transactions of one run: numbered from 0, without an end.
pub struct Mix {
    chain: Digest,
    members: Members,
    /// Different in every run, so that a kept ledger can be loaded again.
    run: u64,
    /// How many rounds lie between a transaction and what needs it.
    lag: u64,
}

impl Mix {
    /// A mix for a load of so many transactions a second.
    pub fn new(chain: Digest, members: Members, run: u64, rate: u64) -> Mix {
        Mix {
            chain,
            members,
            run,
            lag: (rate / ROUND).max(1),
        }
    }

    /// What must be done before number 0: money for the third parties, and the first records.
    pub fn preparation(&self) -> Vec<Step> {
        let deposits = (0..self.members.third_parties.len() as u64).map(Step::Deposit);
        deposits
            .chain((0..self.lag * REGISTRATIONS_PER_ROUND).map(Step::Register))
            .collect()
    }

    /// What number `number` is.
    pub fn step(&self, number: u64) -> Step {
        let (round, place) = (number / ROUND, number % ROUND);
        // The newest record that was registered a lag ago; those of the preparation come first.
        let standing = round * REGISTRATIONS_PER_ROUND;
        if place == STEP {
            return self.application_step(round);
        }
        match VIEWS.iter().position(|view| *view == place) {
            Some(view) => Step::View(standing + 5 * view as u64),
            None => {
                let views_before = VIEWS.iter().filter(|view| **view < place).count() as u64;
                Step::Register(self.lag * REGISTRATIONS_PER_ROUND + standing + place - views_before)
            }
        }
    }

    /// So many applications as fit the lag are made, then all of them approved by hospitals, and so on.
    fn application_step(&self, round: u64) -> Step {
        let (group, within) = (round / (4 * self.lag), round % (4 * self.lag));
        let made = group * 4 * self.lag + within % self.lag;
        let record = made * REGISTRATIONS_PER_ROUND;
        match within / self.lag {
            0 => Step::Apply(record),
            1 => Step::ApproveAsHospital(record),
            2 => Step::ApproveAsPatient(record),
            _ => Step::Release(record),
        }
    }

    /// The signed transaction of a step; `nonce` is used once in the run.
    pub fn transaction(&self, step: Step, nonce: u64, valid_until: Timestamp) -> SignedTransaction {
        let (member, command) = self.command(step, valid_until);
        let body = TransactionBody {
            chain: self.chain,
            submitter: member.ledger_id,
            public_key: member.key.public_key(),
            nonce: self.run.wrapping_add(nonce),
            valid_until,
            contract: command.contract().id(),
            command: command.to_bytes(),
        };
        SignedTransaction::sign(body, &member.key)
    }

    fn command(&self, step: Step, now: Timestamp) -> (&Member, contracts::Command) {
        let Members {
            hospitals,
            patients,
            third_parties,
            treasurer,
        } = &self.members;
        match step {
            Step::Deposit(number) => {
                let deposit = Settlement::Deposit {
                    reference: PaymentReference(self.identifier("deposit", number)),
                    account: of(third_parties, number).ledger_id,
                    amount: FUNDS,
                };
                (treasurer, deposit.into())
            }
            Step::Register(record) => (
                of(hospitals, record),
                self.registration(record, now, of(patients, record)).into(),
            ),
            Step::View(record) => {
                let view = Records::LogAccess {
                    records: vec![self.record(record)],
                    basis: Basis::Owner,
                    purpose: Purpose::PatientRequest,
                    viewer: self.sealed("viewer", record, SEALED_NAME_BYTES),
                };
                (of(patients, record), view.into())
            }
            Step::Apply(record) => (
                of(third_parties, record / REGISTRATIONS_PER_ROUND),
                self.application(record, now).into(),
            ),
            Step::ApproveAsHospital(record) => {
                let approval = Authorization::ApproveAsHospital {
                    item: self.item(record),
                    ciphertext: self.digest("ciphertext", record),
                    ciphertext_bytes: 20_480,
                    release: self.commitment("release", record),
                    version: 1,
                };
                (of(hospitals, record), approval.into())
            }
            Step::ApproveAsPatient(record) => {
                let item = self.item(record);
                (
                    of(patients, record),
                    Authorization::ApproveAsPatient { item }.into(),
                )
            }
            Step::Release(record) => {
                let release = Authorization::ReleaseKey {
                    item: self.item(record),
                    sealed_key: self.sealed("key", record, SEALED_KEY_BYTES),
                };
                (of(hospitals, record), release.into())
            }
        }
    }

    fn registration(&self, record: u64, now: Timestamp, patient: &Member) -> Records {
        let code = |holder| Code {
            key: ledger::PublicKey(self.digest(holder, record).0),
            uses: 3,
            until: now.plus(DAY_US),
        };
        Records::RegisterRecord(RegisterRecord {
            record: self.record(record),
            patient: patient.ledger_id,
            content: self.commitment("content", record),
            index: self.commitment("index", record),
            patient_code: code("patient's code"),
            hospital_code: code("hospital's code"),
        })
    }

    fn application(&self, record: u64, now: Timestamp) -> Authorization {
        let offer = ItemOffer {
            record: self.record(record),
            price: PRICE,
            item_key: self.digest("item key", record).0,
        };
        Authorization::ApplyForRecords {
            application: self.item(record).application,
            purpose: Purpose::Research,
            until: now.plus(30 * DAY_US),
            statement: self.commitment("statement", record),
            items: vec![offer],
        }
    }

    fn digest(&self, what: &str, number: u64) -> Digest {
        tagged(
            "medshare/bench/v1",
            &[
                &self.run.to_be_bytes(),
                &number.to_be_bytes(),
                what.as_bytes(),
            ],
        )
    }

    fn identifier(&self, what: &str, number: u64) -> [u8; 16] {
        let digest = self.digest(what, number);
        std::array::from_fn(|place| digest.0[place])
    }

    fn record(&self, number: u64) -> RecordNumber {
        RecordNumber(self.identifier("record", number))
    }

    fn item(&self, record: u64) -> ItemId {
        let application = ApplicationId(self.identifier("application", record));
        ItemId {
            application,
            index: 0,
        }
    }

    fn commitment(&self, what: &str, number: u64) -> Commitment {
        Commitment {
            algorithm: DigestAlgorithm::Sha256,
            value: self.digest(what, number),
        }
    }

    fn sealed(&self, what: &str, number: u64, bytes: usize) -> Sealed {
        let digest = self.digest(what, number).0;
        Sealed(digest.iter().copied().cycle().take(bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn of_a_thousand_transactions_eight_hundred_register_and_each_comes_after_what_it_needs() {
        let mix = Mix::new(Digest::ZERO, Members::new(10), 0, 100);
        let lag_transactions = (mix.lag * ROUND) as i64;
        let mut done: BTreeMap<String, i64> = mix
            .preparation()
            .into_iter()
            .map(|step| (format!("{step:?}"), -lag_transactions))
            .collect();
        let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
        for number in 0..1_000_i64 {
            let step = mix.step(number as u64);
            let (kind, needed) = match step {
                Step::Deposit(_) => panic!("deposits belong to the preparation"),
                Step::Register(_) => ("register", None),
                Step::View(record) => ("view", Some(Step::Register(record))),
                Step::Apply(record) => ("step", Some(Step::Register(record))),
                Step::ApproveAsHospital(record) => ("step", Some(Step::Apply(record))),
                Step::ApproveAsPatient(record) => ("step", Some(Step::ApproveAsHospital(record))),
                Step::Release(record) => ("step", Some(Step::ApproveAsPatient(record))),
            };
            *kinds.entry(kind).or_default() += 1;
            if let Some(needed) = needed {
                let at = done[&format!("{needed:?}")];
                assert!(number - at >= lag_transactions - ROUND as i64, "{step:?}");
            }
            assert!(done.insert(format!("{step:?}"), number).is_none() || kind == "view");
        }
        assert_eq!(
            kinds,
            [("register", 800), ("step", 50), ("view", 150)].into()
        );
        let distinct: BTreeSet<_> = (0..1_000).map(|number| mix.record(number)).collect();
        assert_eq!(distinct.len(), 1_000);
    }
}
