//! Who is a member, and may act.

use contracts::membership::command::{POSSESSION_DOMAIN, RegisterMember, possession_message};
use contracts::membership::{Command, Event, MemberKind, Rejection};
use contracts::{governance, records, submission};
use ledger::{ContractId, LedgerId, Timestamp};

use crate::scenario::*;

/// Registers `member` with its own key and a valid proof of possession.
pub fn registration(member: LedgerId, kind: MemberKind) -> RegisterMember {
    let key = key_of(member);
    let possession = key.sign(
        POSSESSION_DOMAIN,
        &possession_message(&CHAIN, &member, &key.public_key()),
    );
    RegisterMember {
        member,
        kind,
        public_key: key.public_key(),
        sealing_key: [3; 32],
        possession,
        attestation: commitment("attestation"),
        name: None,
        allowed: Vec::new(),
    }
}

pub fn register(member: LedgerId, kind: MemberKind) -> Command {
    Command::RegisterMember(registration(member, kind))
}

/// A member's change to the key of the seed `seed`.
pub fn rotation(member: LedgerId, seed: u8) -> Command {
    let key = code_key(seed);
    let possession = key.sign(
        POSSESSION_DOMAIN,
        &possession_message(&CHAIN, &member, &key.public_key()),
    );
    Command::RotateKey {
        public_key: key.public_key(),
        sealing_key: [4; 32],
        possession,
    }
}

pub fn endorse(member: LedgerId) -> Command {
    Command::EndorseMember { member }
}

fn registered(kind: MemberKind) -> Scenario {
    world()
        .when(IDENTITY, register(NEWCOMER, kind))
        .then_accepted()
}

#[test]
fn the_identity_service_registers_a_member() {
    world()
        .when(IDENTITY, register(NEWCOMER, MemberKind::Patient))
        .then_events(events![Event::MemberRegistered {
            member: NEWCOMER,
            kind: MemberKind::Patient,
            public_key: key_of(NEWCOMER).public_key(),
            sealing_key: [3; 32],
            attestation: commitment("attestation"),
            name: None,
            allowed: vec![],
        }]);
}

#[test]
fn a_node_operator_registers_a_member() {
    world()
        .when(OPERATOR, register(NEWCOMER, MemberKind::Hospital))
        .then_accepted();
}

#[test]
fn nobody_else_registers_members() {
    for submitter in [HOSPITAL, PATIENT, REGULATOR, INSTITUTE] {
        world()
            .when(submitter, register(NEWCOMER, MemberKind::Patient))
            .then_rejected(Rejection::NotRegistrar);
    }
}

#[test]
fn a_ledger_id_is_registered_once() {
    world()
        .when(OPERATOR, register(PATIENT, MemberKind::Patient))
        .then_rejected(Rejection::MemberExists);
}

#[test]
fn a_weak_key_is_refused_at_enrolment() {
    let weak = RegisterMember {
        public_key: weak_key(),
        ..registration(NEWCOMER, MemberKind::Patient)
    };
    world()
        .when(OPERATOR, Command::RegisterMember(weak))
        .then_rejected(Rejection::WeakKey);
}

#[test]
fn who_registers_must_hold_the_key() {
    let stolen = RegisterMember {
        public_key: key_of(PATIENT).public_key(),
        ..registration(NEWCOMER, MemberKind::Patient)
    };
    world()
        .when(OPERATOR, Command::RegisterMember(stolen))
        .then_rejected(Rejection::PossessionNotProven);
}

#[test]
fn a_proof_of_possession_for_another_member_proves_nothing() {
    let possession = registration(id(101), MemberKind::Patient).possession;
    let copied = RegisterMember {
        possession,
        ..registration(NEWCOMER, MemberKind::Patient)
    };
    world()
        .when(OPERATOR, Command::RegisterMember(copied))
        .then_rejected(Rejection::PossessionNotProven);
}

#[test]
fn no_person_or_device_has_a_name_on_the_ledger() {
    for kind in [MemberKind::Patient, MemberKind::Doctor, MemberKind::Device] {
        let named = RegisterMember {
            name: Some("Somebody".into()),
            ..registration(NEWCOMER, kind)
        };
        world()
            .when(OPERATOR, Command::RegisterMember(named))
            .then_rejected(Rejection::NameNotAllowed);
    }
}

#[test]
fn an_organisations_name_is_short_and_printable() {
    for (name, fits) in [
        ("x".repeat(120), true),
        ("x".repeat(121), false),
        (String::new(), false),
        ("a\nb".into(), false),
    ] {
        let named = RegisterMember {
            name: Some(name),
            ..registration(NEWCOMER, MemberKind::Hospital)
        };
        let verdict = world().when(OPERATOR, Command::RegisterMember(named));
        if fits {
            verdict.then_accepted()
        } else {
            verdict.then_rejected(Rejection::NameNotFit)
        };
    }
}

#[test]
fn only_a_service_is_registered_with_allowed_commands_and_only_with_harmless_ones() {
    let listed = |kind, allowed: &[(u16, u16)]| {
        let allowed = allowed
            .iter()
            .map(|(contract, number)| (ContractId(*contract), *number))
            .collect();
        Command::RegisterMember(RegisterMember {
            allowed,
            ..registration(NEWCOMER, kind)
        })
    };
    world()
        .when(OPERATOR, listed(MemberKind::Service, &[(1, 0), (5, 4)]))
        .then_accepted();
    world()
        .when(OPERATOR, listed(MemberKind::Hospital, &[(1, 0)]))
        .then_rejected(Rejection::AllowedNotFit);
    world()
        .when(OPERATOR, listed(MemberKind::Service, &[(5, 4), (1, 0)]))
        .then_rejected(Rejection::AllowedNotFit);
    // ApproveAsPatient.
    world()
        .when(OPERATOR, listed(MemberKind::Service, &[(3, 3)]))
        .then_rejected(Rejection::AllowedNotFit);
}

#[test]
fn one_endorsement_activates_a_person() {
    let scenario = registered(MemberKind::Patient)
        .when(OPERATOR, endorse(NEWCOMER))
        .then_events(events![
            Event::MemberEndorsed {
                member: NEWCOMER,
                operator: OPERATOR,
                endorsements: 1,
                needed: 1
            },
            Event::MemberActivated { member: NEWCOMER },
        ]);
    scenario
        .when(
            NEWCOMER,
            records::Command::SetConsent {
                share_for_treatment: false,
                research: false,
            },
        )
        .then_accepted();
}

#[test]
fn a_quorum_of_node_operators_activates_an_organisation() {
    for kind in [
        MemberKind::Hospital,
        MemberKind::Service,
        MemberKind::NodeOperator,
        MemberKind::Regulator,
    ] {
        let scenario = registered(kind)
            .when(OPERATORS[0], endorse(NEWCOMER))
            .then_events(events![Event::MemberEndorsed {
                member: NEWCOMER,
                operator: OPERATORS[0],
                endorsements: 1,
                needed: 3,
            }]);
        let scenario = scenario
            .when(OPERATORS[1], endorse(NEWCOMER))
            .then_accepted();
        scenario
            .when(OPERATORS[2], endorse(NEWCOMER))
            .then_events(events![
                Event::MemberEndorsed {
                    member: NEWCOMER,
                    operator: OPERATORS[2],
                    endorsements: 3,
                    needed: 3
                },
                Event::MemberActivated { member: NEWCOMER },
            ]);
    }
}

#[test]
fn the_parameter_says_how_many_endorsements_a_person_needs() {
    let parameter = governance::Parameter::PersonEndorsements;
    let scenario = registered(MemberKind::Patient).given(governance::Event::ParameterFounded {
        parameter,
        value: 2,
    });
    let scenario = scenario
        .when(OPERATORS[0], endorse(NEWCOMER))
        .then_events(events![Event::MemberEndorsed {
            member: NEWCOMER,
            operator: OPERATORS[0],
            endorsements: 1,
            needed: 2,
        }]);
    scenario
        .when(OPERATORS[1], endorse(NEWCOMER))
        .then_events(events![
            Event::MemberEndorsed {
                member: NEWCOMER,
                operator: OPERATORS[1],
                endorsements: 2,
                needed: 2
            },
            Event::MemberActivated { member: NEWCOMER },
        ]);
}

#[test]
fn an_endorsement_counts_once_per_operator() {
    let scenario = registered(MemberKind::Hospital)
        .when(OPERATOR, endorse(NEWCOMER))
        .then_accepted();
    scenario
        .when(OPERATOR, endorse(NEWCOMER))
        .then_rejected(Rejection::AlreadyEndorsed);
}

#[test]
fn the_endorsement_of_an_operator_who_may_no_longer_act_does_not_count() {
    let scenario = registered(MemberKind::Hospital)
        .when(OPERATORS[0], endorse(NEWCOMER))
        .then_accepted();
    let scenario = scenario.given(Event::MemberSuspended {
        member: OPERATORS[0],
    });
    let scenario = scenario
        .when(OPERATORS[1], endorse(NEWCOMER))
        .then_accepted();
    // Three said yes, two of them count; a suspension does not lower the bar of three.
    scenario
        .when(OPERATORS[2], endorse(NEWCOMER))
        .then_events(events![Event::MemberEndorsed {
            member: NEWCOMER,
            operator: OPERATORS[2],
            endorsements: 2,
            needed: 3,
        }]);
}

#[test]
fn a_new_node_operator_counts_from_its_activation_on() {
    let mut scenario = registered(MemberKind::NodeOperator);
    for operator in &OPERATORS[..3] {
        scenario = scenario.when(*operator, endorse(NEWCOMER)).then_accepted();
    }
    let scenario = scenario
        .when(NEWCOMER, register(id(101), MemberKind::Hospital))
        .then_accepted();
    // Five operators: f = 1, quorum = ceil(7 / 2).
    scenario
        .when(NEWCOMER, endorse(id(101)))
        .then_events(events![Event::MemberEndorsed {
            member: id(101),
            operator: NEWCOMER,
            endorsements: 1,
            needed: 4,
        }]);
}

#[test]
fn only_node_operators_endorse() {
    for submitter in [REGULATOR, HOSPITAL, PATIENT] {
        registered(MemberKind::Patient)
            .when(submitter, endorse(NEWCOMER))
            .then_rejected(Rejection::NotNodeOperator);
    }
}

#[test]
fn only_who_waits_is_endorsed() {
    world()
        .when(OPERATOR, endorse(NEWCOMER))
        .then_rejected(Rejection::UnknownMember);
    world()
        .when(OPERATOR, endorse(PATIENT))
        .then_rejected(Rejection::NotPending);
    let revoked = registered(MemberKind::Patient)
        .when(REGULATOR, Command::RevokeMember { member: NEWCOMER })
        .then_accepted();
    revoked
        .when(OPERATOR, endorse(NEWCOMER))
        .then_rejected(Rejection::NotPending);
}

pub fn affiliate(doctor: LedgerId, from: Timestamp, until: Timestamp) -> Command {
    Command::AffiliateDoctor {
        doctor,
        from,
        until,
    }
}

#[test]
fn a_hospital_affiliates_a_doctor_for_a_period() {
    let until = NOW.plus(DAY);
    let expected = Event::DoctorAffiliated {
        doctor: OTHER_DOCTOR,
        hospital: HOSPITAL,
        from: NOW,
        until,
    };
    world()
        .when(HOSPITAL, affiliate(OTHER_DOCTOR, NOW, until))
        .then_events(events![expected]);
}

#[test]
fn only_a_hospital_affiliates_and_only_doctors() {
    world()
        .when(REGULATOR, affiliate(DOCTOR, NOW, NOW.plus(1)))
        .then_rejected(Rejection::NotHospital);
    world()
        .when(HOSPITAL, affiliate(PATIENT, NOW, NOW.plus(1)))
        .then_rejected(Rejection::NotDoctor);
    world()
        .when(REGULATOR, Command::EndAffiliation { doctor: DOCTOR })
        .then_rejected(Rejection::NotHospital);
}

#[test]
fn an_affiliation_has_a_period_that_is_not_over() {
    let scenario = world().later(DAY);
    let now = scenario.time;
    let scenario = scenario
        .when(HOSPITAL, affiliate(DOCTOR, now, now))
        .then_rejected(Rejection::EmptyPeriod);
    scenario
        .when(HOSPITAL, affiliate(DOCTOR, NOW, now))
        .then_rejected(Rejection::EmptyPeriod);
}

#[test]
fn a_hospital_ends_its_own_affiliations_only() {
    let scenario = world()
        .when(OTHER_HOSPITAL, Command::EndAffiliation { doctor: DOCTOR })
        .then_rejected(Rejection::NotAffiliated);
    let ended = Event::AffiliationEnded {
        doctor: DOCTOR,
        hospital: HOSPITAL,
    };
    let scenario = scenario
        .when(HOSPITAL, Command::EndAffiliation { doctor: DOCTOR })
        .then_events(events![ended]);
    scenario
        .when(HOSPITAL, Command::EndAffiliation { doctor: DOCTOR })
        .then_rejected(Rejection::NotAffiliated);
}

#[test]
fn a_regulator_suspends_reinstates_and_revokes() {
    let scenario = world().when(REGULATOR, Command::SuspendMember { member: HOSPITAL });
    let scenario = scenario.then_events(events![Event::MemberSuspended { member: HOSPITAL }]);
    let scenario = scenario.when(REGULATOR, Command::ReinstateMember { member: HOSPITAL });
    let scenario = scenario.then_events(events![Event::MemberReinstated { member: HOSPITAL }]);
    let scenario = scenario.when(REGULATOR, Command::RevokeMember { member: HOSPITAL });
    scenario.then_events(events![Event::MemberRevoked { member: HOSPITAL }]);
}

#[test]
fn nobody_but_a_regulator_suspends_reinstates_or_revokes() {
    for command in [
        Command::SuspendMember { member: PATIENT },
        Command::ReinstateMember { member: PATIENT },
        Command::RevokeMember { member: PATIENT },
    ] {
        world()
            .when(OPERATOR, command)
            .then_rejected(Rejection::NotRegulator);
    }
}

#[test]
fn a_regulator_does_not_decide_about_itself() {
    world()
        .when(REGULATOR, Command::SuspendMember { member: REGULATOR })
        .then_rejected(Rejection::OwnMembership);
}

#[test]
fn suspension_and_reinstatement_alternate_and_revocation_is_for_good() {
    let member = PATIENT;
    let scenario = world()
        .when(REGULATOR, Command::ReinstateMember { member })
        .then_rejected(Rejection::NotSuspended);
    let scenario = scenario
        .when(REGULATOR, Command::SuspendMember { member })
        .then_accepted();
    let scenario = scenario
        .when(REGULATOR, Command::SuspendMember { member })
        .then_rejected(Rejection::NotActive);
    let scenario = scenario
        .when(REGULATOR, Command::RevokeMember { member })
        .then_accepted();
    let scenario = scenario
        .when(REGULATOR, Command::RevokeMember { member })
        .then_rejected(Rejection::AlreadyRevoked);
    scenario
        .when(REGULATOR, Command::ReinstateMember { member })
        .then_rejected(Rejection::NotSuspended);
}

#[test]
fn a_regulator_alone_cannot_suspend_reinstate_or_revoke_a_node_operator() {
    for command in [
        Command::SuspendMember { member: OPERATOR },
        Command::ReinstateMember { member: OPERATOR },
        Command::RevokeMember { member: OPERATOR },
    ] {
        world()
            .when(REGULATOR, command)
            .then_rejected(Rejection::OperatorByVote);
    }
}

#[test]
fn after_a_key_is_rotated_only_the_new_one_signs() {
    let scenario = world()
        .when(PATIENT, rotation(PATIENT, 150))
        .then_events(events![Event::KeyRotated {
            member: PATIENT,
            public_key: code_key(150).public_key(),
            sealing_key: [4; 32],
        }]);
    scenario
        .when(PATIENT, rotation(PATIENT, 151))
        .then_rejected(submission::Rejection::NotCurrentKey);
}

#[test]
fn a_new_key_is_new_strong_and_held() {
    let own_seed = PATIENT.0[0];
    world()
        .when(PATIENT, rotation(PATIENT, own_seed))
        .then_rejected(Rejection::SameKey);
    world()
        .when(PATIENT, rotation(OTHER_PATIENT, 150))
        .then_rejected(Rejection::PossessionNotProven);
    let Command::RotateKey {
        possession,
        sealing_key,
        ..
    } = rotation(PATIENT, 150)
    else {
        unreachable!()
    };
    let weak = Command::RotateKey {
        public_key: weak_key(),
        sealing_key,
        possession,
    };
    world()
        .when(PATIENT, weak)
        .then_rejected(Rejection::WeakKey);
}
