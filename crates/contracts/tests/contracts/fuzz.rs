//! Commands and events under mutated bytes (see the crate `fuzzing`), and what contracts decide about them: no panic,
//! what is read is canonical, and whatever is decided keeps the money.

use contracts::governance::command::{Change, OperatorStanding};
use contracts::governance::{Command as Governance, Parameter};
use contracts::membership::MemberKind;
use contracts::records::command::{Basis, CodeHolder, Command as Records};
use contracts::settlement::event::Event as Settlement;
use contracts::{Command, Contract, Event, ProposalId, Purpose, expire};
use ledger::equivocation::Phase;
use ledger::{ContractId, Height, LedgerId, Outcome, ReplicaId};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde::Serialize;

use crate::random_commands::{Step, sequences, start, take};
use crate::scenario::*;
use crate::{governance, membership, records, records_codes, telemetry};

/// Who may be the submitter of a mutated command.
const SUBMITTERS: [LedgerId; 16] = [
    PATIENT,
    OTHER_PATIENT,
    HOSPITAL,
    OTHER_HOSPITAL,
    DOCTOR,
    INSTITUTE,
    OTHER_INSTITUTE,
    INSURER,
    REGULATOR,
    TREASURER,
    DEVICE,
    IDENTITY,
    IOT,
    INTEGRITY,
    OPERATOR,
    NEWCOMER,
];

/// As an input holds it: the contract, the submitter's place, the command.
#[derive(Serialize)]
struct Submitted<C>(u8, u8, C);

fn submitted<C: Serialize>(contract: Contract, submitter: LedgerId, command: C) -> Submitted<C> {
    let place = SUBMITTERS.iter().position(|it| *it == submitter);
    Submitted(contract as u8, place.unwrap_or(0) as u8, command)
}

/// Commands about money and applications that make sense, what they decided, and where it led.
fn random_history() -> (Vec<(LedgerId, Command)>, Vec<Event>, Scenario) {
    let mut runner = TestRunner::deterministic();
    let (mut commands, mut events, mut scenario) = (Vec::new(), Vec::new(), start());
    for _ in 0..4 {
        let steps = sequences(60).new_tree(&mut runner).expect("a sequence");
        for step in steps.current() {
            if let Step::Submit(submitter, command) = &step {
                commands.push((*submitter, (**command).clone()));
            }
            let (after, execution) = take(scenario, &step);
            events.extend(execution.events);
            scenario = after;
        }
    }
    (commands, events, scenario)
}

fn governance_commands() -> Vec<Governance> {
    let proposal = ProposalId([5; 16]);
    let changes = [
        Change::SetParameter {
            parameter: Parameter::ItemPriceMin,
            value: 700,
        },
        Change::ReplaceReplica {
            retire: Some(ReplicaId(3)),
            add: Some(replica(4, OPERATORS[3])),
        },
        Change::ActivateContract {
            contract: ContractId(2),
            version: 2,
            height: Height(5_000),
        },
        Change::SetOperatorStanding {
            operator: OPERATORS[3],
            standing: OperatorStanding::Suspended,
        },
        Change::RotateReplicaKey {
            replica: ReplicaId(2),
            public_key: replica(9, OPERATOR).public_key,
        },
    ];
    let proposed = changes.map(|change| Governance::ProposeChange { proposal, change });
    let others = [
        Governance::VoteOnChange {
            proposal,
            approve: true,
        },
        Governance::ReportEquivocation(governance::equivocation(Phase::Commit)),
    ];
    proposed.into_iter().chain(others).collect()
}

fn record_commands() -> Vec<(LedgerId, Records)> {
    vec![
        (HOSPITAL, records::amendment(2)),
        (PATIENT, records::access(Basis::Owner)),
        (
            DOCTOR,
            records::access_to(
                &[record(1), record(2)],
                Basis::OwnHospital { hospital: HOSPITAL },
                Purpose::Treatment,
            ),
        ),
        (DOCTOR, records::open_emergency()),
        (DOCTOR, records::emergency_access()),
        (INTEGRITY, records::tampering(1)),
        (
            INSURER,
            records_codes::redeem(INSURER, CodeHolder::Patient, None),
        ),
        (
            PATIENT,
            Records::SetCode {
                record: record(1),
                holder: CodeHolder::Patient,
                code: code(112),
            },
        ),
        (
            PATIENT,
            Records::SetConsent {
                share_for_treatment: true,
                research: true,
            },
        ),
    ]
}

#[test]
fn fuzz_command() {
    let (random, _, scenario) = random_history();
    let of = |wanted: Contract| {
        let matching = random
            .iter()
            .filter(move |(_, command)| command.contract() == wanted);
        matching.take(40).cloned()
    };
    let settlement = of(Contract::Settlement).filter_map(|(who, command)| match command {
        Command::Settlement(inner) => Some(submitted(Contract::Settlement, who, inner)),
        _ => None,
    });
    let authorization = of(Contract::Authorization).filter_map(|(who, command)| match command {
        Command::Authorization(inner) => Some(submitted(Contract::Authorization, who, inner)),
        _ => None,
    });
    let about_members = [
        membership::register(NEWCOMER, MemberKind::Patient),
        membership::endorse(NEWCOMER),
        membership::affiliate(DOCTOR, NOW, NOW.plus(DAY)),
        membership::rotation(PATIENT, 120),
    ];
    let about_devices = [
        telemetry::register(),
        telemetry::share(NOW.plus(DAY)),
        telemetry::anchor(10, 1),
        telemetry::raise(1),
        telemetry::acknowledge(),
    ];
    fuzzing::target("contracts-command")
        .values(settlement)
        .values(authorization)
        .values(about_members.map(|it| submitted(Contract::Membership, OPERATOR, it)))
        .values(about_devices.map(|it| submitted(Contract::Telemetry, IOT, it)))
        .values(
            record_commands()
                .into_iter()
                .map(|(who, it)| submitted(Contract::Records, who, it)),
        )
        .values(
            governance_commands()
                .into_iter()
                .map(|it| submitted(Contract::Governance, OPERATOR, it)),
        )
        .run(|bytes| {
            let [contract, submitter, command @ ..] = bytes else {
                return false;
            };
            let contract = ContractId(u16::from(*contract));
            let read = Command::from_bytes(contract, command);
            if let Ok(read) = &read {
                assert_eq!(read.to_bytes(), command);
            }
            let submitter = SUBMITTERS[usize::from(*submitter) % SUBMITTERS.len()];
            let key = key_of(submitter).public_key();
            let verdict = scenario
                .clone()
                .when_bytes(submitter, key, contract, command);
            assert!(read.is_ok() || verdict.execution.outcome != Outcome::Accepted);
            balanced(&verdict.execution.events);
            let mut after = scenario.clone();
            after.apply(&verdict.execution.writes);
            // What it left behind can be expired, too.
            let (events, _) = expire(&after.state, after.height, after.time.plus(90 * DAY), 8);
            balanced(&events);
            read.is_ok()
        });
}

/// Every posting sums to zero.
fn balanced(events: &[Event]) {
    for event in events {
        if let Event::Settlement(Settlement::Posted { lines, .. }) = event {
            let sum: i128 = lines.iter().map(|line| i128::from(line.amount)).sum();
            assert_eq!(sum, 0, "{lines:?}");
        }
    }
}

#[test]
fn fuzz_event() {
    let (_, events, _) = random_history();
    let inputs: Vec<Vec<u8>> = events
        .iter()
        .map(|event| [&[event.contract() as u8][..], &event.to_bytes()].concat())
        .collect();
    fuzzing::target("contracts-event")
        .bytes(inputs)
        .run(|bytes| {
            let Some((contract, event)) = bytes.split_first() else {
                return false;
            };
            let Ok(read) = Event::from_bytes(ContractId(u16::from(*contract)), event) else {
                return false;
            };
            assert!(*contract == 0 || read.to_bytes() == event);
            true
        });
}
