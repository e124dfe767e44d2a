//! Items that concern the caller, or a patient for whom the caller may decide. A patient sees an item only once its hospital
//! has approved (A56).

use std::sync::Arc;

use bus::Call;
use interfaces::authorization::{ItemSummary, ListItems};
use interfaces::{Page, Problem};
use keys::token::Role;
use ledger::LedgerId;
use submission::Caller;
use submission::row::database;

use crate::rows::{ITEM_COLUMNS, fill_in_transactions, item};
use crate::service::Authorization;

/// How a caller relates to items, and which state waits for them.
struct Relation {
    condition: &'static str,
    waiting: &'static str,
    members: Vec<LedgerId>,
}

pub(crate) async fn list_items(
    authorization: Arc<Authorization>,
    call: Call,
    request: ListItems,
) -> Result<Page<ItemSummary>, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    let relation = relation(&authorization, &caller, request.acting_for).await?;
    let limit = request.page.limit();
    let before: i64 = match &request.page.after {
        None => i64::MAX,
        Some(place) => place.parse().map_err(|_| {
            Problem::bad_input("/page/after", "not a place that a page before gave")
        })?,
    };
    let waiting = if request.waiting_for_me {
        relation.waiting
    } else {
        "1 = 1"
    };
    let sql = format!(
        "{ITEM_COLUMNS} WHERE {} AND {waiting} AND items.application LIKE $2 AND items.place < $3 ORDER BY items.place DESC LIMIT $4",
        relation.condition
    );
    let mut found = Vec::new();
    for member in &relation.members {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(member.to_string())
            .bind(
                request
                    .application
                    .map_or_else(|| "%".to_owned(), |application| application.to_string()),
            )
            .bind(before)
            .bind(i64::from(limit) + 1)
            .fetch_all(authorization.store.reader())
            .await
            .map_err(database)?;
        for row in &rows {
            found.push(item(row)?);
        }
    }
    found.sort_by_key(|item| std::cmp::Reverse(item.place));
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found
        .last()
        .filter(|_| more)
        .map(|last| last.place.to_string());
    fill_in_transactions(&authorization.store, &mut found).await?;
    let entries = found.into_iter().map(|item| item.summary).collect();
    Ok(Page { entries, next })
}

async fn relation(
    authorization: &Authorization,
    caller: &Caller,
    acting_for: Option<LedgerId>,
) -> Result<Relation, Problem> {
    if acting_for.is_some() {
        caller.require(Role::Patient)?;
    }
    if caller.session().has_role(Role::Patient) {
        let own = authorization.desk.ledger_ids(caller).await?;
        let members = match acting_for {
            None => own,
            Some(patient) => {
                let guardian = authorization.deciding_guardian(&own, &patient).await?;
                guardian.ok_or_else(|| Problem::forbidden("you do not decide for this patient"))?;
                vec![patient]
            }
        };
        return Ok(Relation {
            condition: "items.patient = $1 AND items.hospital_approved = 1",
            waiting: "items.state = 'patient_pending'",
            members,
        });
    }
    if is_staff_of_a_hospital(caller) {
        return Ok(Relation {
            condition: "items.hospital = $1",
            waiting: "items.state = 'hospital_pending'",
            members: vec![caller.organisation()?],
        });
    }
    let members = vec![caller.member()?];
    caller.require_any(&[Role::ThirdParty, Role::Insurer])?;
    Ok(Relation {
        condition: "items.applicant = $1",
        waiting: "items.state = 'released' AND items.grant_withdrawn = 0",
        members,
    })
}

/// Whether the caller works for a hospital: by its key or as its clerk.
fn is_staff_of_a_hospital(caller: &Caller) -> bool {
    let session = caller.session();
    session.has_role(Role::Hospital) || session.has_role(Role::Clerk)
}
