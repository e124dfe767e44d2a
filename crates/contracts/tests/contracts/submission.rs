//! What every transaction is checked for.

use contracts::submission::{Rejection, SERVICE_COMMANDS, command_number, is_service_list};
use contracts::{Command, Contract, authorization, membership, records, settlement, telemetry};
use ledger::ContractId;

use crate::scenario::*;

fn consent() -> records::Command {
    records::Command::SetConsent {
        share_for_treatment: true,
        research: false,
    }
}

#[test]
fn a_stranger_may_submit_nothing() {
    world()
        .when(NEWCOMER, consent())
        .then_rejected(Rejection::UnknownSubmitter);
}

#[test]
fn a_member_whose_membership_is_not_endorsed_may_submit_nothing() {
    let scenario = world()
        .when(
            OPERATOR,
            crate::membership::register(NEWCOMER, membership::MemberKind::Patient),
        )
        .then_accepted();
    scenario
        .when(NEWCOMER, consent())
        .then_rejected(Rejection::SubmitterPending);
}

#[test]
fn a_suspended_member_may_submit_nothing_until_reinstated() {
    let scenario = world()
        .when(
            REGULATOR,
            membership::Command::SuspendMember { member: PATIENT },
        )
        .then_accepted();
    let scenario = scenario
        .when(PATIENT, consent())
        .then_rejected(Rejection::SubmitterSuspended);
    let scenario = scenario
        .when(
            REGULATOR,
            membership::Command::ReinstateMember { member: PATIENT },
        )
        .then_accepted();
    scenario.when(PATIENT, consent()).then_accepted();
}

#[test]
fn a_revoked_member_may_submit_nothing() {
    let scenario = world()
        .when(
            REGULATOR,
            membership::Command::RevokeMember { member: PATIENT },
        )
        .then_accepted();
    scenario
        .when(PATIENT, consent())
        .then_rejected(Rejection::SubmitterRevoked);
}

#[test]
fn a_transaction_signed_with_another_key_than_the_current_one_is_rejected() {
    let command = Command::from(consent());
    let other = key_of(OTHER_PATIENT).public_key();
    world()
        .when_bytes(PATIENT, other, command.contract().id(), &command.to_bytes())
        .then_rejected(Rejection::NotCurrentKey);
}

#[test]
fn a_contract_that_does_not_exist_decides_nothing() {
    for number in [0, 7] {
        let key = key_of(PATIENT).public_key();
        world()
            .when_bytes(PATIENT, key, ContractId(number), &[0])
            .then_rejected(Rejection::UnknownContract);
    }
}

#[test]
fn bytes_that_are_not_the_canonical_encoding_of_a_command_are_rejected() {
    let key = key_of(PATIENT).public_key();
    let mut trailing = Command::from(consent()).to_bytes();
    trailing.push(0);
    for bytes in [&trailing[..], &[], &[99]] {
        world()
            .when_bytes(PATIENT, key, Contract::Records.id(), bytes)
            .then_rejected(Rejection::MalformedCommand);
    }
}

#[test]
fn a_service_may_submit_only_what_its_registration_lists() {
    let anchor = telemetry::Command::AnchorReadings {
        root: CHAIN,
        readings: 1,
        batch: 1,
    };
    let scenario = world().when(IOT, anchor.clone()).then_accepted();
    scenario
        .when(IDENTITY, anchor)
        .then_rejected(Rejection::CommandNotAllowed);
    world()
        .when(IOT, consent())
        .then_rejected(Rejection::CommandNotAllowed);
}

#[test]
fn a_service_with_no_bytes_as_command_is_rejected() {
    let key = key_of(IOT).public_key();
    world()
        .when_bytes(IOT, key, Contract::Telemetry.id(), &[])
        .then_rejected(Rejection::MalformedCommand);
}

#[test]
fn no_service_can_be_registered_to_approve_view_or_pay() {
    let item = crate::authorization::item(0);
    let access = crate::records::access(records::command::Basis::Owner);
    let claim = settlement::command::ClaimReference(CHAIN);
    let forbidden: [Command; 7] = [
        authorization::Command::ApproveAsPatient { item }.into(),
        authorization::Command::ReleaseKey {
            item,
            sealed_key: sealed(),
        }
        .into(),
        access.into(),
        settlement::Command::PayShare { claim }.into(),
        settlement::Command::Deposit {
            reference: contracts::PaymentReference([1; 16]),
            account: IOT,
            amount: 1,
        }
        .into(),
        settlement::Command::Withdraw {
            reference: contracts::PaymentReference([1; 16]),
            amount: 1,
        }
        .into(),
        membership::Command::EndorseMember { member: NEWCOMER }.into(),
    ];
    for command in forbidden {
        let number = command_number(&command.to_bytes()).unwrap();
        assert!(
            !is_service_list(&[(command.contract().id(), number)]),
            "{command:?}"
        );
    }
}

#[test]
fn the_commands_a_service_may_have_are_the_ones_their_numbers_say() {
    let commands: [Command; 5] = [
        crate::membership::register(NEWCOMER, membership::MemberKind::Patient).into(),
        crate::membership::rotation(NEWCOMER, 1).into(),
        crate::records::tampering(1).into(),
        telemetry::Command::AnchorReadings {
            root: CHAIN,
            readings: 1,
            batch: 1,
        }
        .into(),
        crate::telemetry::raise(1).into(),
    ];
    let numbered: Vec<_> = commands
        .iter()
        .map(|command| {
            (
                command.contract(),
                command_number(&command.to_bytes()).unwrap(),
            )
        })
        .collect();
    assert_eq!(numbered, SERVICE_COMMANDS);
}
