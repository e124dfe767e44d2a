//! Notices of patients, hospitals and applicants: whose turn it is, and what came of it; nobody else's (A55, A56, A64).

use std::sync::Arc;

use bus::Call;
use contracts::ItemId;
use interfaces::authorization::{ListNotices, Notice};
use interfaces::{Page, Problem};
use keys::token::Role;
use sqlx::Row;
use sqlx::any::AnyRow;
use submission::row::{database, parse, time_text};

use crate::service::Authorization;

pub(crate) async fn list_notices(
    authorization: Arc<Authorization>,
    call: Call,
    request: ListNotices,
) -> Result<Page<Notice>, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    caller.require_any(&[
        Role::Patient,
        Role::Hospital,
        Role::ThirdParty,
        Role::Insurer,
    ])?;
    let limit = request.page.limit();
    let before: i64 = match &request.page.after {
        None => i64::MAX,
        Some(place) => place.parse().map_err(|_| {
            Problem::bad_input("/page/after", "not a place that a page before gave")
        })?,
    };
    let mut found = Vec::new();
    for member in authorization.desk.ledger_ids(&caller).await? {
        let rows = sqlx::query(
            "SELECT place, kind, application, item_index, time_us, transaction_id FROM notices
             WHERE recipient = $1 AND place < $2 ORDER BY place DESC LIMIT $3",
        )
        .bind(member.to_string())
        .bind(before)
        .bind(i64::from(limit) + 1)
        .fetch_all(authorization.store.reader())
        .await
        .map_err(database)?;
        for row in &rows {
            found.push((row.try_get::<i64, _>(0).map_err(database)?, notice(row)?));
        }
    }
    found.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found
        .last()
        .filter(|_| more)
        .map(|(place, _)| place.to_string());
    Ok(Page {
        entries: found.into_iter().map(|(_, notice)| notice).collect(),
        next,
    })
}

fn notice(row: &AnyRow) -> Result<Notice, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    let number = |place: usize| row.try_get::<i64, _>(place).map_err(database);
    Ok(Notice {
        kind: text(1)?,
        item: ItemId {
            application: parse(&text(2)?)?,
            index: number(3)? as u16,
        },
        time: time_text(number(4)?),
        transaction: parse(&text(5)?)?,
    })
}
