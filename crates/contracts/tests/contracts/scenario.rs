//! Given events, when a member submits a command, then events or a numbered rejection.

use std::collections::BTreeMap;

use contracts::membership::MemberKind;
use contracts::records::command::Code;
use contracts::{
    Command, Context, Event, Execution, RecordNumber, Rejection, Sealed, State, execute, fold,
};
use ledger::{
    Commitment, ContractId, Digest, DigestAlgorithm, Epoch, Height, LedgerId, Outcome, PublicKey,
    ReplicaDescription, ReplicaId, SigningKey, Timestamp, WriteSet,
};

pub const fn id(number: u8) -> LedgerId {
    LedgerId([number; 16])
}

pub const OPERATORS: [LedgerId; 4] = [id(1), id(2), id(3), id(4)];
pub const OPERATOR: LedgerId = OPERATORS[0];
pub const HOSPITAL: LedgerId = id(10);
pub const OTHER_HOSPITAL: LedgerId = id(11);
/// Acts for [`HOSPITAL`].
pub const DOCTOR: LedgerId = id(20);
/// Acts for [`OTHER_HOSPITAL`].
pub const OTHER_DOCTOR: LedgerId = id(21);
pub const PATIENT: LedgerId = id(30);
pub const OTHER_PATIENT: LedgerId = id(31);
pub const INSTITUTE: LedgerId = id(40);
pub const OTHER_INSTITUTE: LedgerId = id(41);
pub const INSURER: LedgerId = id(50);
pub const OTHER_INSURER: LedgerId = id(51);
pub const REGULATOR: LedgerId = id(60);
pub const TREASURER: LedgerId = id(70);
pub const DEVICE: LedgerId = id(80);
pub const IDENTITY: LedgerId = id(90);
pub const IOT: LedgerId = id(91);
pub const INTEGRITY: LedgerId = id(92);
/// Not a member.
pub const NEWCOMER: LedgerId = id(100);

pub const CHAIN: Digest = Digest([9; 32]);
pub const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
pub const NONCE: u64 = 7;
pub const HOUR: u64 = 3_600_000_000;
pub const DAY: u64 = 24 * HOUR;

pub fn key_of(member: LedgerId) -> SigningKey {
    SigningKey::from_seed([member.0[0]; 32])
}

pub fn weak_key() -> PublicKey {
    let mut identity = [0; 32];
    identity[0] = 1;
    PublicKey(identity)
}

pub fn commitment(text: &str) -> Commitment {
    Commitment::new(DigestAlgorithm::Sha256, &[1; 32], &[text.as_bytes()])
}

pub fn sealed() -> Sealed {
    Sealed(vec![5; 60])
}

pub const fn record(number: u8) -> RecordNumber {
    RecordNumber([number; 16])
}

pub fn code_key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

/// A code whose key is [`code_key`]: two uses, a day.
pub fn code(number: u8) -> Code {
    Code {
        key: code_key(number).public_key(),
        uses: 2,
        until: NOW.plus(DAY),
    }
}

pub fn replica(number: u16, operator: LedgerId) -> ReplicaDescription {
    let public_key = SigningKey::from_seed([200 + number as u8; 32]).public_key();
    ReplicaDescription {
        replica: ReplicaId(number),
        operator,
        public_key,
    }
}

/// A list of events of any contracts.
macro_rules! events {
    ($($event:expr),* $(,)?) => { vec![$(contracts::Event::from($event)),*] };
}
pub(crate) use events;

/// The state so far, and the moment of the next command.
#[derive(Clone)]
pub struct Scenario {
    pub state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub time: Timestamp,
    pub height: Height,
    pub epoch: Epoch,
}

/// What became of a command.
pub struct Verdict {
    before: Scenario,
    pub execution: Execution,
}

/// An active member of every kind, doctors affiliated, four node operators with a replica each, default parameters.
pub fn world() -> Scenario {
    let mut scenario = Scenario {
        state: BTreeMap::new(),
        time: NOW,
        height: Height(100),
        epoch: Epoch(0),
    };
    for (number, operator) in (0..).zip(OPERATORS) {
        scenario = scenario.given(founder(operator, MemberKind::NodeOperator, &[]));
        scenario = scenario.given(contracts::governance::Event::ReplicaFounded {
            replica: replica(number, operator),
        });
    }
    let members = [
        (HOSPITAL, MemberKind::Hospital),
        (OTHER_HOSPITAL, MemberKind::Hospital),
        (DOCTOR, MemberKind::Doctor),
        (OTHER_DOCTOR, MemberKind::Doctor),
        (PATIENT, MemberKind::Patient),
        (OTHER_PATIENT, MemberKind::Patient),
        (INSTITUTE, MemberKind::ThirdParty),
        (OTHER_INSTITUTE, MemberKind::ThirdParty),
        (INSURER, MemberKind::Insurer),
        (OTHER_INSURER, MemberKind::Insurer),
        (REGULATOR, MemberKind::Regulator),
        (TREASURER, MemberKind::Treasurer),
        (DEVICE, MemberKind::Device),
    ];
    for (member, kind) in members {
        scenario = scenario.given(founder(member, kind, &[]));
    }
    let until = NOW.plus(365 * DAY);
    let affiliated = |doctor, hospital| contracts::membership::Event::DoctorAffiliated {
        doctor,
        hospital,
        from: NOW,
        until,
    };
    scenario
        .given(founder(IDENTITY, MemberKind::Service, &[(1, 0), (1, 7)]))
        .given(founder(IOT, MemberKind::Service, &[(5, 4), (5, 5)]))
        .given(founder(INTEGRITY, MemberKind::Service, &[(2, 9)]))
        .given(affiliated(DOCTOR, HOSPITAL))
        .given(affiliated(OTHER_DOCTOR, OTHER_HOSPITAL))
}

/// A founding member's event.
pub fn founder(
    member: LedgerId,
    kind: MemberKind,
    allowed: &[(u16, u16)],
) -> contracts::membership::Event {
    contracts::membership::Event::FounderNamed {
        member,
        kind,
        public_key: key_of(member).public_key(),
        name: None,
        allowed: allowed
            .iter()
            .map(|(contract, number)| (ContractId(*contract), *number))
            .collect(),
        operator: kind == MemberKind::NodeOperator,
    }
}

impl Scenario {
    /// Something was decided before.
    pub fn given(mut self, event: impl Into<Event>) -> Scenario {
        let event = event.into();
        let mut state = State::new(&self.state);
        fold(&mut state, &event);
        let writes = state.into_writes();
        self.apply(&writes);
        self
    }

    /// The next command comes this much later.
    pub fn later(mut self, microseconds: u64) -> Scenario {
        self.time = self.time.plus(microseconds);
        self
    }

    /// A member submits a command, signed with its own key.
    pub fn when(self, submitter: LedgerId, command: impl Into<Command>) -> Verdict {
        let command = command.into();
        let key = key_of(submitter).public_key();
        self.when_bytes(submitter, key, command.contract().id(), &command.to_bytes())
    }

    /// A member submits bytes, signed with any key.
    pub fn when_bytes(
        self,
        submitter: LedgerId,
        public_key: PublicKey,
        contract: ContractId,
        command: &[u8],
    ) -> Verdict {
        let context = self.context(submitter, public_key);
        let execution = execute(&self.state, &context, contract, command);
        Verdict {
            before: self,
            execution,
        }
    }

    /// The context in which `submitter` would submit now.
    pub fn context(&self, submitter: LedgerId, public_key: PublicKey) -> Context {
        Context {
            chain: CHAIN,
            height: self.height,
            time: self.time,
            epoch: self.epoch,
            submitter,
            public_key,
            nonce: NONCE,
            transaction: Digest([4; 32]),
        }
    }

    /// Takes over what was written.
    pub fn apply(&mut self, writes: &WriteSet) {
        assert!(writes.is_ordered());
        for (key, value) in &writes.0 {
            match value {
                Some(value) => self.state.insert(key.clone(), value.clone()),
                None => self.state.remove(key),
            };
        }
    }
}

impl Verdict {
    /// Exactly these events, in this order.
    #[track_caller]
    pub fn then_events(self, expected: Vec<Event>) -> Scenario {
        assert_eq!(self.rejection(), None);
        assert_eq!(self.execution.events, expected);
        self.then_accepted()
    }

    /// Whatever was decided, it was accepted.
    #[track_caller]
    pub fn then_accepted(self) -> Scenario {
        assert_eq!(self.rejection(), None);
        let mut after = self.before;
        after.apply(&self.execution.writes);
        after
    }

    /// This rejection, and nothing changed.
    #[track_caller]
    pub fn then_rejected(self, expected: impl Into<Rejection>) -> Scenario {
        assert_eq!(
            self.rejection(),
            Some(expected.into()),
            "events: {:?}",
            self.execution.events
        );
        assert!(self.execution.events.is_empty() && self.execution.writes.0.is_empty());
        self.before
    }

    fn rejection(&self) -> Option<Rejection> {
        match self.execution.outcome {
            Outcome::Accepted => None,
            outcome => {
                Some(Rejection::from_outcome(outcome).expect("a rejection with a known number"))
            }
        }
    }
}
