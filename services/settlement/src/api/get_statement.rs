//! The caller's statement, newest first. By whoever can have an account, their own only.

use std::sync::Arc;

use bus::Call;
use interfaces::settlement::{GetStatement, StatementLine};
use interfaces::{Page, Problem};
use sqlx::Row;
use sqlx::any::AnyRow;
use submission::row::{database, parse, time_text};

use crate::service::Settlement;

pub(crate) async fn get_statement(
    settlement: Arc<Settlement>,
    call: Call,
    request: GetStatement,
) -> Result<Page<StatementLine>, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    let limit = request.page.limit();
    let before: i64 = match request.page.after {
        None => i64::MAX,
        Some(place) => place.parse().map_err(|_| {
            Problem::bad_input("/page/after", "not a place that a page before gave")
        })?,
    };
    let mut lines = Vec::new();
    for account in settlement.accounts(&caller).await? {
        let rows = sqlx::query(
            "SELECT place, time_us, account, reason, amount, balance, transaction_id FROM statement
             WHERE account = $1 AND place < $2 ORDER BY place DESC LIMIT $3",
        )
        .bind(account.to_string())
        .bind(before)
        .bind(i64::from(limit) + 1)
        .fetch_all(settlement.store.reader())
        .await
        .map_err(database)?;
        for row in &rows {
            lines.push((row.try_get::<i64, _>(0).map_err(database)?, line(row)?));
        }
    }
    lines.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    let more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    let next = lines
        .last()
        .filter(|_| more)
        .map(|(place, _)| place.to_string());
    Ok(Page {
        entries: lines.into_iter().map(|(_, line)| line).collect(),
        next,
    })
}

fn line(row: &AnyRow) -> Result<StatementLine, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    let number = |place: usize| row.try_get::<i64, _>(place).map_err(database);
    Ok(StatementLine {
        time: time_text(number(1)?),
        account: parse(&text(2)?)?,
        reason: text(3)?,
        amount: number(4)?,
        balance: number(5)?,
        transaction: parse(&text(6)?)?,
    })
}
