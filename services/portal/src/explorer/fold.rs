//! How blocks become the explorer's rows. Rows grow with blocks and with transactions that name a record, not with all
//! transactions: what a page shows of a transaction is read from its block.

use std::collections::{BTreeMap, BTreeSet};

use contracts::membership::Event as Membership;
use contracts::{Event, RecordNumber, authorization, records};
use ledger::{Header, ReplicaId, SignedTransaction};
use sqlx::AssertSqlSafe;
use store::projections::ProjectionTransaction;
use store::{ProjectedBlock, ProjectedEvent, Projection};

use super::migrations::TABLES;

/// A minute, an hour, a day: the steps in which the chart counts.
pub(super) const STEPS_US: [i64; 3] = [60_000_000, 3_600_000_000, 86_400_000_000];

/// The explorer's projection.
#[derive(Debug, Default)]
pub(super) struct Fold;

/// A contract and the number of its command.
type Kind = (u16, u8);

/// Accepted and rejected.
#[derive(Clone, Copy, Default)]
struct Count {
    accepted: i64,
    rejected: i64,
}

impl Projection for Fold {
    const NAME: &'static str = "explorer";
    const VERSION: i64 = 1;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        let counts = counts(block);
        write_block(transaction, block, &counts).await?;
        write_kinds(transaction, block, &counts).await?;
        write_activity(transaction, &block.header, &counts).await?;
        write_records(transaction, block).await?;
        write_organisations(transaction, block).await?;
        write_votes(transaction, block).await
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for table in TABLES {
            let delete = AssertSqlSafe(format!("DELETE FROM {table}"));
            sqlx::query(delete).execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

/// The kind of a transaction: an enum's canonical bytes start with the variant's number, below 128 in one byte.
pub(super) fn kind_of(transaction: &SignedTransaction) -> Kind {
    let body = &transaction.body;
    (
        body.contract.0,
        body.command.first().copied().unwrap_or_default(),
    )
}

fn counts(block: &ProjectedBlock) -> BTreeMap<Kind, Count> {
    let whole = &block.certified.block;
    let mut counts: BTreeMap<Kind, Count> = BTreeMap::new();
    for (transaction, leaf) in whole.transactions.iter().zip(whole.outcomes.iter().skip(1)) {
        let count = counts.entry(kind_of(transaction)).or_default();
        if leaf.outcome.is_accepted() {
            count.accepted += 1;
        } else {
            count.rejected += 1;
        }
    }
    counts
}

/// Transactions by contract, accepted or not.
fn by_contract(counts: &BTreeMap<Kind, Count>) -> BTreeMap<u16, i64> {
    let mut by_contract = BTreeMap::new();
    for ((contract, _), count) in counts {
        *by_contract.entry(*contract).or_default() += count.accepted + count.rejected;
    }
    by_contract
}

async fn write_block(
    transaction: &mut ProjectionTransaction<'_>,
    block: &ProjectedBlock,
    counts: &BTreeMap<Kind, Count>,
) -> anyhow::Result<()> {
    let contracts = by_contract(counts).into_iter();
    let contracts: Vec<String> = contracts
        .map(|(contract, count)| format!("{contract}:{count}"))
        .collect();
    let signers = block.certified.certificate.votes.iter();
    let signers: Vec<String> = signers.map(|(replica, _)| replica.0.to_string()).collect();
    let system = block.certified.block.outcomes.first();
    let system_events = system.map_or(0, |leaf| leaf.events.len());
    sqlx::query(
        "INSERT INTO blocks (height, hash, time_us, transactions, rejected, system_events, contracts, signers) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(block.header.height.0 as i64)
    .bind(block.hash.to_string())
    .bind(block.header.time.0 as i64)
    .bind(i64::from(block.header.transactions))
    .bind(block.rejections.len() as i64)
    .bind(system_events as i64)
    .bind(contracts.join(" "))
    .bind(signers.join(","))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn write_kinds(
    transaction: &mut ProjectionTransaction<'_>,
    block: &ProjectedBlock,
    counts: &BTreeMap<Kind, Count>,
) -> anyhow::Result<()> {
    for ((contract, command), count) in counts {
        sqlx::query(
            "INSERT INTO block_kinds (contract, command, height, accepted, rejected) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(i64::from(*contract))
        .bind(i64::from(*command))
        .bind(block.header.height.0 as i64)
        .bind(count.accepted)
        .bind(count.rejected)
        .execute(&mut **transaction)
        .await?;
        sqlx::query(
            "INSERT INTO kinds (contract, command, name, accepted, rejected) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (contract, command) DO UPDATE SET accepted = kinds.accepted + excluded.accepted, \
             rejected = kinds.rejected + excluded.rejected",
        )
        .bind(i64::from(*contract))
        .bind(i64::from(*command))
        .bind(name_of(block, (*contract, *command)))
        .bind(count.accepted)
        .bind(count.rejected)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// The command's name, from any transaction of this kind that decodes.
fn name_of(block: &ProjectedBlock, kind: Kind) -> String {
    let transactions = block.certified.block.transactions.iter();
    let named = transactions
        .filter(|transaction| kind_of(transaction) == kind)
        .find_map(|it| ledger_view::command_name(it.body.contract, &it.body.command));
    named.unwrap_or_else(|| format!("{}:{}", kind.0, kind.1))
}

async fn write_activity(
    transaction: &mut ProjectionTransaction<'_>,
    header: &Header,
    counts: &BTreeMap<Kind, Count>,
) -> anyhow::Result<()> {
    let time = header.time.0 as i64;
    for (contract, transactions) in by_contract(counts) {
        for step in STEPS_US {
            sqlx::query(
                "INSERT INTO activity (step_us, start_us, contract, transactions) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (step_us, start_us, contract) \
                 DO UPDATE SET transactions = activity.transactions + excluded.transactions",
            )
            .bind(step)
            .bind(time - time.rem_euclid(step))
            .bind(i64::from(contract))
            .bind(transactions)
            .execute(&mut **transaction)
            .await?;
        }
    }
    Ok(())
}

async fn write_records(
    transaction: &mut ProjectionTransaction<'_>,
    block: &ProjectedBlock,
) -> anyhow::Result<()> {
    let mut named = BTreeSet::new();
    for event in &block.events {
        // What the system recorded has place -1.
        let place = if event.is_of_system() {
            -1
        } else {
            i64::from(event.index)
        };
        for record in records_in(event) {
            named.insert((record, place));
        }
    }
    for (record, place) in named {
        sqlx::query("INSERT INTO record_transactions (record, height, place) VALUES ($1, $2, $3)")
            .bind(record)
            .bind(block.header.height.0 as i64)
            .bind(place)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// The records that an event names.
fn records_in(event: &ProjectedEvent) -> Vec<String> {
    use authorization::Event as Authorization;
    use records::Event as Records;
    let one = |record: &RecordNumber| vec![record.to_string()];
    match &event.event {
        Event::Records(event) => match event {
            Records::RecordRegistered { record, .. }
            | Records::RecordAmended { record, .. }
            | Records::CodeSet { record, .. }
            | Records::CodeWithdrawn { record, .. }
            | Records::CodeRedeemed { record, .. }
            | Records::TamperingReported { record, .. }
            | Records::RecordErased { record, .. }
            | Records::ErasureCertified { record, .. } => one(record),
            Records::AccessLogged { records, .. } => records
                .iter()
                .map(|(record, _)| record.to_string())
                .collect(),
            _ => Vec::new(),
        },
        Event::Authorization(
            Authorization::ItemOpened { record, .. } | Authorization::ItemReleased { record, .. },
        ) => one(record),
        _ => Vec::new(),
    }
}

/// Organisations have public names; persons have none on the ledger.
async fn write_organisations(
    transaction: &mut ProjectionTransaction<'_>,
    block: &ProjectedBlock,
) -> anyhow::Result<()> {
    for event in &block.events {
        let (member, kind, name) = match &event.event {
            Event::Membership(
                Membership::FounderNamed {
                    member, kind, name, ..
                }
                | Membership::MemberRegistered {
                    member, kind, name, ..
                },
            ) => (member, kind, name),
            _ => continue,
        };
        let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else {
            continue;
        };
        sqlx::query(
            "INSERT INTO organisations (member, kind, name) VALUES ($1, $2, $3) \
             ON CONFLICT (member) DO UPDATE SET kind = excluded.kind, name = excluded.name",
        )
        .bind(member.to_string())
        .bind(format!("{kind:?}"))
        .bind(name)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

async fn write_votes(
    transaction: &mut ProjectionTransaction<'_>,
    block: &ProjectedBlock,
) -> anyhow::Result<()> {
    for (ReplicaId(replica), _) in &block.certified.certificate.votes {
        sqlx::query(
            "INSERT INTO votes (replica, height, time_us, votes) VALUES ($1, $2, $3, 1) \
             ON CONFLICT (replica) DO UPDATE SET height = excluded.height, time_us = excluded.time_us, \
             votes = votes.votes + 1",
        )
        .bind(i64::from(*replica))
        .bind(block.header.height.0 as i64)
        .bind(block.header.time.0 as i64)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
