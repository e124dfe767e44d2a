//! The rules of membership.

use ledger::{Digest, LedgerId, PublicKey, Signature, Timestamp};

use super::command::{
    Command, MemberKind, NAME_BYTES_MAX, POSSESSION_DOMAIN, RegisterMember, possession_message,
};
use super::event::Event;
use super::interface::{self, is_operator, submitter_is};
use super::rejection::Rejection;
use super::state::{self, Member, Status};
use crate::governance::Parameter;
use crate::governance::interface::parameter;
use crate::rejection::ensure;
use crate::submission::is_service_list;
use crate::{Context, State};

/// Decides a command of the membership contract.
///
/// # Errors
/// [`crate::Rejection`].
pub fn decide(
    state: &State,
    context: &Context,
    command: Command,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let events = match command {
        Command::RegisterMember(registration) => register_member(state, context, registration),
        Command::EndorseMember { member } => endorse_member(state, context, member),
        Command::AffiliateDoctor {
            doctor,
            from,
            until,
        } => affiliate_doctor(state, context, doctor, from, until),
        Command::EndAffiliation { doctor } => end_affiliation(state, context, doctor),
        Command::SuspendMember { member } => suspend_member(state, context, member),
        Command::ReinstateMember { member } => reinstate_member(state, context, member),
        Command::RevokeMember { member } => revoke_member(state, context, member),
        Command::RotateKey {
            public_key,
            sealing_key,
            possession,
        } => rotate_key(state, context, public_key, sealing_key, &possession),
    }?;
    Ok(events.into_iter().map(crate::Event::from).collect())
}

fn register_member(
    state: &State,
    context: &Context,
    new: RegisterMember,
) -> Result<Vec<Event>, Rejection> {
    // A service that gets here is one whose registration lists this command: the identity service.
    let registrar =
        is_operator(state, &context.submitter) || submitter_is(state, context, MemberKind::Service);
    ensure(registrar, Rejection::NotRegistrar)?;
    ensure(
        state::member(state, &new.member).is_none(),
        Rejection::MemberExists,
    )?;
    if let Some(name) = &new.name {
        ensure(!new.kind.is_personal(), Rejection::NameNotAllowed)?;
        let fits =
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
        ensure(fits, Rejection::NameNotFit)?;
    }
    let service = new.kind == MemberKind::Service;
    let list_fits = if service {
        is_service_list(&new.allowed)
    } else {
        new.allowed.is_empty()
    };
    ensure(list_fits, Rejection::AllowedNotFit)?;
    check_key(
        &context.chain,
        &new.member,
        &new.public_key,
        &new.possession,
    )?;
    Ok(vec![Event::MemberRegistered {
        member: new.member,
        kind: new.kind,
        public_key: new.public_key,
        sealing_key: new.sealing_key,
        attestation: new.attestation,
        name: new.name,
        allowed: new.allowed,
    }])
}

fn check_key(
    chain: &Digest,
    member: &LedgerId,
    key: &PublicKey,
    possession: &Signature,
) -> Result<(), Rejection> {
    ensure(!key.is_weak(), Rejection::WeakKey)?;
    let message = possession_message(chain, member, key);
    key.verify(POSSESSION_DOMAIN, &message, possession)
        .map_err(|_| Rejection::PossessionNotProven)
}

fn endorse_member(
    state: &State,
    context: &Context,
    member: LedgerId,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        is_operator(state, &context.submitter),
        Rejection::NotNodeOperator,
    )?;
    let entry = known(state, &member)?;
    ensure(entry.status == Status::Pending, Rejection::NotPending)?;
    ensure(
        !state::has_endorsed(state, &member, &context.submitter),
        Rejection::AlreadyEndorsed,
    )?;
    // Endorsements of operators who may no longer act do not count.
    let earlier = state::endorsers(state, &member)
        .iter()
        .filter(|operator| is_operator(state, operator))
        .count();
    let endorsements = u16::try_from(earlier).unwrap_or(u16::MAX).saturating_add(1);
    let needed = endorsements_needed(state, entry.kind);
    let mut events = vec![Event::MemberEndorsed {
        member,
        operator: context.submitter,
        endorsements,
        needed,
    }];
    if endorsements >= needed {
        events.push(Event::MemberActivated { member });
    }
    Ok(events)
}

fn endorsements_needed(state: &State, kind: MemberKind) -> u16 {
    if !kind.is_personal() {
        return interface::operator_quorum(state);
    }
    let wanted = u16::try_from(parameter(state, Parameter::PersonEndorsements)).unwrap_or(u16::MAX);
    wanted.clamp(1, interface::operators_standing(state).max(1))
}

fn affiliate_doctor(
    state: &State,
    context: &Context,
    doctor: LedgerId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Hospital),
        Rejection::NotHospital,
    )?;
    ensure(
        interface::is_active(state, &doctor, MemberKind::Doctor),
        Rejection::NotDoctor,
    )?;
    ensure(from < until && context.time < until, Rejection::EmptyPeriod)?;
    Ok(vec![Event::DoctorAffiliated {
        doctor,
        hospital: context.submitter,
        from,
        until,
    }])
}

fn end_affiliation(
    state: &State,
    context: &Context,
    doctor: LedgerId,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Hospital),
        Rejection::NotHospital,
    )?;
    let hospital = context.submitter;
    ensure(
        state::affiliation(state, &doctor, &hospital).is_some(),
        Rejection::NotAffiliated,
    )?;
    Ok(vec![Event::AffiliationEnded { doctor, hospital }])
}

fn suspend_member(
    state: &State,
    context: &Context,
    member: LedgerId,
) -> Result<Vec<Event>, Rejection> {
    let entry = regulated(state, context, &member)?;
    ensure(entry.status == Status::Active, Rejection::NotActive)?;
    Ok(vec![Event::MemberSuspended { member }])
}

fn reinstate_member(
    state: &State,
    context: &Context,
    member: LedgerId,
) -> Result<Vec<Event>, Rejection> {
    let entry = regulated(state, context, &member)?;
    ensure(entry.status == Status::Suspended, Rejection::NotSuspended)?;
    Ok(vec![Event::MemberReinstated { member }])
}

fn revoke_member(
    state: &State,
    context: &Context,
    member: LedgerId,
) -> Result<Vec<Event>, Rejection> {
    let entry = regulated(state, context, &member)?;
    ensure(entry.status != Status::Revoked, Rejection::AlreadyRevoked)?;
    Ok(vec![Event::MemberRevoked { member }])
}

fn regulated(state: &State, context: &Context, member: &LedgerId) -> Result<Member, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Regulator),
        Rejection::NotRegulator,
    )?;
    ensure(*member != context.submitter, Rejection::OwnMembership)?;
    let entry = known(state, member)?;
    // Whoever could thin out the node operators alone could in the end decide for all of them.
    ensure(!entry.is_standing_operator(), Rejection::OperatorByVote)?;
    Ok(entry)
}

fn known(state: &State, member: &LedgerId) -> Result<Member, Rejection> {
    state::member(state, member).ok_or(Rejection::UnknownMember)
}

fn rotate_key(
    state: &State,
    context: &Context,
    public_key: PublicKey,
    sealing_key: [u8; 32],
    possession: &Signature,
) -> Result<Vec<Event>, Rejection> {
    let member = context.submitter;
    ensure(
        known(state, &member)?.public_key != public_key,
        Rejection::SameKey,
    )?;
    check_key(&context.chain, &member, &public_key, possession)?;
    Ok(vec![Event::KeyRotated {
        member,
        public_key,
        sealing_key,
    }])
}
