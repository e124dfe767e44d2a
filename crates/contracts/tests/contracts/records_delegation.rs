//! Guardians: named by the patient with a scope and an end; what they do names both; nothing of it outlasts the end.

use contracts::authorization::{Command as Authorization, Event as Authorized};
use contracts::records::command::{Basis, DelegationScope};
use contracts::records::{Command, Event, Rejection};
use contracts::{Purpose, Sealed, authorization, membership, submission};
use ledger::{LedgerId, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::authorization::{apply, approve_as_hospital, approve_as_patient, funded, item};
use crate::authorization::{refuse_as_patient, release};
use crate::records::*;
use crate::scenario::*;

/// Acts for [`PATIENT`].
const GUARDIAN: LedgerId = id(32);

fn until() -> Timestamp {
    NOW.plus(30 * DAY)
}

fn name(guardian: LedgerId, scope: DelegationScope, until: Timestamp) -> Command {
    Command::NameGuardian {
        guardian,
        scope,
        until,
        patient_name: sealed(),
        guardian_name: sealed(),
    }
}

fn end() -> Command {
    Command::EndDelegation {
        patient: PATIENT,
        guardian: GUARDIAN,
    }
}

/// Record 1 of the patient's and record 2 of another's, and one more person.
fn with_guardian() -> Scenario {
    with_record()
        .given(registered_for(2, OTHER_PATIENT, OTHER_HOSPITAL))
        .given(founder(GUARDIAN, membership::MemberKind::Patient, &[]))
}

fn named(scope: DelegationScope) -> Scenario {
    with_guardian()
        .when(PATIENT, name(GUARDIAN, scope, until()))
        .then_accepted()
}

/// An application for both records waits for the patients, one of whom has named a guardian.
fn awaiting(scope: DelegationScope) -> Scenario {
    funded(named(scope), INSTITUTE, 10_000)
        .when(INSTITUTE, apply())
        .then_accepted()
        .when(HOSPITAL, approve_as_hospital(0))
        .then_accepted()
        .when(OTHER_HOSPITAL, approve_as_hospital(1))
        .then_accepted()
}

fn look(number: u8) -> Command {
    access_to(
        &[record(number)],
        Basis::Delegation,
        Purpose::PatientRequest,
    )
}

#[test]
fn a_patient_names_a_guardian_with_a_scope_and_an_end_and_either_ends_it() {
    let event = Event::GuardianNamed {
        patient: PATIENT,
        guardian: GUARDIAN,
        scope: DelegationScope::Read,
        until: until(),
        patient_name: sealed(),
        guardian_name: sealed(),
    };
    for by in [PATIENT, GUARDIAN] {
        let ended = Event::DelegationEnded {
            patient: PATIENT,
            guardian: GUARDIAN,
            by,
        };
        with_guardian()
            .when(PATIENT, name(GUARDIAN, DelegationScope::Read, until()))
            .then_events(events![event.clone()])
            .when(by, end())
            .then_events(events![ended])
            .when(by, end())
            .then_rejected(Rejection::NoDelegation);
    }
}

#[test]
fn a_guardians_view_names_guardian_patient_and_basis() {
    named(DelegationScope::Read)
        .when(GUARDIAN, look(1))
        .then_events(events![Event::AccessLogged {
            records: vec![(record(1), 1)],
            patient: PATIENT,
            viewer: GUARDIAN,
            basis: Basis::Delegation,
            purpose: Purpose::PatientRequest,
            viewer_name: sealed(),
        }]);
}

#[test]
fn a_guardians_decision_names_the_guardian_before_what_was_decided() {
    let by = Authorized::DecidedByGuardian {
        item: item(0),
        patient: PATIENT,
        guardian: GUARDIAN,
    };
    for scope in [DelegationScope::Decide, DelegationScope::ReadAndDecide] {
        let scenario = awaiting(scope)
            .when(GUARDIAN, approve_as_patient(0))
            .then_events(events![
                by.clone(),
                Authorized::PatientApproved { item: item(0) }
            ]);
        // The reward is the patient's.
        let released = scenario.when(HOSPITAL, release(0));
        let paid = released.execution.events.iter().any(|event| {
            matches!(
                event,
                contracts::Event::Authorization(Authorized::ItemReleased { patient, .. })
                    if *patient == PATIENT
            )
        });
        assert!(paid);
        let refused = awaiting(scope).when(GUARDIAN, refuse_as_patient(0));
        assert_eq!(
            refused.execution.events[0],
            contracts::Event::from(by.clone())
        );
        refused.then_accepted();
    }
}

#[test]
fn a_guardian_does_nothing_that_the_scope_does_not_cover() {
    awaiting(DelegationScope::Read)
        .when(GUARDIAN, approve_as_patient(0))
        .then_rejected(Rejection::BeyondDelegation)
        .when(GUARDIAN, refuse_as_patient(0))
        .then_rejected(Rejection::BeyondDelegation);
    named(DelegationScope::Decide)
        .when(GUARDIAN, look(1))
        .then_rejected(Rejection::BeyondDelegation);
    let all = || awaiting(DelegationScope::ReadAndDecide);
    let record = record(1);
    for (command, rejection) in [
        (Command::EraseRecord { record }, Rejection::NotTheOwner),
        (
            Command::WithdrawCode {
                record,
                holder: contracts::records::command::CodeHolder::Patient,
            },
            Rejection::NotTheCodeHolder,
        ),
        (
            access_to(&[record], Basis::Owner, Purpose::PatientRequest),
            Rejection::NotTheOwner,
        ),
        (
            access_to(&[record], Basis::Delegation, Purpose::Research),
            Rejection::PurposeDiffers,
        ),
    ] {
        all().when(GUARDIAN, command).then_rejected(rejection);
    }
    all()
        .when(PATIENT, approve_as_patient(0))
        .then_accepted()
        .when(HOSPITAL, release(0))
        .then_accepted()
        .when(
            GUARDIAN,
            Authorization::WithdrawGrant {
                grant: authorization::grant_of(&item(0)),
            },
        )
        .then_rejected(authorization::Rejection::NotThePatient);
}

#[test]
fn a_guardian_of_one_patient_is_nobody_to_another() {
    let scenario = awaiting(DelegationScope::ReadAndDecide);
    let scenario = scenario
        .when(GUARDIAN, look(2))
        .then_rejected(Rejection::NoDelegation)
        .when(GUARDIAN, approve_as_patient(1))
        .then_rejected(authorization::Rejection::NotThePatient)
        .when(OTHER_PATIENT, look(1))
        .then_rejected(Rejection::NoDelegation);
    // Nor does a guardian hand on what was given: who they name is their own guardian.
    scenario
        .when(
            GUARDIAN,
            name(OTHER_PATIENT, DelegationScope::ReadAndDecide, until()),
        )
        .then_accepted()
        .when(OTHER_PATIENT, look(1))
        .then_rejected(Rejection::NoDelegation)
        .when(OTHER_PATIENT, approve_as_patient(0))
        .then_rejected(authorization::Rejection::NotThePatient)
        .when(OTHER_PATIENT, end())
        .then_rejected(Rejection::NotOfTheDelegation);
}

#[test]
fn a_delegation_that_was_ended_or_is_over_permits_nothing() {
    let ended = || {
        awaiting(DelegationScope::ReadAndDecide)
            .when(PATIENT, end())
            .then_accepted()
    };
    ended()
        .when(GUARDIAN, look(1))
        .then_rejected(Rejection::NoDelegation);
    ended()
        .when(GUARDIAN, approve_as_patient(0))
        .then_rejected(authorization::Rejection::NotThePatient);
    let soon = name(GUARDIAN, DelegationScope::ReadAndDecide, NOW.plus(HOUR));
    let over = awaiting(DelegationScope::Read)
        .when(PATIENT, soon)
        .then_accepted()
        .later(HOUR);
    let over = over
        .when(GUARDIAN, look(1))
        .then_rejected(Rejection::DelegationOver)
        .when(GUARDIAN, approve_as_patient(0))
        .then_rejected(Rejection::DelegationOver);
    over.when(PATIENT, end())
        .then_rejected(Rejection::DelegationOver);
}

#[test]
fn only_another_patient_who_is_registered_can_be_named_until_a_day_ahead() {
    let scope = DelegationScope::Read;
    let by = |submitter, command| with_guardian().when(submitter, command);
    by(PATIENT, name(PATIENT, scope, until())).then_rejected(Rejection::NotAGuardian);
    by(PATIENT, name(DOCTOR, scope, until())).then_rejected(Rejection::NotAGuardian);
    by(PATIENT, name(NEWCOMER, scope, until())).then_rejected(Rejection::NotAGuardian);
    by(PATIENT, name(GUARDIAN, scope, NOW)).then_rejected(Rejection::EndNotAhead);
    by(HOSPITAL, name(GUARDIAN, scope, until())).then_rejected(Rejection::NotPatient);
    let unnamed = Command::NameGuardian {
        guardian: GUARDIAN,
        scope,
        until: until(),
        patient_name: sealed(),
        guardian_name: Sealed(Vec::new()),
    };
    by(PATIENT, unnamed).then_rejected(Rejection::SealedNotFit);
    with_guardian()
        .given(membership::Event::MemberRevoked { member: GUARDIAN })
        .when(PATIENT, name(GUARDIAN, scope, until()))
        .then_rejected(Rejection::NotAGuardian);
}

#[test]
fn a_guardian_who_is_suspended_acts_for_nobody_and_nobody_acts_for_a_patient_who_is() {
    let scenario = || named(DelegationScope::Read);
    scenario()
        .given(membership::Event::MemberSuspended { member: GUARDIAN })
        .when(GUARDIAN, look(1))
        .then_rejected(submission::Rejection::SubmitterSuspended);
    scenario()
        .given(membership::Event::MemberSuspended { member: PATIENT })
        .when(GUARDIAN, look(1))
        .then_rejected(Rejection::UnknownPatient);
}

/// What happens next to two patients and two guardians.
#[derive(Clone, Debug)]
enum Step {
    Name(LedgerId, LedgerId, DelegationScope, u64),
    End(LedgerId, LedgerId, LedgerId),
    Look(LedgerId, u8),
    Decide(LedgerId, u16),
    Wait(u64),
}

const PEOPLE: [LedgerId; 4] = [PATIENT, OTHER_PATIENT, GUARDIAN, id(33)];

fn step() -> impl Strategy<Value = Step> {
    let person = || prop::sample::select(PEOPLE.to_vec());
    let scope = prop::sample::select(DelegationScope::ALL.to_vec());
    prop_oneof![
        3 => (person(), person(), scope, 0..10u64).prop_map(|(patient, guardian, scope, hours)| Step::Name(patient, guardian, scope, hours)),
        1 => (person(), person(), person()).prop_map(|(by, patient, guardian)| Step::End(by, patient, guardian)),
        4 => (person(), 1..3u8).prop_map(|(viewer, number)| Step::Look(viewer, number)),
        2 => (person(), 0..2u16).prop_map(|(by, index)| Step::Decide(by, index)),
        2 => (0..6 * HOUR).prop_map(Step::Wait),
    ]
}

proptest! {
    /// An observer who knows only what patients said, and the time, foretells every guardian's act: whatever the sequence,
    /// nobody acts for another without being named for that, or after the end.
    #[test]
    fn no_sequence_of_commands_lets_a_guardian_act_beyond_the_scope_or_after_the_end(steps in vec(step(), 1..60)) {
        let mut scenario = awaiting(DelegationScope::Read)
            .when(PATIENT, end())
            .then_accepted()
            .given(founder(PEOPLE[3], membership::MemberKind::Patient, &[]));
        let mut said: std::collections::BTreeMap<(LedgerId, LedgerId), (DelegationScope, Timestamp)> = Default::default();
        for step in steps {
            let now = scenario.time;
            let holds = |patient, guardian, covers: fn(DelegationScope) -> bool| {
                said.get(&(patient, guardian)).is_some_and(|(scope, until)| covers(*scope) && now < *until)
            };
            let (submitter, command, may): (LedgerId, contracts::Command, Option<bool>) = match step {
                Step::Wait(microseconds) => {
                    scenario = scenario.later(microseconds);
                    continue;
                }
                Step::Name(patient, guardian, scope, hours) => {
                    (patient, name(guardian, scope, now.plus(hours * HOUR)).into(), Some(patient != guardian && hours > 0))
                }
                Step::End(by, patient, guardian) => {
                    let may = (by == patient || by == guardian) && holds(patient, guardian, |_| true);
                    (by, Command::EndDelegation { patient, guardian }.into(), Some(may))
                }
                Step::Look(viewer, number) => {
                    let patient = [PATIENT, OTHER_PATIENT][usize::from(number) - 1];
                    (viewer, look(number).into(), Some(holds(patient, viewer, DelegationScope::reads)))
                }
                Step::Decide(by, index) => {
                    let patient = [PATIENT, OTHER_PATIENT][usize::from(index)];
                    let may = by == patient || holds(patient, by, DelegationScope::decides);
                    // The item may have been decided before: then nobody decides.
                    (by, approve_as_patient(index).into(), (!may).then_some(false))
                }
            };
            let verdict = scenario.clone().when(submitter, command.clone());
            let accepted = verdict.execution.outcome == ledger::Outcome::Accepted;
            prop_assert!(may.is_none_or(|may| may == accepted), "{submitter} {command:?}: {:?}", verdict.execution.outcome);
            scenario.apply(&verdict.execution.writes);
            for event in &verdict.execution.events {
                match event {
                    contracts::Event::Records(Event::GuardianNamed { patient, guardian, scope, until, .. }) => {
                        said.insert((*patient, *guardian), (*scope, *until));
                    }
                    contracts::Event::Records(Event::DelegationEnded { patient, guardian, .. }) => {
                        said.remove(&(*patient, *guardian));
                    }
                    _ => {}
                }
            }
        }
    }
}
