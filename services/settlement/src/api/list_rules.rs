//! Published rules of the caller's plans, newest first. By an insurer.

use std::sync::Arc;

use bus::Call;
use contracts::settlement::command::PlanId;
use interfaces::settlement::{ListRules, PublishedRules};
use interfaces::{Page, Problem};
use keys::token::Role;
use sqlx::Row;
use sqlx::any::AnyRow;
use submission::row::{database, parse, time_text};

use crate::service::Settlement;

pub(crate) async fn list_rules(
    settlement: Arc<Settlement>,
    call: Call,
    request: ListRules,
) -> Result<Page<PublishedRules>, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    caller.require(Role::Insurer)?;
    let before: i64 = match &request.page.after {
        None => i64::MAX,
        Some(place) => place.parse().map_err(|_| {
            Problem::bad_input("/page/after", "not a place that a page before gave")
        })?,
    };
    let (from, until) = match request.plan {
        Some(plan) => (i64::from(plan.0), i64::from(plan.0)),
        None => (0, i64::from(u16::MAX)),
    };
    let limit = request.page.limit() as usize;
    let rows = sqlx::query(
        "SELECT plan_rules.plan, plan_rules.version, plan_rules.time_us, plan_rules.rules, plan_rules.transaction_id, plan_rules.place
         FROM plan_rules JOIN plans ON plans.plan = plan_rules.plan
         WHERE plans.insurer = $1 AND plan_rules.plan >= $2 AND plan_rules.plan <= $3 AND plan_rules.place < $4
         ORDER BY plan_rules.place DESC LIMIT $5",
    )
    .bind(caller.member()?.to_string())
    .bind(from)
    .bind(until)
    .bind(before)
    .bind(limit as i64 + 1)
    .fetch_all(settlement.store.reader())
    .await
    .map_err(database)?;
    let entries = rows
        .iter()
        .take(limit)
        .map(published)
        .collect::<Result<Vec<_>, _>>()?;
    let last = rows
        .get(limit.wrapping_sub(1))
        .filter(|_| rows.len() > limit);
    let next = last
        .map(|row| row.try_get::<i64, _>(5))
        .transpose()
        .map_err(database)?
        .map(|place| place.to_string());
    Ok(Page { entries, next })
}

fn published(row: &AnyRow) -> Result<PublishedRules, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    let number = |place: usize| row.try_get::<i64, _>(place).map_err(database);
    let malformed = |_| Problem::failure("a row of rules is malformed");
    Ok(PublishedRules {
        plan: PlanId(number(0)? as u16),
        version: number(1)? as u32,
        time: time_text(number(2)?),
        rules: serde_json::from_str(&text(3)?).map_err(malformed)?,
        transaction: parse(&text(4)?)?,
    })
}
