//! The account of whoever is signed in, with the ledger ids that came since sign-in.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{GetOwnAccount, OwnAccount};
use sqlx::Row;
use submission::row::database;

use crate::service::Identity;

pub(crate) async fn get_own_account(
    identity: Arc<Identity>,
    call: Call,
    _request: GetOwnAccount,
) -> Result<OwnAccount, Problem> {
    let caller = identity.caller(&call).await?;
    let account = caller.session().subject.clone();
    if !caller.has_custodial_keys() {
        return organisation(&identity, &caller).await;
    }
    let row = sqlx::query("SELECT kind, patient_id FROM accounts WHERE account = $1")
        .bind(&account)
        .fetch_one(identity.store.reader())
        .await
        .map_err(database)?;
    let kind: String = row.try_get(0).map_err(database)?;
    // A clerk's account is of no kind of member: what they act for is.
    let kind = match caller.session().organisation {
        Some(_) => MemberKind::Hospital.name(),
        None => kind.as_str(),
    };
    let owned = identity.ledger_ids_of(&account).await?;
    Ok(OwnAccount {
        kind: MemberKind::from_name(kind)
            .ok_or_else(|| Problem::failure("an account row has an unknown kind"))?,
        patient_id: row.try_get(1).map_err(database)?,
        ledger_ids: owned
            .into_iter()
            .map(|id| (id.context, id.ledger_id))
            .collect(),
        account,
    })
}

async fn organisation(
    identity: &Identity,
    caller: &submission::Caller,
) -> Result<OwnAccount, Problem> {
    let kind: Option<(String,)> = sqlx::query_as("SELECT kind FROM members WHERE member = $1")
        .bind(caller.member()?.to_string())
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?;
    let kind = kind
        .and_then(|(kind,)| MemberKind::from_name(&kind))
        .ok_or_else(|| Problem::not_found("no such member"))?;
    Ok(OwnAccount {
        account: caller.session().subject.clone(),
        kind,
        patient_id: None,
        ledger_ids: caller.session().ledger_ids.clone(),
    })
}
