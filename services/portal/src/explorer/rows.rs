//! What pages ask of the rows. Every list is a part of bounded length, found by an index.

use std::collections::BTreeMap;

use interfaces::Problem;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Explorer, database};

/// One block of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockRow {
    pub(super) height: u64,
    pub(super) hash: String,
    pub(super) time_us: u64,
    pub(super) transactions: u64,
    pub(super) rejected: u64,
    pub(super) system_events: u64,
    /// Contracts, ascending, with how many transactions of each.
    pub(super) contracts: Vec<(u16, u64)>,
    pub(super) signers: String,
}

const BLOCK_COLUMNS: &str =
    "height, hash, time_us, transactions, rejected, system_events, contracts, signers";

/// Which blocks of a list: below a height, with transactions only, from and until a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BlockRange {
    pub(super) before: Option<u64>,
    pub(super) full_only: bool,
    pub(super) from_us: Option<u64>,
    pub(super) until_us: Option<u64>,
}

/// A kind of transaction, and how many there were.
#[derive(Clone, Debug)]
pub(super) struct KindRow {
    pub(super) contract: u16,
    pub(super) command: u8,
    pub(super) name: String,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
}

/// A replica's votes in certificates.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VoteRow {
    pub(super) height: u64,
    pub(super) time_us: u64,
    pub(super) votes: u64,
}

/// Transactions of a contract in one step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ActivityRow {
    pub(super) start_us: i64,
    pub(super) contract: u16,
    pub(super) transactions: u64,
}

fn unsigned(row: &AnyRow, column: usize) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(column)?.max(0) as u64)
}

/// As [`super::fold`] writes them: `2:30 3:1`.
fn contracts(text: &str) -> Vec<(u16, u64)> {
    let one = |part: &str| {
        let (contract, count) = part.split_once(':')?;
        Some((contract.parse().ok()?, count.parse().ok()?))
    };
    text.split(' ').filter_map(one).collect()
}

fn block_row(row: &AnyRow) -> Result<BlockRow, sqlx::Error> {
    Ok(BlockRow {
        height: unsigned(row, 0)?,
        hash: row.try_get(1)?,
        time_us: unsigned(row, 2)?,
        transactions: unsigned(row, 3)?,
        rejected: unsigned(row, 4)?,
        system_events: unsigned(row, 5)?,
        contracts: contracts(&row.try_get::<String, _>(6)?),
        signers: row.try_get(7)?,
    })
}

impl Explorer {
    /// Blocks of a range, newest first.
    pub(super) async fn blocks(
        &self,
        range: BlockRange,
        limit: u32,
    ) -> Result<Vec<BlockRow>, Problem> {
        // Heights grow with time: the times become heights first, so that the list walks one index.
        let lowest = match range.from_us {
            Some(from) => self.first_height_at(from).await?,
            None => Some(0),
        };
        let Some(lowest) = lowest else {
            return Ok(Vec::new());
        };
        let by_time = match range.until_us {
            Some(until) => self.first_height_at(until.saturating_add(1)).await?,
            None => None,
        };
        let before = [range.before, by_time].into_iter().flatten().min();
        let before = before.map_or(i64::MAX, |height| i64::try_from(height).unwrap_or(i64::MAX));
        let filter = if range.full_only {
            "AND transactions > 0"
        } else {
            ""
        };
        let query = format!(
            "SELECT {BLOCK_COLUMNS} FROM blocks WHERE height < $1 AND height >= $2 {filter} \
             ORDER BY height DESC LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(before)
            .bind(i64::try_from(lowest).unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(self.store.reader())
            .await
            .map_err(database)?;
        rows.iter()
            .map(block_row)
            .collect::<Result<_, _>>()
            .map_err(database)
    }

    /// The first height whose block is of this time or later; `None` if there is none.
    async fn first_height_at(&self, time_us: u64) -> Result<Option<u64>, Problem> {
        let row =
            sqlx::query("SELECT height FROM blocks WHERE time_us >= $1 ORDER BY time_us LIMIT 1")
                .bind(i64::try_from(time_us).unwrap_or(i64::MAX))
                .fetch_optional(self.store.reader())
                .await
                .map_err(database)?;
        row.map(|row| unsigned(&row, 0))
            .transpose()
            .map_err(database)
    }

    /// Heights at or below `highest` of blocks with transactions of a kind, newest first: of a contract, and of one of
    /// its commands if given.
    pub(super) async fn heights_of_kind(
        &self,
        contract: u16,
        command: Option<u8>,
        highest: u64,
        limit: u32,
    ) -> Result<Vec<u64>, Problem> {
        let highest = i64::try_from(highest).unwrap_or(i64::MAX);
        let query = match command {
            Some(command) => sqlx::query(
                "SELECT height FROM block_kinds WHERE contract = $1 AND command = $2 AND height <= $3 \
                 ORDER BY height DESC LIMIT $4",
            )
            .bind(i64::from(contract))
            .bind(i64::from(command)),
            None => return self.heights_of_contract(contract, highest, limit).await,
        };
        let rows = query
            .bind(highest)
            .bind(i64::from(limit))
            .fetch_all(self.store.reader())
            .await
            .map_err(database)?;
        rows.iter()
            .map(|row| unsigned(row, 0))
            .collect::<Result<_, _>>()
            .map_err(database)
    }

    /// The newest heights of each of the contract's commands, merged.
    async fn heights_of_contract(
        &self,
        contract: u16,
        highest: i64,
        limit: u32,
    ) -> Result<Vec<u64>, Problem> {
        let kinds = self.kinds().await?;
        let mut heights = Vec::new();
        for kind in kinds.iter().filter(|kind| kind.contract == contract) {
            let highest = u64::try_from(highest).unwrap_or_default();
            let found =
                Box::pin(self.heights_of_kind(contract, Some(kind.command), highest, limit));
            heights.extend(found.await?);
        }
        heights.sort_unstable_by(|one, other| other.cmp(one));
        heights.dedup();
        heights.truncate(limit as usize);
        Ok(heights)
    }

    /// Heights at or below `highest` of blocks with transactions, newest first.
    pub(super) async fn heights_with_transactions(
        &self,
        highest: u64,
        limit: u32,
    ) -> Result<Vec<u64>, Problem> {
        let rows = sqlx::query(
            "SELECT height FROM blocks WHERE transactions > 0 AND height <= $1 ORDER BY height DESC LIMIT $2",
        )
        .bind(i64::try_from(highest).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(self.store.reader())
        .await
        .map_err(database)?;
        rows.iter()
            .map(|row| unsigned(row, 0))
            .collect::<Result<_, _>>()
            .map_err(database)
    }

    /// All kinds seen so far.
    pub(super) async fn kinds(&self) -> Result<Vec<KindRow>, Problem> {
        let rows = sqlx::query(
            "SELECT contract, command, name, accepted, rejected FROM kinds ORDER BY contract, command",
        )
        .fetch_all(self.store.reader())
        .await
        .map_err(database)?;
        let kind = |row: &AnyRow| {
            Ok(KindRow {
                contract: unsigned(row, 0)? as u16,
                command: unsigned(row, 1)? as u8,
                name: row.try_get(2)?,
                accepted: unsigned(row, 3)?,
                rejected: unsigned(row, 4)?,
            })
        };
        rows.iter()
            .map(kind)
            .collect::<Result<_, _>>()
            .map_err(database)
    }

    /// Transactions by step of time and contract, ascending.
    pub(super) async fn activity(
        &self,
        step_us: i64,
        from_us: i64,
    ) -> Result<Vec<ActivityRow>, Problem> {
        let rows = sqlx::query(
            "SELECT start_us, contract, transactions FROM activity WHERE step_us = $1 AND start_us >= $2 \
             ORDER BY start_us, contract",
        )
        .bind(step_us)
        .bind(from_us)
        .fetch_all(self.store.reader())
        .await
        .map_err(database)?;
        let activity = |row: &AnyRow| {
            Ok(ActivityRow {
                start_us: row.try_get(0)?,
                contract: unsigned(row, 1)? as u16,
                transactions: unsigned(row, 2)?,
            })
        };
        rows.iter()
            .map(activity)
            .collect::<Result<_, _>>()
            .map_err(database)
    }

    /// The time of the oldest count.
    pub(super) async fn oldest_activity_us(&self) -> Result<Option<i64>, Problem> {
        let row = sqlx::query(
            "SELECT start_us FROM activity WHERE step_us = $1 ORDER BY start_us LIMIT 1",
        )
        .bind(super::fold::STEPS_US[0])
        .fetch_optional(self.store.reader())
        .await
        .map_err(database)?;
        row.map(|row| row.try_get(0)).transpose().map_err(database)
    }

    /// Where transactions that name a record stand, newest first: height, and place in the block (none: the system's).
    pub(super) async fn places_of_record(
        &self,
        record: &str,
        limit: u32,
    ) -> Result<Vec<(u64, Option<u32>)>, Problem> {
        let rows = sqlx::query(
            "SELECT height, place FROM record_transactions WHERE record = $1 ORDER BY height DESC, place DESC LIMIT $2",
        )
        .bind(record)
        .bind(i64::from(limit))
        .fetch_all(self.store.reader())
        .await
        .map_err(database)?;
        let place = |row: &AnyRow| {
            Ok((
                unsigned(row, 0)?,
                u32::try_from(row.try_get::<i64, _>(1)?).ok(),
            ))
        };
        rows.iter()
            .map(place)
            .collect::<Result<_, _>>()
            .map_err(database)
    }

    /// The public names of organisations, by ledger id.
    pub(super) async fn organisations(&self) -> Result<BTreeMap<String, String>, Problem> {
        let rows = sqlx::query("SELECT member, name FROM organisations")
            .fetch_all(self.store.reader())
            .await
            .map_err(database)?;
        let named = |row: &AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.iter()
            .map(named)
            .collect::<Result<_, _>>()
            .map_err(database)
    }

    /// Every replica's newest vote in a certificate.
    pub(super) async fn votes(&self) -> Result<BTreeMap<u16, VoteRow>, Problem> {
        let rows = sqlx::query("SELECT replica, height, time_us, votes FROM votes")
            .fetch_all(self.store.reader())
            .await
            .map_err(database)?;
        let vote = |row: &AnyRow| {
            let vote = VoteRow {
                height: unsigned(row, 1)?,
                time_us: unsigned(row, 2)?,
                votes: unsigned(row, 3)?,
            };
            Ok((unsigned(row, 0)? as u16, vote))
        };
        rows.iter()
            .map(vote)
            .collect::<Result<_, _>>()
            .map_err(database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explorer::migrations::MIGRATIONS;

    /// How SQLite goes about a query.
    async fn plan(store: &store::Store, query: &str) -> String {
        let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
        let rows = sqlx::query(explained)
            .fetch_all(store.reader())
            .await
            .unwrap();
        let lines = rows.iter().map(|row| row.get::<String, _>(3));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn every_list_walks_an_index_so_that_a_long_ledger_does_not_slow_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = store::sqlite_url(&folder.path().join("explorer.db"));
        let store = store::Store::open(&url, MIGRATIONS).await.unwrap();
        let queries = [
            "SELECT height FROM blocks WHERE height < 9 AND height >= 0 ORDER BY height DESC LIMIT 25",
            "SELECT height, hash FROM blocks WHERE height < 9 AND height >= 0 AND transactions > 0 ORDER BY height DESC LIMIT 25",
            "SELECT height FROM blocks WHERE time_us >= 9 ORDER BY time_us LIMIT 1",
            "SELECT height FROM blocks WHERE transactions > 0 AND height <= 9 ORDER BY height DESC LIMIT 100",
            "SELECT height FROM block_kinds WHERE contract = 2 AND command = 0 AND height <= 9 ORDER BY height DESC LIMIT 100",
            "SELECT start_us FROM activity WHERE step_us = 60 AND start_us >= 9 ORDER BY start_us, contract",
            "SELECT height FROM record_transactions WHERE record = 'a' ORDER BY height DESC, place DESC LIMIT 100",
        ];
        for query in queries {
            let plan = plan(&store, query).await;
            assert!(
                plan.contains("SEARCH") && !plan.contains("TEMP B-TREE"),
                "{query}: {plan}"
            );
        }
    }

    #[test]
    fn contracts_are_read_as_they_are_written() {
        assert_eq!(contracts("2:30 3:1"), [(2, 30), (3, 1)]);
        assert_eq!(contracts(""), []);
    }
}
