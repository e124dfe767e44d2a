//! Signs a transaction with a custodial key of the one who is signed in. For services, with the member's token; each
//! service may ask only for the contracts it works for.

use std::sync::Arc;

use bus::Call;
use contracts::authorization::command::Command as Authorization;
use contracts::records::command::Command as Records;
use contracts::{Command, Contract};
use interfaces::identity::{SignTransaction, TransactionSignature};
use interfaces::{Base64, Problem};
use ledger::{TransactionBody, canonical};

use crate::custody::CustodyKey;
use crate::service::{Identity, now};

pub(crate) async fn sign_transaction(
    identity: Arc<Identity>,
    call: Call,
    request: SignTransaction,
) -> Result<TransactionSignature, Problem> {
    let caller = identity.caller(&call).await?;
    let mut body: TransactionBody = canonical::decode(&request.unsigned.0)
        .map_err(|error| Problem::bad_input("/unsigned", error.to_string()))?;
    if body.chain != identity.desk.chain() {
        return Err(Problem::bad_input(
            "/unsigned",
            "the transaction is for another chain",
        ));
    }
    let command = Command::from_bytes(body.contract, &body.command)
        .map_err(|error| Problem::bad_input("/unsigned", error.to_string()))?;
    if gives_away(&command) {
        caller.require_recent_proof(now())?;
    }
    let contract = Contract::from_id(body.contract)
        .ok_or_else(|| Problem::bad_input("/unsigned", "no such contract"))?;
    if !works_for(&call.caller, contract) {
        return Err(Problem::forbidden(
            "this service does not work for that contract",
        ));
    }
    let owned = identity
        .owner_of(&body.submitter)
        .await?
        .filter(|owned| owned.account == caller.session().subject);
    let owned =
        owned.ok_or_else(|| Problem::forbidden("the submitter is not a ledger id of yours"))?;
    let sealed = caller
        .session()
        .sealed_secret
        .as_deref()
        .ok_or_else(|| Problem::forbidden("you hold your own key"))?;
    let key = CustodyKey::open_from_session(&identity.session, &caller.session().session, sealed)
        .and_then(|custody| custody.open_seed(&owned.account, owned.ledger_id, &owned.sealed_seed))
        .map_err(|error| Problem::unauthenticated(error.to_string()))?;
    body.public_key = key.public_key();
    let signed = key.sign(body);
    Ok(TransactionSignature {
        public_key: key.public_key(),
        signature: Base64(signed.signature.0.to_vec()),
    })
}

/// Whether a command lets somebody else see a record, says who may, or cannot be undone: for it, who asks has to have shown
/// lately who they are.
fn gives_away(command: &Command) -> bool {
    matches!(
        command,
        Command::Authorization(
            Authorization::ApproveAsPatient { .. } | Authorization::WithdrawGrant { .. }
        ) | Command::Records(
            Records::SetCode { .. }
                | Records::SetConsent { .. }
                | Records::EraseRecord { .. }
                | Records::NameGuardian { .. }
                | Records::EndDelegation { .. }
        )
    )
}

/// Which service may ask for signatures on which contract's commands.
fn works_for(service: &str, contract: Contract) -> bool {
    match contract {
        Contract::Records => service.starts_with("records-") || service == "authorization",
        Contract::Authorization => service == "authorization",
        Contract::Settlement => service == "settlement",
        Contract::Telemetry => service == "iot",
        Contract::Membership => service == "identity",
        Contract::Governance => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_gets_signatures_for_its_own_contract_only() {
        assert!(works_for("records-north", Contract::Records));
        assert!(!works_for("records-north", Contract::Settlement));
        assert!(!works_for("gateway", Contract::Authorization));
        assert!(!works_for("iot", Contract::Records));
    }
}
