//! A database as hospitals and the ledger fill it, without either: for measurements with a million records.

use interfaces::index::IndexRow;
use ledger::DigestAlgorithm;
use store::Store;
use store::rows::Rows;

use crate::api::put_rows;
use crate::migrations::MIGRATIONS;
use crate::projections::heads::{Heads, head};

/// Makes the tables in `url` and puts records into them: each row as a hospital hands it in, and each head as the
/// projection makes it of a registration. The first part may be followed by more.
///
/// # Errors
/// What the database says.
pub async fn fill(url: &str, parts: impl Iterator<Item = Vec<IndexRow>>) -> anyhow::Result<u64> {
    let store = Store::open(url, MIGRATIONS).await?;
    store::projections::keep_rows::<Heads>(&store).await?;
    let mut count = 0;
    for part in parts {
        put_rows(&store, &part)
            .await
            .map_err(|problem| anyhow::anyhow!("{problem:?}"))?;
        let mut rows = Rows::new();
        for row in &part {
            let commitment = row.commitment(DigestAlgorithm::Sha256);
            head(
                &mut rows,
                &row.record,
                row.version,
                &row.patient,
                &commitment,
            );
        }
        let mut transaction = store.begin().await?;
        rows.flush(&mut transaction).await?;
        transaction.commit().await?;
        count += part.len() as u64;
    }
    store.close().await;
    Ok(count)
}
