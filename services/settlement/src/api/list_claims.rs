//! Claims that concern the caller: as insured, as hospital, or as the insurer of their plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::Call;
use contracts::settlement::command::{ClaimReference, PlanId};
use interfaces::settlement::{ClaimSummary, ListClaims};
use interfaces::{Page, Problem};
use keys::token::Role;
use ledger::Digest;
use sqlx::Row;
use sqlx::any::AnyRow;
use store::Store;
use submission::Caller;
use submission::row::{database, parse};

use crate::service::Settlement;

const COLUMNS: &str = "SELECT claim, insured, hospital, plan, state, charged, benefit, share, rules_version, category, pended_because,
    (SELECT COUNT(*) FROM claims AS other WHERE other.insured = claims.insured AND other.hospital = claims.hospital
     AND other.category = claims.category AND other.charged = claims.charged) FROM claims";

const OF_INSURER: &str = "plan IN (SELECT plan FROM plans WHERE insurer = $1)";

pub(crate) async fn list_claims(
    settlement: Arc<Settlement>,
    call: Call,
    request: ListClaims,
) -> Result<Page<ClaimSummary>, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    let (relation, member) = relation(&caller)?;
    let state = request.state.as_deref();
    if !matches!(state, None | Some("adjudicated" | "pended" | "share_paid")) {
        return Err(Problem::bad_input(
            "/state",
            "adjudicated, pended or share_paid",
        ));
    }
    let limit = request.page.limit();
    let mut asked = sqlx::query(sqlx::AssertSqlSafe(statement(relation, state.is_some())))
        .bind(member.to_string())
        .bind(request.page.after.unwrap_or_default())
        .bind(i64::from(limit) + 1);
    if let Some(state) = state {
        asked = asked.bind(state);
    }
    let rows = asked
        .fetch_all(settlement.store.reader())
        .await
        .map_err(database)?;
    let shown = &rows[..rows.len().min(limit as usize)];
    let mut transactions = transactions_of(&settlement.store, shown).await?;
    let entries = shown
        .iter()
        .map(|row| {
            let claim: String = row.try_get(0).map_err(database)?;
            summary(row, transactions.remove(&claim).unwrap_or_default())
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    let next = entries
        .last()
        .filter(|_| rows.len() > limit as usize)
        .map(|last| last.claim.0.to_string());
    Ok(Page { entries, next })
}

/// One part of the claims: $1 is the member, $2 the claim before, $3 how many, $4 the state. A state is asked for by equality
/// alone: the few that wait are found by an index among all that were decided.
fn statement(relation: &str, of_a_state: bool) -> String {
    let in_state = match of_a_state {
        true => "AND state = $4",
        false => "",
    };
    format!("{COLUMNS} WHERE {relation} {in_state} AND claim > $2 ORDER BY claim LIMIT $3")
}

/// Which claims are the caller's to see.
fn relation(caller: &Caller) -> Result<(&'static str, ledger::LedgerId), Problem> {
    if caller.session().has_role(Role::Patient) {
        return Ok(("insured = $1", caller.ledger_id("insurance")?));
    }
    if caller.session().has_role(Role::Hospital) {
        return Ok(("hospital = $1", caller.member()?));
    }
    caller.require(Role::Insurer)?;
    Ok((OF_INSURER, caller.member()?))
}

/// The transactions of a page of claims, oldest first, in one statement.
async fn transactions_of(
    store: &Store,
    claims: &[AnyRow],
) -> Result<BTreeMap<String, Vec<Digest>>, Problem> {
    let names = claims
        .iter()
        .map(|row| parse::<Digest>(&row.try_get::<String, _>(0).map_err(database)?))
        .collect::<Result<Vec<_>, _>>()?;
    // Digests are hex: nothing in them can end the text.
    let list: Vec<String> = names.iter().map(|claim| format!("'{claim}'")).collect();
    let mut transactions: BTreeMap<String, Vec<Digest>> = BTreeMap::new();
    if list.is_empty() {
        return Ok(transactions);
    }
    let rows: Vec<(String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT claim, transaction_id FROM claim_transactions WHERE claim IN ({}) ORDER BY claim, place",
        list.join(", ")
    )))
    .persistent(false)
    .fetch_all(store.reader())
    .await
    .map_err(database)?;
    for (claim, transaction) in rows {
        let of_claim = transactions.entry(claim).or_default();
        of_claim.push(parse(&transaction)?);
    }
    Ok(transactions)
}

fn summary(row: &AnyRow, transactions: Vec<Digest>) -> Result<ClaimSummary, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    let number = |place: usize| row.try_get::<i64, _>(place).map_err(database);
    Ok(ClaimSummary {
        claim: ClaimReference(parse(&text(0)?)?),
        insured: parse(&text(1)?)?,
        hospital: parse(&text(2)?)?,
        plan: PlanId(number(3)? as u16),
        state: text(4)?,
        category: serde_json::from_value(text(9)?.into())
            .map_err(|_| Problem::failure("a claim's row is malformed"))?,
        pended_because: row.try_get(10).map_err(database)?,
        twin: number(11)? > 1,
        charged: number(5)?,
        benefit: number(6)?,
        share: number(7)?,
        rules_version: number(8)? as u32,
        transactions,
    })
}

#[cfg(test)]
mod tests {
    use contracts::settlement::command::BenefitCategory;
    use store::testing::TestDatabase;

    use super::*;
    use crate::migrations::MIGRATIONS;

    /// A claim by the byte of its reference, what was charged, and the transactions that changed it, by first byte.
    type Put = (u8, i64, &'static [u8]);

    async fn put(to: &mut sqlx::AnyConnection, (first, charged, transactions): Put) {
        let claim = Digest([first; 32]).to_string();
        sqlx::query(
            "INSERT INTO claims (claim, insured, hospital, plan, state, charged, benefit, share, rules_version, category) \
             VALUES ($1, $2, $2, 1, 'adjudicated', $3, 60, 40, 2, 'Outpatient')",
        )
        .bind(&claim)
        .bind(ledger::LedgerId([7; 16]).to_string())
        .bind(charged)
        .execute(&mut *to)
        .await
        .unwrap();
        // The newest first: their order is that of their places, not that in which they were written.
        for (place, transaction) in transactions.iter().enumerate().rev() {
            sqlx::query("INSERT INTO claim_transactions VALUES ($1, $2, $3)")
                .bind(&claim)
                .bind(place as i64)
                .bind(Digest([*transaction; 32]).to_string())
                .execute(&mut *to)
                .await
                .unwrap();
        }
    }

    async fn own_transactions(database: &TestDatabase) {
        let store = database.open(MIGRATIONS).await;
        let mut filling = store.begin().await.unwrap();
        let all: [Put; 4] = [
            (1, 100, &[10]),
            (2, 200, &[20, 21, 22]),
            (3, 200, &[]),
            (4, 300, &[40]),
        ];
        for one in all {
            put(&mut filling, one).await;
        }
        filling.commit().await.unwrap();
        // The first claim is not on the page.
        let page = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE claim > $1 ORDER BY claim"
        )))
        .bind(Digest([1; 32]).to_string())
        .fetch_all(store.reader())
        .await
        .unwrap();
        let mut transactions = transactions_of(&store, &page).await.unwrap();
        let claims: Vec<ClaimSummary> = page
            .iter()
            .map(|row| {
                let of_claim = transactions.remove(&row.get::<String, _>(0));
                summary(row, of_claim.unwrap_or_default()).unwrap()
            })
            .collect();
        let firsts = |claim: &ClaimSummary| -> Vec<u8> {
            claim.transactions.iter().map(|id| id.0[0]).collect()
        };
        assert_eq!(
            claims.iter().map(firsts).collect::<Vec<_>>(),
            [vec![20, 21, 22], vec![], vec![40]]
        );
        assert!(transactions.is_empty());
        // What is alike is said of both.
        assert_eq!(
            claims.iter().map(|claim| claim.twin).collect::<Vec<_>>(),
            [true, true, false]
        );
        assert_eq!(claims[0].category, BenefitCategory::Outpatient);
        assert!(transactions_of(&store, &[]).await.unwrap().is_empty());
        store.close().await;
    }

    #[tokio::test]
    async fn claims_that_wait_are_found_without_looking_at_those_that_were_decided() {
        let store = TestDatabase::sqlite().open(MIGRATIONS).await;
        let plan = format!("EXPLAIN QUERY PLAN {}", statement(OF_INSURER, true));
        let steps: Vec<String> = sqlx::query(sqlx::AssertSqlSafe(plan))
            .bind("insurer")
            .bind("")
            .bind(26_i64)
            .bind("pended")
            .fetch_all(store.reader())
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(3))
            .collect();
        let is_narrow = |step: &String| step.contains("(plan=? AND state=? AND claim>?)");
        assert!(steps.iter().any(is_narrow), "{steps:?}");
        store.close().await;
    }

    #[tokio::test]
    async fn each_claim_of_a_page_has_its_own_transactions_in_their_order() {
        own_transactions(&TestDatabase::sqlite()).await;
    }

    #[tokio::test]
    async fn each_claim_of_a_page_has_its_own_transactions_in_their_order_on_postgres() {
        if let Some(database) = TestDatabase::postgres("transactions of claims").await {
            own_transactions(&database).await;
        }
    }
}
