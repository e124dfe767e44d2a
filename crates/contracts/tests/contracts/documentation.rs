//! `docs/contracts.md` says what the code says, and every rejection has a test.

use contracts::{
    Contract, Rejection, authorization, governance, membership, records, settlement, submission,
    telemetry,
};
use ledger::{ContractId, LEDGER_CONTRACT};

const DOCUMENT: &str = include_str!("../../../../docs/contracts.md");

/// A contract's number, its rejections, and the tests in which each must occur.
fn all() -> Vec<(ContractId, Vec<Rejection>, String)> {
    fn of<R: Copy + Into<Rejection>>(rejections: &[R]) -> Vec<Rejection> {
        rejections
            .iter()
            .map(|rejection| (*rejection).into())
            .collect()
    }
    let records_tests = [
        include_str!("records.rs"),
        include_str!("records_codes.rs"),
        include_str!("records_care.rs"),
        include_str!("records_delegation.rs"),
        include_str!("records_offline.rs"),
        include_str!("authorization.rs"),
    ]
    .concat();
    vec![
        (
            LEDGER_CONTRACT,
            of(submission::Rejection::ALL),
            include_str!("submission.rs").to_owned(),
        ),
        (
            Contract::Membership.id(),
            of(membership::Rejection::ALL),
            include_str!("membership.rs").to_owned(),
        ),
        (
            Contract::Records.id(),
            of(records::Rejection::ALL),
            records_tests,
        ),
        (
            Contract::Authorization.id(),
            of(authorization::Rejection::ALL),
            [
                include_str!("authorization.rs"),
                include_str!("authorization_endings.rs"),
            ]
            .concat(),
        ),
        (
            Contract::Settlement.id(),
            of(settlement::Rejection::ALL),
            [
                include_str!("settlement.rs"),
                include_str!("settlement_claims.rs"),
            ]
            .concat(),
        ),
        (
            Contract::Telemetry.id(),
            of(telemetry::Rejection::ALL),
            include_str!("telemetry.rs").to_owned(),
        ),
        (
            Contract::Governance.id(),
            of(governance::Rejection::ALL),
            include_str!("governance.rs").to_owned(),
        ),
    ]
}

#[test]
fn the_document_lists_every_rejection_with_its_number_and_text() {
    for (contract, rejections, _) in all() {
        for rejection in rejections {
            let row = format!(
                "| {}.{} | `{}` | {} |",
                contract.0,
                rejection.code(),
                rejection.name(),
                rejection
            );
            assert!(DOCUMENT.contains(&row), "docs/contracts.md lacks: {row}");
        }
    }
}

#[test]
fn the_document_lists_no_rejection_that_does_not_exist() {
    let known: usize = all()
        .iter()
        .map(|(_, rejections, _)| rejections.len())
        .sum();
    let rows = DOCUMENT.lines().filter(|line| {
        let cell = line
            .trim_start_matches("| ")
            .split(' ')
            .next()
            .unwrap_or_default();
        cell.split_once('.').is_some_and(|(contract, code)| {
            contract.parse::<u16>().is_ok() && code.parse::<u16>().is_ok()
        })
    });
    assert_eq!(rows.count(), known);
}

#[test]
fn every_rejection_of_a_contract_has_a_test() {
    for (contract, rejections, tests) in all() {
        for rejection in rejections {
            // Those from 50 on are the execution crate's.
            let here = contract != LEDGER_CONTRACT || rejection.code() < 50;
            assert!(
                !here || tests.contains(&format!("Rejection::{}", rejection.name())),
                "no test for {}",
                rejection.name()
            );
        }
    }
}

#[test]
fn a_recorded_rejection_is_read_back_by_its_number() {
    for (_, rejections, _) in all() {
        for rejection in rejections {
            assert_eq!(
                Rejection::from_outcome(rejection.outcome()),
                Some(rejection)
            );
        }
    }
}

#[test]
fn the_document_names_every_command() {
    let commands = [
        include_str!("../../src/membership/command.rs"),
        include_str!("../../src/records/command.rs"),
        include_str!("../../src/authorization/command.rs"),
        include_str!("../../src/settlement/command.rs"),
        include_str!("../../src/telemetry/command.rs"),
        include_str!("../../src/governance/command.rs"),
    ];
    for source in commands {
        let body = source
            .split("pub enum Command {")
            .nth(1)
            .unwrap()
            .split("\n}")
            .next()
            .unwrap();
        let variants = body
            .lines()
            .filter(|line| line.starts_with("    ") && line.as_bytes()[4].is_ascii_uppercase());
        for variant in variants {
            let name: String = variant
                .trim()
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            assert!(
                DOCUMENT.contains(&format!("| `{name}` |")),
                "docs/contracts.md lacks the command {name}"
            );
        }
    }
}
