//! The rules of governance.

mod equivocation;
mod replicas;

use ledger::{ContractId, Height, LedgerId};

use super::command::{Change, Command, OperatorStanding};
use super::event::Event;
use super::interface::CONTRACT_VERSION;
use super::rejection::Rejection;
use super::state::{self, Standing};
use crate::identifier::ProposalId;
use crate::membership::interface::{
    OperatorChange, is_operator, operator_changed, operator_quorum, operators_can_agree_after,
    operators_standing,
};
use crate::rejection::ensure;
use crate::{Context, Contract, State};

/// Decides a command of the governance contract.
///
/// # Errors
/// [`crate::Rejection`].
pub fn decide(
    state: &State,
    context: &Context,
    command: Command,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let events = match command {
        Command::ProposeChange { proposal, change } => {
            propose_change(state, context, proposal, change)
        }
        Command::VoteOnChange { proposal, approve } => {
            vote_on_change(state, context, proposal, approve)
        }
        Command::ReportEquivocation(evidence) => {
            equivocation::report_equivocation(state, context, evidence)
        }
    }?;
    let further = events.iter().find_map(|event| consequence(state, event));
    let events = events.into_iter().map(crate::Event::from);
    Ok(events.chain(further).collect())
}

/// What an adopted change decides in another contract, in the same transaction.
fn consequence(state: &State, event: &Event) -> Option<crate::Event> {
    let Event::ChangeAdopted {
        change: Change::SetOperatorStanding { operator, standing },
        ..
    } = event
    else {
        return None;
    };
    operator_changed(state, operator, operator_change(*standing)).map(crate::Event::from)
}

fn operator_change(standing: OperatorStanding) -> OperatorChange {
    match standing {
        OperatorStanding::Active => OperatorChange::Reinstate,
        OperatorStanding::Suspended => OperatorChange::Suspend,
        OperatorStanding::Revoked => OperatorChange::Revoke,
    }
}

fn propose_change(
    state: &State,
    context: &Context,
    proposal: ProposalId,
    change: Change,
) -> Result<Vec<Event>, Rejection> {
    let operator = context.submitter;
    ensure(is_operator(state, &operator), Rejection::NotNodeOperator)?;
    ensure(
        state::proposal(state, &proposal).is_none(),
        Rejection::ProposalExists,
    )?;
    check_change(state, context, &change)?;
    let needed = operator_quorum(state);
    let mut events = vec![
        Event::ChangeProposed {
            proposal,
            operator,
            change: change.clone(),
        },
        Event::VoteCast {
            proposal,
            operator,
            approve: true,
            votes_for: 1,
            needed,
        },
    ];
    if needed <= 1 {
        adopt(state, context, proposal, change, &mut events)?;
    }
    Ok(events)
}

fn vote_on_change(
    state: &State,
    context: &Context,
    proposal: ProposalId,
    approve: bool,
) -> Result<Vec<Event>, Rejection> {
    let operator = context.submitter;
    ensure(is_operator(state, &operator), Rejection::NotNodeOperator)?;
    let entry = state::proposal(state, &proposal).ok_or(Rejection::UnknownProposal)?;
    ensure(entry.standing == Standing::Open, Rejection::ProposalClosed)?;
    ensure(
        !state::has_voted(state, &proposal, &operator),
        Rejection::AlreadyVoted,
    )?;
    // Votes of operators who may no longer act do not count.
    let mut votes = state::votes(state, &proposal);
    votes.retain(|(voter, _)| is_operator(state, voter));
    votes.push((operator, approve));
    let count = |kind: bool| {
        u16::try_from(votes.iter().filter(|(_, vote)| *vote == kind).count()).unwrap_or(u16::MAX)
    };
    let (votes_for, votes_against) = (count(true), count(false));
    let needed = operator_quorum(state);
    let mut events = vec![Event::VoteCast {
        proposal,
        operator,
        approve,
        votes_for,
        needed,
    }];
    if votes_for >= needed {
        // The state may have moved on since the proposal was made.
        check_change(state, context, &entry.change)?;
        adopt(state, context, proposal, entry.change, &mut events)?;
    } else if votes_against > operators_standing(state).saturating_sub(needed) {
        events.push(Event::ChangeRejected { proposal });
    }
    Ok(events)
}

/// The change is adopted; a change of the replica set announces the next epoch in the same transaction.
fn adopt(
    state: &State,
    context: &Context,
    proposal: ProposalId,
    change: Change,
    events: &mut Vec<Event>,
) -> Result<(), Rejection> {
    let epoch = replicas::next_epoch(state, context, &change)?;
    events.push(Event::ChangeAdopted { proposal, change });
    events.extend(epoch.map(|epoch| Event::EpochAnnounced { epoch }));
    Ok(())
}

fn check_change(state: &State, context: &Context, change: &Change) -> Result<(), Rejection> {
    match change {
        Change::SetParameter { parameter, value } => ensure(
            parameter.bounds().contains(value),
            Rejection::ParameterOutOfBounds,
        ),
        Change::ReplaceReplica { retire, add } => {
            replicas::check_replacement(state, *retire, add.as_ref())
        }
        Change::RotateReplicaKey {
            replica,
            public_key,
        } => replicas::check_rotation(state, *replica, public_key),
        Change::ActivateContract {
            contract,
            version,
            height,
        } => check_activation(state, context, *contract, *version, *height),
        Change::SetOperatorStanding { operator, standing } => {
            check_operator(state, operator, operator_change(*standing))
        }
    }
}

fn check_operator(
    state: &State,
    operator: &LedgerId,
    change: OperatorChange,
) -> Result<(), Rejection> {
    ensure(
        operator_changed(state, operator, change).is_some(),
        Rejection::OperatorStandsSo,
    )?;
    ensure(
        operators_can_agree_after(state, operator, change),
        Rejection::TooFewOperators,
    )
}

fn check_activation(
    state: &State,
    context: &Context,
    contract: ContractId,
    version: u32,
    height: Height,
) -> Result<(), Rejection> {
    ensure(
        Contract::from_id(contract).is_some(),
        Rejection::UnknownContract,
    )?;
    let last = state::activation(state, contract);
    let current = last.map_or(CONTRACT_VERSION, |activation| activation.version);
    ensure(
        current.checked_add(1) == Some(version),
        Rejection::VersionNotNext,
    )?;
    let ahead = height > context.height
        && last.is_none_or(|activation| activation.height <= context.height);
    ensure(ahead, Rejection::HeightNotAhead)
}
