//! Parameters, replicas and versions.

use contracts::governance::command::{Change, OperatorStanding};
use contracts::governance::{Command, Event, Parameter, Rejection};
use contracts::{Contract, ProposalId, announced_epochs, membership, missing_version};
use ledger::equivocation::Phase;
use ledger::{
    ContractId, Digest, Epoch, EpochDescription, Equivocation, Height, LEDGER_CONTRACT, LedgerId,
    PublicKey, ReplicaDescription, ReplicaId, SigningKey, VoteSlot,
};

use crate::scenario::*;

const PROPOSAL: ProposalId = ProposalId([5; 16]);

fn propose(change: Change) -> Command {
    Command::ProposeChange {
        proposal: PROPOSAL,
        change,
    }
}

fn vote(approve: bool) -> Command {
    Command::VoteOnChange {
        proposal: PROPOSAL,
        approve,
    }
}

fn price(value: i64) -> Change {
    Change::SetParameter {
        parameter: Parameter::ItemPriceMin,
        value,
    }
}

fn cast(operator: LedgerId, approve: bool, votes_for: u16) -> Event {
    Event::VoteCast {
        proposal: PROPOSAL,
        operator,
        approve,
        votes_for,
        needed: 3,
    }
}

fn adopted(scenario: Scenario, change: Change) -> Scenario {
    let scenario = scenario.when(OPERATORS[0], propose(change)).then_accepted();
    let scenario = scenario.when(OPERATORS[1], vote(true)).then_accepted();
    scenario.when(OPERATORS[2], vote(true)).then_accepted()
}

#[test]
fn a_quorum_of_node_operators_adopts_a_change_and_the_proposal_is_its_first_vote() {
    let scenario = world()
        .when(OPERATORS[0], propose(price(700)))
        .then_events(events![
            Event::ChangeProposed {
                proposal: PROPOSAL,
                operator: OPERATORS[0],
                change: price(700)
            },
            cast(OPERATORS[0], true, 1),
        ]);
    let scenario = scenario
        .when(OPERATORS[1], vote(true))
        .then_events(events![cast(OPERATORS[1], true, 2)]);
    scenario.when(OPERATORS[2], vote(true)).then_events(events![
        cast(OPERATORS[2], true, 3),
        Event::ChangeAdopted {
            proposal: PROPOSAL,
            change: price(700)
        },
    ]);
}

#[test]
fn an_adopted_parameter_is_in_force_at_once() {
    let change = Change::SetParameter {
        parameter: Parameter::EmergencyDurationUs,
        value: HOUR as i64,
    };
    let scenario =
        adopted(world(), change).given(crate::records::registered_for(1, PATIENT, HOSPITAL));
    let command = contracts::records::Command::OpenEmergency {
        emergency: contracts::EmergencyId([1; 16]),
        patient: PATIENT,
        hospital: HOSPITAL,
        reason: commitment("reason"),
        viewer: sealed(),
    };
    let events = scenario.when(DOCTOR, command).execution.events;
    let [contracts::Event::Records(contracts::records::Event::EmergencyOpened { until, .. })] =
        events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(until, NOW.plus(HOUR));
}

#[test]
fn a_change_that_can_no_longer_reach_a_quorum_is_rejected() {
    let scenario = world()
        .when(OPERATORS[0], propose(price(700)))
        .then_accepted();
    let scenario = scenario
        .when(OPERATORS[1], vote(false))
        .then_events(events![cast(OPERATORS[1], false, 1)]);
    let scenario = scenario
        .when(OPERATORS[2], vote(false))
        .then_events(events![
            cast(OPERATORS[2], false, 1),
            Event::ChangeRejected { proposal: PROPOSAL },
        ]);
    scenario
        .when(OPERATORS[3], vote(true))
        .then_rejected(Rejection::ProposalClosed);
}

#[test]
fn an_adopted_change_is_not_voted_on_any_more() {
    adopted(world(), price(1))
        .when(OPERATORS[3], vote(false))
        .then_rejected(Rejection::ProposalClosed);
}

#[test]
fn only_node_operators_propose_and_vote() {
    for submitter in [REGULATOR, HOSPITAL, PATIENT, TREASURER] {
        world()
            .when(submitter, propose(price(1)))
            .then_rejected(Rejection::NotNodeOperator);
        let scenario = world().when(OPERATOR, propose(price(1))).then_accepted();
        scenario
            .when(submitter, vote(true))
            .then_rejected(Rejection::NotNodeOperator);
    }
}

#[test]
fn an_operator_votes_once_on_a_proposal_that_exists() {
    world()
        .when(OPERATOR, vote(true))
        .then_rejected(Rejection::UnknownProposal);
    let scenario = world()
        .when(OPERATORS[0], propose(price(1)))
        .then_accepted();
    let scenario = scenario
        .when(OPERATORS[0], vote(true))
        .then_rejected(Rejection::AlreadyVoted);
    scenario
        .when(OPERATORS[1], propose(price(2)))
        .then_rejected(Rejection::ProposalExists);
}

#[test]
fn the_vote_of_an_operator_who_may_no_longer_act_does_not_count() {
    let scenario = world()
        .when(OPERATORS[0], propose(price(1)))
        .then_accepted();
    let scenario = scenario.given(membership::Event::MemberSuspended {
        member: OPERATORS[0],
    });
    let scenario = scenario
        .when(OPERATORS[1], vote(true))
        .then_events(events![cast(OPERATORS[1], true, 1)]);
    let scenario = scenario
        .when(OPERATORS[2], vote(true))
        .then_events(events![cast(OPERATORS[2], true, 2)]);
    let events = scenario.when(OPERATORS[3], vote(true)).execution.events;
    assert_eq!(events.len(), 2, "three of the four who stand agree");
}

#[test]
fn a_lone_operator_adopts_its_own_proposal() {
    let mut scenario = world();
    for operator in &OPERATORS[1..] {
        scenario = scenario.given(membership::Event::MemberRevoked { member: *operator });
    }
    let events = scenario.when(OPERATOR, propose(price(1))).execution.events;
    assert_eq!(
        events.last(),
        Some(
            &Event::ChangeAdopted {
                proposal: PROPOSAL,
                change: price(1)
            }
            .into()
        )
    );
}

#[test]
fn a_parameter_stays_within_its_bounds() {
    for parameter in Parameter::ALL {
        let bounds = parameter.bounds();
        assert!(bounds.contains(&parameter.default_value()));
        for value in [bounds.start() - 1, bounds.end() + 1] {
            let change = Change::SetParameter { parameter, value };
            world()
                .when(OPERATOR, propose(change))
                .then_rejected(Rejection::ParameterOutOfBounds);
        }
    }
}

fn replace(retire: Option<u16>, add: Option<ReplicaDescription>) -> Change {
    Change::ReplaceReplica {
        retire: retire.map(ReplicaId),
        add,
    }
}

#[test]
fn a_replica_is_replaced_in_one_transaction_and_its_number_and_key_are_never_used_again() {
    let change = replace(Some(3), Some(replica(4, OPERATORS[3])));
    let scenario = adopted(world(), change);
    let again = |replica: ReplicaDescription| Command::ProposeChange {
        proposal: ProposalId([6; 16]),
        change: replace(Some(4), Some(replica)),
    };
    let scenario = scenario
        .when(OPERATOR, again(replica(3, OPERATORS[3])))
        .then_rejected(Rejection::ReplicaNumberUsed);
    let old_key = ReplicaDescription {
        public_key: replica(3, OPERATOR).public_key,
        ..replica(5, OPERATORS[3])
    };
    let scenario = scenario
        .when(OPERATOR, again(old_key))
        .then_rejected(Rejection::ReplicaKeyUsed);
    let retired = Command::ProposeChange {
        proposal: ProposalId([6; 16]),
        change: replace(Some(3), Some(replica(5, OPERATOR))),
    };
    scenario
        .when(OPERATOR, retired)
        .then_rejected(Rejection::UnknownReplica);
}

/// The second change goes by a proposal of its own.
fn adopted_as(scenario: Scenario, proposal: ProposalId, change: Change) -> Verdict {
    let propose = Command::ProposeChange { proposal, change };
    let vote = Command::VoteOnChange {
        proposal,
        approve: true,
    };
    let scenario = scenario.when(OPERATORS[0], propose).then_accepted();
    let scenario = scenario.when(OPERATORS[1], vote.clone()).then_accepted();
    scenario.when(OPERATORS[2], vote)
}

fn announced(verdict: &Verdict) -> Vec<EpochDescription> {
    let announced = |event: &contracts::Event| match event {
        contracts::Event::Governance(Event::EpochAnnounced { epoch }) => Some(epoch.clone()),
        _ => None,
    };
    verdict
        .execution
        .events
        .iter()
        .filter_map(announced)
        .collect()
}

#[test]
fn a_change_of_the_replica_set_announces_the_epoch_that_begins_after_a_checkpoint_past_the_window()
{
    let change = replace(Some(3), Some(replica(4, OPERATORS[3])));
    let verdict = adopted_as(world(), PROPOSAL, change);
    let [epoch] = &announced(&verdict)[..] else {
        panic!("one epoch is announced")
    };
    // Adopted at height 100: 100 + 128 = 228, and 256 is the next multiple of 64.
    assert_eq!((epoch.epoch, epoch.first_height), (Epoch(1), Height(257)));
    let serving = [(0, 0), (1, 1), (2, 2), (4, 3)];
    let serving = serving.map(|(number, operator)| replica(number, OPERATORS[operator]));
    assert_eq!(epoch.replicas, serving);
    // It stands on the ledger as the ledger's own event, and is read back as governance's.
    let event = verdict.execution.events.last().expect("the announcement");
    let recorded = event.recorded();
    assert_eq!(recorded.contract, LEDGER_CONTRACT);
    assert_eq!(
        contracts::Event::from_bytes(recorded.contract, &recorded.bytes).as_ref(),
        Ok(event)
    );
    let scenario = verdict.then_accepted();
    assert_eq!(announced_epochs(&scenario.state).len(), 1);
}

#[test]
fn no_second_change_of_the_replica_set_is_adopted_before_the_first_is_in_force() {
    let scenario = adopted(world(), replace(Some(3), Some(replica(4, OPERATORS[3]))));
    let second = replace(Some(2), Some(replica(5, OPERATORS[2])));
    let scenario = adopted_as(scenario, ProposalId([6; 16]), second.clone())
        .then_rejected(Rejection::EpochPending);
    // What changes no replica goes on.
    let scenario = adopted_as(scenario, ProposalId([7; 16]), price(9)).then_accepted();
    // The proposal is still open, and passes once the first change is in force.
    let scenario = Scenario {
        epoch: Epoch(1),
        height: Height(257),
        ..scenario
    };
    let vote = Command::VoteOnChange {
        proposal: ProposalId([6; 16]),
        approve: true,
    };
    let verdict = scenario.when(OPERATORS[3], vote);
    assert_eq!(announced(&verdict)[0].epoch, Epoch(2));
    let replicas = announced(&verdict)[0].replicas.clone();
    let numbers: Vec<u16> = replicas
        .iter()
        .map(|described| described.replica.0)
        .collect();
    assert_eq!(numbers, [0, 1, 4, 5]);
}

#[test]
fn a_replica_gets_another_key_from_the_next_epoch_on_and_no_key_serves_twice() {
    let rotate = |number: u16, public_key| Change::RotateReplicaKey {
        replica: ReplicaId(number),
        public_key,
    };
    let fresh = replica(9, OPERATOR).public_key;
    let verdict = adopted_as(world(), PROPOSAL, rotate(2, fresh));
    assert_eq!(announced(&verdict)[0].replicas[2].public_key, fresh);
    let scenario = verdict.then_accepted();
    for (number, public_key, rejection) in [
        (2, fresh, Rejection::ReplicaKeyUsed),
        (
            3,
            replica(2, OPERATOR).public_key,
            Rejection::ReplicaKeyUsed,
        ),
        (3, PublicKey(weak_key().0), Rejection::WeakReplicaKey),
        (
            8,
            replica(8, OPERATOR).public_key,
            Rejection::UnknownReplica,
        ),
    ] {
        let change = rotate(number, public_key);
        let proposal = ProposalId([6; 16]);
        let command = Command::ProposeChange { proposal, change };
        scenario
            .clone()
            .when(OPERATOR, command)
            .then_rejected(rejection);
    }
}

/// Replica 2 says two things for one slot.
pub fn equivocation(phase: Phase) -> Equivocation {
    let slot = VoteSlot {
        replica: ReplicaId(2),
        epoch: Epoch(0),
        view: 3,
        sequence: Height(90),
        phase,
    };
    let key = SigningKey::from_seed([202; 32]);
    let word = |byte: u8| {
        let digest = Digest([byte; 32]);
        let (domain, bytes) = slot.signing_bytes(&CHAIN, &digest);
        (digest, key.sign(domain, &bytes))
    };
    Equivocation::new(slot, word(8), word(7))
}

#[test]
fn a_proven_equivocation_is_recorded_once_with_both_signatures_whoever_brings_it() {
    let evidence = equivocation(Phase::Prepare);
    let command = Command::ReportEquivocation(evidence.clone());
    let scenario =
        world()
            .when(HOSPITAL, command.clone())
            .then_events(events![Event::EquivocationProven {
                evidence,
                operator: OPERATORS[2],
                reporter: HOSPITAL,
            }]);
    let scenario = scenario
        .when(PATIENT, command)
        .then_rejected(Rejection::EquivocationKnown);
    let other_phase = Command::ReportEquivocation(equivocation(Phase::Commit));
    scenario.when(PATIENT, other_phase).then_accepted();
}

#[test]
fn a_replica_is_not_accused_by_what_it_did_not_sign_or_what_does_not_contradict() {
    let good = equivocation(Phase::Commit);
    let foreign = Equivocation {
        slot: VoteSlot {
            replica: ReplicaId(1),
            ..good.slot
        },
        ..good.clone()
    };
    let other_view = Equivocation {
        slot: VoteSlot {
            view: 4,
            ..good.slot
        },
        ..good.clone()
    };
    let same = Equivocation {
        second: good.first,
        ..good.clone()
    };
    let swapped = Equivocation {
        first: good.second,
        second: good.first,
        ..good.clone()
    };
    for evidence in [
        foreign,
        other_view,
        same,
        swapped,
        equivocation(Phase::Status),
    ] {
        world()
            .when(HOSPITAL, Command::ReportEquivocation(evidence))
            .then_rejected(Rejection::EquivocationNotProven);
    }
    let unknown = Equivocation {
        slot: VoteSlot {
            replica: ReplicaId(9),
            ..good.slot
        },
        ..good
    };
    world()
        .when(HOSPITAL, Command::ReportEquivocation(unknown))
        .then_rejected(Rejection::UnknownReplica);
}

#[test]
fn a_voting_key_speaks_for_its_operator_when_it_brings_evidence_and_for_nothing_else() {
    let report = contracts::Command::from(Command::ReportEquivocation(equivocation(Phase::Commit)));
    let key = replica(0, OPERATOR).public_key;
    let submit = |operator, command: &contracts::Command| {
        world().when_bytes(operator, key, command.contract().id(), &command.to_bytes())
    };
    submit(OPERATORS[0], &report).then_accepted();
    let not_current = contracts::submission::Rejection::NotCurrentKey;
    submit(OPERATORS[1], &report).then_rejected(not_current);
    let proposal = contracts::Command::from(propose(price(1)));
    submit(OPERATORS[0], &proposal).then_rejected(not_current);
}

#[test]
fn a_key_that_a_replica_had_before_still_convicts_it() {
    let rotate = Change::RotateReplicaKey {
        replica: ReplicaId(2),
        public_key: replica(9, OPERATOR).public_key,
    };
    let scenario = adopted_as(world(), PROPOSAL, rotate).then_accepted();
    let command = Command::ReportEquivocation(equivocation(Phase::Prepare));
    scenario.when(HOSPITAL, command).then_accepted();
}

#[test]
fn a_replica_change_does_something_to_replicas_in_service() {
    world()
        .when(OPERATOR, propose(replace(None, None)))
        .then_rejected(Rejection::EmptyReplicaChange);
    let unknown = replace(Some(9), Some(replica(4, OPERATOR)));
    world()
        .when(OPERATOR, propose(unknown))
        .then_rejected(Rejection::UnknownReplica);
    world()
        .when(OPERATOR, propose(replace(Some(3), None)))
        .then_rejected(Rejection::TooFewReplicas);
}

#[test]
fn a_new_replica_has_a_strong_key_and_an_active_operator() {
    let with = |description| propose(replace(Some(3), Some(description)));
    let stranger = replica(4, HOSPITAL);
    world()
        .when(OPERATOR, with(stranger))
        .then_rejected(Rejection::ReplicaOperatorNotFit);
    let weak = ReplicaDescription {
        public_key: PublicKey(weak_key().0),
        ..replica(4, OPERATORS[3])
    };
    world()
        .when(OPERATOR, with(weak))
        .then_rejected(Rejection::WeakReplicaKey);
}

#[test]
fn nobody_operates_more_replicas_than_may_be_faulty() {
    let second = replace(None, Some(replica(4, OPERATOR)));
    world()
        .when(OPERATOR, propose(second))
        .then_rejected(Rejection::TooManyReplicasOfOperator);
    let own = replace(Some(0), Some(replica(4, OPERATOR)));
    world().when(OPERATOR, propose(own)).then_accepted();
}

#[test]
fn replica_changes_can_be_closed_by_the_parameter() {
    let change = Change::SetParameter {
        parameter: Parameter::ReplicaChangeMax,
        value: 0,
    };
    let scenario = adopted(world(), change);
    let proposal = ProposalId([6; 16]);
    let command = Command::ProposeChange {
        proposal,
        change: replace(Some(3), Some(replica(4, OPERATORS[3]))),
    };
    scenario
        .when(OPERATOR, command)
        .then_rejected(Rejection::ReplicaChangesClosed);
}

#[test]
fn what_was_proposed_is_checked_again_when_it_is_adopted() {
    let scenario = world()
        .when(
            OPERATORS[0],
            propose(replace(Some(3), Some(replica(4, OPERATORS[3])))),
        )
        .then_accepted();
    let scenario = scenario.when(OPERATORS[1], vote(true)).then_accepted();
    let scenario = scenario.given(membership::Event::MemberRevoked {
        member: OPERATORS[3],
    });
    // Three operators are left: two of them are a quorum.
    scenario
        .when(OPERATORS[2], vote(true))
        .then_rejected(Rejection::ReplicaOperatorNotFit);
}

fn activate(contract: u16, version: u32, height: u64) -> Change {
    Change::ActivateContract {
        contract: ContractId(contract),
        version,
        height: Height(height),
    }
}

#[test]
fn an_activation_is_of_a_contracts_next_version_ahead_of_now() {
    world()
        .when(OPERATOR, propose(activate(9, 2, 500)))
        .then_rejected(Rejection::UnknownContract);
    for version in [0, 1, 3] {
        world()
            .when(OPERATOR, propose(activate(2, version, 500)))
            .then_rejected(Rejection::VersionNotNext);
    }
    world()
        .when(OPERATOR, propose(activate(2, 2, 100)))
        .then_rejected(Rejection::HeightNotAhead);
    let scenario = adopted(world(), activate(2, 2, 500));
    let next = Command::ProposeChange {
        proposal: ProposalId([6; 16]),
        change: activate(2, 3, 600),
    };
    scenario
        .when(OPERATOR, next)
        .then_rejected(Rejection::HeightNotAhead);
}

#[test]
fn a_replica_that_lacks_an_activated_version_learns_it_before_that_height() {
    let scenario = adopted(world(), activate(2, 2, 500));
    assert_eq!(missing_version(&scenario.state, Height(499)), None);
    assert_eq!(
        missing_version(&scenario.state, Height(500)),
        Some((Contract::Records, 2))
    );
}

fn standing(operator: LedgerId, standing: OperatorStanding) -> Change {
    Change::SetOperatorStanding { operator, standing }
}

#[test]
fn a_quorum_suspends_reinstates_and_revokes_a_node_operator_in_the_transaction_of_the_last_vote() {
    let steps = [
        (
            OperatorStanding::Suspended,
            membership::Event::MemberSuspended {
                member: OPERATORS[3],
            },
        ),
        (
            OperatorStanding::Active,
            membership::Event::MemberReinstated {
                member: OPERATORS[3],
            },
        ),
        (
            OperatorStanding::Revoked,
            membership::Event::MemberRevoked {
                member: OPERATORS[3],
            },
        ),
    ];
    let mut scenario = world();
    for (number, (wanted, event)) in (10..).zip(steps) {
        let proposal = ProposalId([number; 16]);
        let change = standing(OPERATORS[3], wanted);
        let propose = Command::ProposeChange { proposal, change };
        let vote = Command::VoteOnChange {
            proposal,
            approve: true,
        };
        scenario = scenario.when(OPERATORS[0], propose).then_accepted();
        scenario = scenario.when(OPERATORS[1], vote.clone()).then_accepted();
        let verdict = scenario.when(OPERATORS[2], vote);
        assert_eq!(verdict.execution.events.last(), Some(&event.into()));
        scenario = verdict.then_accepted();
    }
    let change = standing(OPERATORS[3], OperatorStanding::Active);
    scenario
        .when(OPERATORS[0], propose(change))
        .then_rejected(Rejection::OperatorStandsSo);
}

#[test]
fn one_node_operator_alone_stops_nobody_and_a_regulator_has_no_vote() {
    let change = standing(OPERATORS[3], OperatorStanding::Revoked);
    let verdict = world().when(OPERATORS[0], propose(change));
    assert_eq!(verdict.execution.events.len(), 2, "proposed, and one vote");
    verdict
        .then_accepted()
        .when(REGULATOR, vote(true))
        .then_rejected(Rejection::NotNodeOperator);
    for stranger in [PATIENT, HOSPITAL] {
        let change = standing(stranger, OperatorStanding::Revoked);
        world()
            .when(OPERATORS[0], propose(change))
            .then_rejected(Rejection::OperatorStandsSo);
    }
}

#[test]
fn those_left_can_always_reach_a_quorum() {
    let suspended = world().given(membership::Event::MemberSuspended {
        member: OPERATORS[3],
    });
    suspended
        .when(
            OPERATORS[0],
            propose(standing(OPERATORS[2], OperatorStanding::Suspended)),
        )
        .then_rejected(Rejection::TooFewOperators);
    let mut alone = world();
    for operator in &OPERATORS[1..] {
        alone = alone.given(membership::Event::MemberRevoked { member: *operator });
    }
    for last in [OperatorStanding::Suspended, OperatorStanding::Revoked] {
        alone = alone
            .when(OPERATOR, propose(standing(OPERATOR, last)))
            .then_rejected(Rejection::TooFewOperators);
    }
}
