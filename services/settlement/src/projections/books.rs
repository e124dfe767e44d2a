//! The books and the claims, folded from the settlement contract's events.

use std::collections::BTreeMap;

use contracts::Event;
use contracts::settlement::command::BenefitCategory;
use contracts::settlement::event::{Account, Event as Settled, Line, PendReason, PostingReason};
use ledger::{Digest, LedgerId};
use sqlx::Row as _;
use store::projections::ProjectionTransaction;
use store::rows::{Insert, Rows};
use store::{ProjectedBlock, ProjectedEvent, Projection, row};

/// Places of one block's lines: more than a block can have.
const PLACES_PER_BLOCK: i64 = 10_000_000;

/// The projection `books`.
pub(crate) struct Books;

impl Projection for Books {
    const NAME: &'static str = "books";
    const VERSION: i64 = 2;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        self.apply_all(transaction, &[block]).await
    }

    async fn apply_all(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        blocks: &[&ProjectedBlock],
    ) -> anyhow::Result<()> {
        let mut fold = Fold {
            rows: Rows::new(),
            balances: balances(transaction, blocks).await?,
            place: 0,
            time_us: 0,
            transaction: Digest::default(),
        };
        for block in blocks {
            fold.place = block.header.height.0 as i64 * PLACES_PER_BLOCK;
            fold.time_us = block.header.time.0 as i64;
            for event in &block.events {
                fold.transaction = event.transaction;
                if let Event::Settlement(settled) = &event.event {
                    fold.settled(settled);
                }
            }
        }
        fold.finish().flush(transaction).await?;
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for table in [
            "balances",
            "statement",
            "plans",
            "plan_rules",
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

/// Members whose accounts are posted to.
fn members_posted(event: &ProjectedEvent) -> impl Iterator<Item = LedgerId> {
    let lines = match &event.event {
        Event::Settlement(Settled::Posted { lines, .. }) => &lines[..],
        _ => &[],
    };
    lines.iter().filter_map(|line| match line.account {
        Account::Member(member) => Some(member),
        _ => None,
    })
}

/// The balances before these blocks of all accounts that they post to.
async fn balances(
    transaction: &mut ProjectionTransaction<'_>,
    blocks: &[&ProjectedBlock],
) -> Result<BTreeMap<LedgerId, i64>, sqlx::Error> {
    let events = blocks.iter().flat_map(|block| &block.events);
    let mut balances: BTreeMap<LedgerId, i64> = events
        .flat_map(members_posted)
        .map(|member| (member, 0))
        .collect();
    for (member, balance) in &mut balances {
        let row = sqlx::query("SELECT balance FROM balances WHERE account = $1")
            .bind(member.to_string())
            .fetch_optional(&mut **transaction)
            .await?;
        if let Some(row) = row {
            *balance = row.try_get(0)?;
        }
    }
    Ok(balances)
}

static PUT_BALANCE: Insert = Insert::new(
    "balances",
    &["account", "balance"],
    1,
    "ON CONFLICT (account) DO UPDATE SET balance = excluded.balance",
);
static PUT_LINE: Insert = Insert::new(
    "statement",
    &[
        "account",
        "place",
        "time_us",
        "reason",
        "amount",
        "balance",
        "transaction_id",
    ],
    0,
    "",
);
static PUT_PLAN: Insert = Insert::new(
    "plans",
    &["plan", "insurer", "version", "rules"],
    1,
    "ON CONFLICT (plan) DO UPDATE SET version = excluded.version, rules = excluded.rules",
);
static PUT_RULES: Insert = Insert::new(
    "plan_rules",
    &[
        "plan",
        "version",
        "place",
        "time_us",
        "rules",
        "transaction_id",
    ],
    2,
    "ON CONFLICT (plan, version) DO NOTHING",
);
static PUT_COVERAGE: Insert = Insert::new(
    "coverages",
    &["insured", "plan", "from_year", "until_year"],
    2,
    "ON CONFLICT (insured, plan) DO UPDATE SET from_year = excluded.from_year, until_year = excluded.until_year",
);
static PUT_CLAIM: Insert = Insert::new(
    "claims",
    &[
        "claim",
        "insured",
        "hospital",
        "plan",
        "state",
        "charged",
        "benefit",
        "share",
        "rules_version",
        "category",
        "pended_because",
    ],
    1,
    "ON CONFLICT (claim) DO UPDATE SET state = excluded.state, benefit = excluded.benefit, share = excluded.share,
         rules_version = excluded.rules_version",
);
static PUT_CLAIM_TRANSACTION: Insert = Insert::new(
    "claim_transactions",
    &["claim", "place", "transaction_id"],
    0,
    "",
);

/// Rows as they come of events, and where in the ledger they come from.
struct Fold {
    rows: Rows,
    balances: BTreeMap<LedgerId, i64>,
    place: i64,
    time_us: i64,
    transaction: Digest,
}

impl Fold {
    fn next_place(&mut self) -> i64 {
        self.place += 1;
        self.place
    }

    fn settled(&mut self, event: &Settled) {
        match event {
            Settled::Posted { reason, lines } => {
                for line in lines {
                    if let Account::Member(member) = line.account {
                        self.post(reason_name(reason), member, line);
                    }
                }
            }
            Settled::RulesPublished {
                plan,
                insurer,
                version,
                rules,
            } => {
                let rules = serde_json::to_string(rules).unwrap_or_default();
                let place = self.next_place();
                let row = row![
                    i64::from(plan.0),
                    *version,
                    place,
                    self.time_us,
                    rules.clone(),
                    self.transaction.to_string()
                ];
                self.rows.insert(&PUT_RULES, row);
                let row = row![i64::from(plan.0), insurer.to_string(), *version, rules];
                self.rows.insert(&PUT_PLAN, row);
            }
            Settled::CoverageRegistered {
                insured,
                plan,
                from_year,
                until_year,
            } => {
                let row = row![
                    insured.to_string(),
                    i64::from(plan.0),
                    i64::from(*from_year),
                    i64::from(*until_year)
                ];
                self.rows.insert(&PUT_COVERAGE, row);
            }
            Settled::ClaimAdjudicated { .. } | Settled::ClaimPended { .. } => self.claim(event),
            Settled::SharePaid { claim, .. } => {
                self.rows.execute(
                    "claims",
                    "UPDATE claims SET state = 'share_paid' WHERE claim = $1",
                    row![claim.0.to_string()],
                );
                self.trace_claim(&claim.0);
            }
        }
    }

    fn post(&mut self, reason: &str, member: LedgerId, line: &Line) {
        let balance = self.balances.entry(member).or_default();
        *balance += line.amount;
        let balance = *balance;
        let place = self.next_place();
        self.rows.insert(
            &PUT_LINE,
            row![
                member.to_string(),
                place,
                self.time_us,
                reason,
                line.amount,
                balance,
                self.transaction.to_string()
            ],
        );
    }

    fn claim(&mut self, event: &Settled) {
        let (claim, row) = match event {
            Settled::ClaimAdjudicated {
                claim,
                hospital,
                insured,
                plan,
                rules_version,
                category,
                charged,
                benefit,
                share,
            } => (
                claim.0,
                row![
                    claim.0.to_string(),
                    insured.to_string(),
                    hospital.to_string(),
                    i64::from(plan.0),
                    "adjudicated",
                    *charged,
                    *benefit,
                    *share,
                    *rules_version,
                    category_name(*category),
                    None::<String>
                ],
            ),
            Settled::ClaimPended {
                claim,
                hospital,
                insured,
                plan,
                category,
                charged,
                reason,
            } => (
                claim.0,
                row![
                    claim.0.to_string(),
                    insured.to_string(),
                    hospital.to_string(),
                    i64::from(plan.0),
                    "pended",
                    *charged,
                    0_i64,
                    0_i64,
                    0_i64,
                    category_name(*category),
                    Some(pended_because(*reason).to_owned())
                ],
            ),
            _ => return,
        };
        self.rows.insert(&PUT_CLAIM, row);
        self.trace_claim(&claim);
    }

    fn trace_claim(&mut self, claim: &Digest) {
        let place = self.next_place();
        let row = row![claim.to_string(), place, self.transaction.to_string()];
        self.rows.insert(&PUT_CLAIM_TRANSACTION, row);
    }

    fn finish(mut self) -> Rows {
        for (account, balance) in self.balances {
            self.rows
                .insert(&PUT_BALANCE, row![account.to_string(), balance]);
        }
        self.rows
    }
}

/// A category's name in rows, as in JSON.
fn category_name(category: BenefitCategory) -> String {
    format!("{category:?}")
}

/// Why a claim waits, by name.
fn pended_because(reason: PendReason) -> &'static str {
    match reason {
        PendReason::NotCovered => "not_covered",
        PendReason::NoRules => "no_rules",
        PendReason::InsurerFunds => "insurer_funds",
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
