//! A hospital's clerks: listed and ended. By the hospital, and its own alone.

use std::sync::Arc;

use bus::Call;
use interfaces::identity::Done;
use interfaces::staff::{ClerkSummary, EndClerk, ListClerks};
use interfaces::{Page, Problem, time_text};
use keys::token::Role;
use ledger::{LedgerId, Timestamp};
use sqlx::Row;
use submission::row::database;

use crate::service::{Identity, now};
use crate::sessions::{self, Which};

pub(crate) async fn list_clerks(
    identity: Arc<Identity>,
    call: Call,
    request: ListClerks,
) -> Result<Page<ClerkSummary>, Problem> {
    let hospital = hospital(&identity, &call).await?;
    let limit = request.page.limit() as usize;
    let rows = sqlx::query(
        "SELECT account, sealed_person, created_us, ended_us FROM accounts
         WHERE hospital = $1 AND account > $2 ORDER BY account LIMIT $3",
    )
    .bind(hospital.to_string())
    .bind(request.page.after.unwrap_or_default())
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(identity.store.reader())
    .await
    .map_err(database)?;
    let time = |us: i64| time_text(Timestamp(us.unsigned_abs()));
    let mut entries = Vec::with_capacity(limit.min(rows.len()));
    for row in rows.iter().take(limit) {
        let account: String = row.try_get(0).map_err(database)?;
        let sealed: Vec<u8> = row.try_get(1).map_err(database)?;
        let person = identity.open_person(&account, &sealed)?;
        entries.push(ClerkSummary {
            account,
            real_name: person.real_name,
            staff_number: person.identity_id,
            since: time(row.try_get(2).map_err(database)?),
            ended: row
                .try_get::<Option<i64>, _>(3)
                .map_err(database)?
                .map(time),
        });
    }
    let next = entries
        .last()
        .filter(|_| rows.len() > limit)
        .map(|last| last.account.clone());
    Ok(Page { entries, next })
}

pub(crate) async fn end_clerk(
    identity: Arc<Identity>,
    call: Call,
    request: EndClerk,
) -> Result<Done, Problem> {
    let hospital = hospital(&identity, &call).await?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let ended = sqlx::query(
        "UPDATE accounts SET ended_us = COALESCE(ended_us, $1) WHERE account = $2 AND hospital = $3",
    )
    .bind(now().0 as i64)
    .bind(&request.account)
    .bind(hospital.to_string())
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    if ended.rows_affected() == 0 {
        return Err(Problem::not_found("the hospital has no such clerk"));
    }
    tracing::info!(account_id = request.account, "a clerk's account was ended");
    // No session is called nothing: all end.
    sessions::end(&identity, &request.account, Which::AllBut("")).await?;
    Ok(Done {})
}

async fn hospital(identity: &Identity, call: &Call) -> Result<LedgerId, Problem> {
    let caller = identity.caller(call).await?;
    caller.require(Role::Hospital)?;
    caller.organisation()
}
