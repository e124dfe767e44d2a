//! Members, as the ledger knows them: for node operators and regulators as lists, one by one for everybody.

use std::collections::BTreeSet;
use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::identity::{GetMember, ListMembers, ListPendingMembers, MemberSummary};
use interfaces::{Base64, Page, PageRequest, Problem};
use keys::token::Role;
use sqlx::Row;
use sqlx::any::AnyRow;
use submission::row::{database, parse};

use crate::service::Identity;

const COLUMNS: &str =
    "SELECT member, kind, status, name, public_key, sealing_key, endorsements FROM members";
const ENDORSED: &str =
    "SELECT member FROM endorsements WHERE operator = $1 AND member >= $2 AND member <= $3";

/// For node operators and regulators.
pub(crate) async fn list_pending_members(
    identity: Arc<Identity>,
    call: Call,
    request: ListPendingMembers,
) -> Result<Page<MemberSummary>, Problem> {
    let caller = identity.caller(&call).await?;
    caller.require_any(&[Role::NodeOperator, Role::Regulator])?;
    let mut pending = page(&identity, "status = 'pending'", None, &request.page).await?;
    let (Some(first), Some(last)) = (pending.entries.first(), pending.entries.last()) else {
        return Ok(pending);
    };
    let endorsed: BTreeSet<(String,)> = sqlx::query_as(ENDORSED)
        .bind(caller.member()?.to_string())
        .bind(first.member.to_string())
        .bind(last.member.to_string())
        .fetch_all(identity.store.reader())
        .await
        .map_err(database)?
        .into_iter()
        .collect();
    for entry in &mut pending.entries {
        entry.endorsed_by_me = endorsed.contains(&(entry.member.to_string(),));
    }
    Ok(pending)
}

/// For regulators; hospitals, whose names are public, for everybody.
pub(crate) async fn list_members(
    identity: Arc<Identity>,
    call: Call,
    request: ListMembers,
) -> Result<Page<MemberSummary>, Problem> {
    if request.kind != Some(MemberKind::Hospital) {
        let caller = identity.caller(&call).await?;
        caller.require(Role::Regulator)?;
    }
    match request.kind {
        Some(kind) => page(&identity, "kind = $3", Some(kind.name()), &request.page).await,
        None => page(&identity, "1 = 1", None, &request.page).await,
    }
}

/// For everybody: this is what the ledger says to anyone.
pub(crate) async fn get_member(
    identity: Arc<Identity>,
    _call: Call,
    request: GetMember,
) -> Result<MemberSummary, Problem> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE member = $1")))
        .bind(request.member.to_string())
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?;
    summary(&row.ok_or_else(|| Problem::not_found("no member has this ledger id"))?)
}

async fn page(
    identity: &Identity,
    condition: &str,
    kind: Option<&str>,
    request: &PageRequest,
) -> Result<Page<MemberSummary>, Problem> {
    let limit = request.limit();
    let sql = format!("{COLUMNS} WHERE member > $1 AND {condition} ORDER BY member LIMIT $2");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(request.after.clone().unwrap_or_default())
        .bind(i64::from(limit) + 1);
    let query = match kind {
        Some(kind) => query.bind(kind.to_owned()),
        None => query,
    };
    let rows = query
        .fetch_all(identity.store.reader())
        .await
        .map_err(database)?;
    let mut entries = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries
        .last()
        .filter(|_| more)
        .map(|last| last.member.to_string());
    Ok(Page { entries, next })
}

fn summary(row: &AnyRow) -> Result<MemberSummary, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    Ok(MemberSummary {
        member: parse(&text(0)?)?,
        kind: MemberKind::from_name(&text(1)?)
            .ok_or_else(|| Problem::failure("a member row has an unknown kind"))?,
        status: text(2)?,
        name: row.try_get(3).map_err(database)?,
        public_key: parse(&text(4)?)?,
        sealing_key: Base64(parse::<ledger::Digest>(&text(5)?)?.0.to_vec()),
        endorsements: row.try_get::<i64, _>(6).map_err(database)? as u32,
        endorsed_by_me: false,
    })
}
