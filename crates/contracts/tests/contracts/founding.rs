//! The state that a genesis file describes.

use std::collections::BTreeMap;

use contracts::membership::MemberKind;
use contracts::{Event, GenesisError, genesis, governance, membership, records};
use ledger::{
    ContractId, Epoch, EpochDescription, GenesisFile, GenesisMember, GenesisParameters, Height,
    LedgerId,
};

use crate::scenario::*;

fn member(ledger_id: LedgerId, kind: &str) -> GenesisMember {
    let public_key = key_of(ledger_id).public_key();
    GenesisMember {
        ledger_id,
        public_key,
        kind: kind.into(),
        name: String::new(),
        allowed: vec![],
    }
}

/// Four replicas: three of node operators, one of a hospital.
fn file() -> GenesisFile {
    let operators = [OPERATORS[0], OPERATORS[1], OPERATORS[2], HOSPITAL];
    let replicas = (0..)
        .zip(operators)
        .map(|(number, operator)| replica(number, operator))
        .collect();
    let mut members: Vec<_> = OPERATORS[..3]
        .iter()
        .map(|operator| member(*operator, "NodeOperator"))
        .collect();
    members.push(GenesisMember {
        name: "General Hospital".into(),
        ..member(HOSPITAL, "Hospital")
    });
    let allowed = vec![(ContractId(1), 0)];
    members.push(GenesisMember {
        name: "Identity".into(),
        allowed,
        ..member(IDENTITY, "Service")
    });
    members.push(member(REGULATOR, "Regulator"));
    GenesisFile {
        name: "Test".into(),
        time: NOW,
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(0),
            replicas,
        },
        certificate_authority: CHAIN,
        members,
        parameters: GenesisParameters(BTreeMap::from([("small_cell_threshold".into(), 7)])),
    }
}

fn founded(file: &GenesisFile) -> Scenario {
    let mut scenario = Scenario {
        state: BTreeMap::new(),
        time: NOW,
        height: Height(1),
        epoch: ledger::Epoch(0),
    };
    let (_, writes) = genesis(file).unwrap();
    scenario.apply(&writes);
    scenario
}

#[test]
fn members_of_the_genesis_file_act_from_the_first_block_on() {
    let scenario = founded(&file());
    let register = crate::membership::register(NEWCOMER, MemberKind::Hospital);
    let scenario = scenario.when(IDENTITY, register).then_accepted();
    // Four operators, the hospital among them: three must agree.
    let endorse = || membership::Command::EndorseMember { member: NEWCOMER };
    scenario
        .when(HOSPITAL, endorse())
        .then_events(events![membership::Event::MemberEndorsed {
            member: NEWCOMER,
            operator: HOSPITAL,
            endorsements: 1,
            needed: 3,
        }]);
}

#[test]
fn a_hospital_that_operates_a_replica_is_a_hospital_as_well() {
    let scenario = founded(&file());
    let wrong = records::Command::RegisterRecord(crate::records::registration(1));
    scenario
        .when(HOSPITAL, wrong)
        .then_rejected(records::Rejection::UnknownPatient);
}

#[test]
fn genesis_events_name_parameters_members_and_replicas() {
    let (events, _) = genesis(&file()).unwrap();
    assert_eq!(events.len(), 6 + 6 + 4);
    let parameter = governance::Parameter::SmallCellThreshold;
    assert_eq!(
        events[0],
        governance::Event::ParameterFounded {
            parameter,
            value: 7
        }
        .into()
    );
    let hospital = membership::Event::FounderNamed {
        member: HOSPITAL,
        kind: MemberKind::Hospital,
        public_key: key_of(HOSPITAL).public_key(),
        name: Some("General Hospital".into()),
        allowed: vec![],
        operator: true,
    };
    assert!(events.contains(&Event::from(hospital)));
}

#[test]
fn the_writes_of_a_genesis_file_are_the_fold_of_its_events() {
    let (events, writes) = genesis(&file()).unwrap();
    let mut scenario = Scenario {
        state: BTreeMap::new(),
        time: NOW,
        height: Height(0),
        epoch: ledger::Epoch(0),
    };
    for event in events {
        scenario = scenario.given(event);
    }
    let folded: Vec<_> = scenario
        .state
        .into_iter()
        .map(|(key, value)| (key, Some(value)))
        .collect();
    assert_eq!(folded, writes.0);
}

#[test]
fn a_genesis_file_that_makes_no_sense_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut GenesisFile)| {
        let mut wrong = file();
        change(&mut wrong);
        genesis(&wrong).unwrap_err()
    };
    let unknown = refused(&|file| file.members[5].kind = "Ministry".into());
    assert_eq!(
        unknown,
        GenesisError::UnknownKind {
            member: REGULATOR,
            kind: "Ministry".into()
        }
    );
    let named = |file: &mut GenesisFile| {
        file.members[5].kind = "Patient".into();
        file.members[5].name = "Somebody".into();
    };
    assert_eq!(refused(&named), GenesisError::NamedPerson(REGULATOR));
    assert_eq!(
        refused(&|file| file.members[5].name = "x".repeat(121)),
        GenesisError::LongName(REGULATOR)
    );
    assert_eq!(
        refused(&|file| file.members[5].allowed = vec![(ContractId(1), 0)]),
        GenesisError::Allowed(REGULATOR)
    );
    assert_eq!(
        refused(&|file| file.members[4].allowed = vec![(ContractId(3), 3)]),
        GenesisError::Allowed(IDENTITY)
    );
    let replica = file().epoch.replicas[0].replica;
    let operator = OPERATORS[0];
    let without_operator = |file: &mut GenesisFile| {
        file.members.remove(0);
    };
    assert_eq!(
        refused(&without_operator),
        GenesisError::UnknownOperator { replica, operator }
    );
    let parameter = |name: &str, value| {
        let name = name.to_owned();
        move |file: &mut GenesisFile| {
            file.parameters.0.insert(name.clone(), value);
        }
    };
    assert_eq!(
        refused(&parameter("colour", 1)),
        GenesisError::UnknownParameter("colour".into())
    );
    let bounds = GenesisError::ParameterBounds {
        parameter: "small_cell_threshold",
        value: 0,
        min: 1,
        max: 1_000,
    };
    assert_eq!(refused(&parameter("small_cell_threshold", 0)), bounds);
}

#[test]
fn every_kind_and_every_parameter_has_one_name() {
    for kind in MemberKind::ALL {
        assert_eq!(MemberKind::from_name(kind.name()), Some(kind));
        assert_eq!(format!("{kind:?}"), kind.name());
    }
    for parameter in governance::Parameter::ALL {
        assert_eq!(
            governance::Parameter::from_name(parameter.name()),
            Some(parameter)
        );
    }
}
