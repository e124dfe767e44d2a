//! The books and the claims, folded from the settlement contract's events.

use contracts::Event;
use contracts::settlement::event::{Account, Event as Settled, Line, PostingReason};
use ledger::{Digest, LedgerId};
use store::projections::ProjectionTransaction;
use store::{ProjectedBlock, Projection};

/// Places of one block's lines: more than a block can have.
const PLACES_PER_BLOCK: i64 = 10_000_000;

/// The projection `books`.
pub(crate) struct Books;

impl Projection for Books {
    const NAME: &'static str = "books";
    const VERSION: i64 = 1;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        let mut at = At {
            place: block.header.height.0 as i64 * PLACES_PER_BLOCK,
            time_us: block.header.time.0 as i64,
            transaction: Digest::default(),
        };
        for event in &block.events {
            at.transaction = event.transaction;
            if let Event::Settlement(settled) = &event.event {
                fold(transaction, &mut at, settled).await?;
            }
        }
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for table in [
            "balances",
            "statement",
            "plans",
            "coverages",
            "claims",
            "claim_transactions",
        ] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }
}

/// Where in the ledger a row comes from.
struct At {
    place: i64,
    time_us: i64,
    transaction: Digest,
}

impl At {
    fn next_place(&mut self) -> i64 {
        self.place += 1;
        self.place
    }
}

async fn fold(
    transaction: &mut ProjectionTransaction<'_>,
    at: &mut At,
    event: &Settled,
) -> Result<(), sqlx::Error> {
    match event {
        Settled::Posted { reason, lines } => {
            for line in lines {
                if let Account::Member(member) = line.account {
                    post(transaction, at, reason_name(reason), &member, line).await?;
                }
            }
            Ok(())
        }
        Settled::RulesPublished { plan, insurer, version, rules } => {
            sqlx::query(
                "INSERT INTO plans (plan, insurer, version, rules) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (plan) DO UPDATE SET version = excluded.version, rules = excluded.rules",
            )
            .bind(i64::from(plan.0))
            .bind(insurer.to_string())
            .bind(i64::from(*version))
            .bind(serde_json::to_string(rules).unwrap_or_default())
            .execute(&mut **transaction)
            .await
            .map(|_| ())
        }
        Settled::CoverageRegistered { insured, plan, from_year, until_year } => {
            sqlx::query(
                "INSERT INTO coverages (insured, plan, from_year, until_year) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (insured, plan) DO UPDATE SET from_year = excluded.from_year, until_year = excluded.until_year",
            )
            .bind(insured.to_string())
            .bind(i64::from(plan.0))
            .bind(i64::from(*from_year))
            .bind(i64::from(*until_year))
            .execute(&mut **transaction)
            .await
            .map(|_| ())
        }
        Settled::ClaimAdjudicated { claim, hospital, insured, plan, rules_version, charged, benefit, share, .. } => {
            let row = Claim {
                claim: claim.0, insured, hospital, plan: plan.0, state: "adjudicated", charged: *charged,
                benefit: *benefit, share: *share, rules_version: *rules_version,
            };
            put_claim(transaction, at, &row).await
        }
        Settled::ClaimPended { claim, hospital, insured, plan, charged, .. } => {
            let row = Claim {
                claim: claim.0, insured, hospital, plan: plan.0, state: "pended", charged: *charged,
                benefit: 0, share: 0, rules_version: 0,
            };
            put_claim(transaction, at, &row).await
        }
        Settled::SharePaid { claim, .. } => {
            sqlx::query("UPDATE claims SET state = 'share_paid' WHERE claim = $1")
                .bind(claim.0.to_string())
                .execute(&mut **transaction)
                .await?;
            trace_claim(transaction, at, &claim.0).await
        }
    }
}

/// The name of a posting's reason in statements.
fn reason_name(reason: &PostingReason) -> &'static str {
    match reason {
        PostingReason::Deposit(_) => "deposit",
        PostingReason::Withdrawal(_) => "withdrawal",
        PostingReason::EscrowHeld(_) => "escrow_held",
        PostingReason::ItemPaid(_) => "item_paid",
        PostingReason::EscrowReturned(_) => "escrow_returned",
        PostingReason::ItemReversed(_) => "item_reversed",
        PostingReason::Benefit(_) => "benefit",
        PostingReason::Share(_) => "share",
    }
}

async fn post(
    transaction: &mut ProjectionTransaction<'_>,
    at: &mut At,
    reason: &str,
    member: &LedgerId,
    line: &Line,
) -> Result<(), sqlx::Error> {
    let (balance,): (i64,) = sqlx::query_as(
        "INSERT INTO balances (account, balance) VALUES ($1, $2)
         ON CONFLICT (account) DO UPDATE SET balance = balances.balance + excluded.balance RETURNING balance",
    )
    .bind(member.to_string())
    .bind(line.amount)
    .fetch_one(&mut **transaction)
    .await?;
    sqlx::query(
        "INSERT INTO statement (account, place, time_us, reason, amount, balance, transaction_id) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(member.to_string())
    .bind(at.next_place())
    .bind(at.time_us)
    .bind(reason)
    .bind(line.amount)
    .bind(balance)
    .bind(at.transaction.to_string())
    .execute(&mut **transaction)
    .await
    .map(|_| ())
}

struct Claim<'a> {
    claim: Digest,
    insured: &'a LedgerId,
    hospital: &'a LedgerId,
    plan: u16,
    state: &'a str,
    charged: i64,
    benefit: i64,
    share: i64,
    rules_version: u32,
}

async fn put_claim(
    transaction: &mut ProjectionTransaction<'_>,
    at: &mut At,
    row: &Claim<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO claims (claim, insured, hospital, plan, state, charged, benefit, share, rules_version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (claim) DO UPDATE SET state = excluded.state, benefit = excluded.benefit, share = excluded.share,
             rules_version = excluded.rules_version",
    )
    .bind(row.claim.to_string())
    .bind(row.insured.to_string())
    .bind(row.hospital.to_string())
    .bind(i64::from(row.plan))
    .bind(row.state)
    .bind(row.charged)
    .bind(row.benefit)
    .bind(row.share)
    .bind(i64::from(row.rules_version))
    .execute(&mut **transaction)
    .await?;
    trace_claim(transaction, at, &row.claim).await
}

async fn trace_claim(
    transaction: &mut ProjectionTransaction<'_>,
    at: &mut At,
    claim: &Digest,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO claim_transactions (claim, place, transaction_id) VALUES ($1, $2, $3)")
        .bind(claim.to_string())
        .bind(at.next_place())
        .bind(at.transaction.to_string())
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}
