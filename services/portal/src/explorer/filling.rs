//! The explorer's rows as the ledger fills them, without the ledger: for measurements with a million blocks.

use store::Store;
use store::row;
use store::rows::{Insert, Rows};

use super::fold::Fold;
use super::migrations::MIGRATIONS;

const AT_ONCE: u64 = 10_000;
/// Microseconds between two blocks.
const APART_US: u64 = 1_000_000;

static BLOCKS: Insert = Insert::new(
    "blocks",
    &[
        "height",
        "hash",
        "time_us",
        "transactions",
        "rejected",
        "system_events",
        "contracts",
        "signers",
    ],
    0,
    "",
);

/// Makes the tables in `url` and puts `count` blocks of one transaction into them, from the height `first` on, the newest
/// made at `newest_us`.
///
/// # Errors
/// What the database says.
pub async fn fill_blocks(url: &str, first: u64, count: u64, newest_us: u64) -> anyhow::Result<()> {
    let store = Store::open(url, MIGRATIONS).await?;
    store::projections::keep_rows::<Fold>(&store).await?;
    for from in (0..count).step_by(AT_ONCE as usize) {
        let mut rows = Rows::in_order(&["blocks"]);
        for number in from..(from + AT_ONCE).min(count) {
            let time_us = newest_us.saturating_sub((count - 1 - number) * APART_US);
            rows.insert(
                &BLOCKS,
                row![
                    i64::try_from(first + number)?,
                    format!("{:064x}", first + number),
                    i64::try_from(time_us)?,
                    1_i64,
                    0_i64,
                    0_i64,
                    "2:1",
                    "0, 1, 2",
                ],
            );
        }
        let mut transaction = store.begin().await?;
        rows.flush(&mut transaction).await?;
        transaction.commit().await?;
    }
    store.close().await;
    Ok(())
}
