//! What every transaction is checked for before its contract decides.

use ledger::{ContractId, PublicKey};

use crate::governance::interface::is_voting_key_of;
use crate::membership::MemberKind;
use crate::membership::state::{self as members, Status};
use crate::rejection::rejections;
use crate::{Context, Contract, State};

rejections! {
    /// Why a transaction never reached its contract. Recorded under [`ledger::LEDGER_CONTRACT`].
    ///
    /// Numbers 1 to 49 are checked here; 50 to 99 by the `execution` crate, before it calls [`crate::execute`].
    1 UnknownSubmitter "the submitter is not a member"
    2 SubmitterPending "the submitter's membership is not endorsed yet"
    3 SubmitterSuspended "the submitter is suspended"
    4 SubmitterRevoked "the submitter's membership was revoked"
    5 NotCurrentKey "the transaction is not signed with the submitter's current key"
    6 UnknownContract "no contract has that number"
    7 MalformedCommand "the command is not the canonical encoding of one of the contract's commands"
    8 CommandNotAllowed "the service's registration does not list this command"
    50 WrongChain "the transaction is for another chain"
    51 Expired "the transaction's validity ended before the block's time"
    52 ValidTooLong "the transaction's validity ends more than 60 seconds after the block's time"
    53 NonceReused "the submitter used this nonce for another transaction"
    54 Repeated "the transaction was executed before; its first receipt stands"
    55 BadSignature "the transaction's signature does not verify"
}

/// The only commands a service may ever be registered for, as (contract, command number): none of them
/// approves, views or pays.
pub const SERVICE_COMMANDS: [(Contract, u16); 5] = [
    (Contract::Membership, 0), // RegisterMember
    (Contract::Membership, 7), // RotateKey
    (Contract::Records, 9),    // ReportTampering
    (Contract::Telemetry, 4),  // AnchorReadings
    (Contract::Telemetry, 5),  // RaiseWarning
];

/// The number of [`crate::governance::Command::ReportEquivocation`], for which a voting key speaks for its operator.
const REPORT_EQUIVOCATION: u16 = 2;

/// Whether a service may be registered with this list: ascending, and nothing but [`SERVICE_COMMANDS`].
pub fn is_service_list(allowed: &[(ContractId, u16)]) -> bool {
    let ascending = allowed.windows(2).all(|pair| pair[0] < pair[1]);
    ascending
        && allowed.iter().all(|entry| {
            SERVICE_COMMANDS
                .iter()
                .any(|(contract, number)| (contract.id(), *number) == *entry)
        })
}

/// The number of the command in canonical bytes: the enum variant's (one varint byte, as no contract has over 127 commands).
pub fn command_number(command: &[u8]) -> Option<u16> {
    command
        .first()
        .filter(|byte| **byte < 0x80)
        .map(|byte| u16::from(*byte))
}

/// The submitter is a member, active, signs with its current key and, if it is a service, may submit this command.
pub(crate) fn check(
    state: &State,
    context: &Context,
    contract: ContractId,
    command: &[u8],
) -> Result<(), Rejection> {
    let member = members::member(state, &context.submitter).ok_or(Rejection::UnknownSubmitter)?;
    let is_evidence = contract == Contract::Governance.id()
        && command_number(command) == Some(REPORT_EQUIVOCATION)
        && is_voting_key_of(state, &context.submitter, &context.public_key);
    if !is_evidence {
        check_key(&member.public_key, &context.public_key)?;
    }
    match member.status {
        Status::Active => {}
        Status::Pending => return Err(Rejection::SubmitterPending),
        Status::Suspended => return Err(Rejection::SubmitterSuspended),
        Status::Revoked => return Err(Rejection::SubmitterRevoked),
    }
    if member.kind == MemberKind::Service {
        let number = command_number(command).ok_or(Rejection::MalformedCommand)?;
        if !members::is_allowed(state, &context.submitter, contract, number) {
            return Err(Rejection::CommandNotAllowed);
        }
    }
    Ok(())
}

fn check_key(current: &PublicKey, signing: &PublicKey) -> Result<(), Rejection> {
    if current == signing {
        Ok(())
    } else {
        Err(Rejection::NotCurrentKey)
    }
}
