//! Content keys of approved items, kept sealed until they are released.

use contracts::{ItemId, RecordNumber};
use keys::{ContentKey, Secret};
use ledger::{Commitment, Digest};
use serde::{Deserialize, Serialize};
use sqlx::AnyPool;

use super::{Connection, column};
use crate::failure::Failure;
use crate::vault::Vault;

const DELIVERY: &str = "medshare/records/delivery/v1";

/// What was sealed for one item.
#[derive(Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// The content key.
    pub key: [u8; 32],
    /// Digest of the ciphertext.
    pub ciphertext: Digest,
    /// Its bytes.
    pub ciphertext_bytes: u64,
    /// Commitment to the released bytes.
    pub release: Commitment,
    /// The record's version.
    pub version: u32,
}

impl Delivery {
    /// The content key.
    pub fn content_key(&self) -> ContentKey {
        ContentKey::from_secret(Secret::from_bytes(self.key))
    }
}

/// An item's name in tables: application, then place.
pub fn item_text(item: &ItemId) -> String {
    format!("{}-{}", item.application, item.index)
}

/// Keeps what was sealed for an item, replacing an attempt before.
pub async fn put(
    connection: &mut Connection,
    vault: &Vault,
    item: &ItemId,
    record: &RecordNumber,
    delivery: &Delivery,
) -> Result<(), Failure> {
    let text = item_text(item);
    sqlx::query(
        "INSERT INTO deliveries (item, record, version, sealed) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (item) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
    )
    .bind(text.clone())
    .bind(record.to_string())
    .bind(i64::from(delivery.version))
    .bind(vault.seal_own(&format!("{DELIVERY}/{text}"), delivery))
    .execute(connection)
    .await?;
    Ok(())
}

/// What was sealed for an item.
pub async fn find(
    pool: &AnyPool,
    vault: &Vault,
    item: &ItemId,
) -> Result<Option<Delivery>, Failure> {
    let text = item_text(item);
    let row = sqlx::query("SELECT sealed FROM deliveries WHERE item = $1")
        .bind(text.clone())
        .fetch_optional(pool)
        .await?;
    row.map(|row| {
        vault.open_own(
            &format!("{DELIVERY}/{text}"),
            &column::<Vec<u8>>(&row, "sealed")?,
        )
    })
    .transpose()
}

/// Notes that the key's transaction goes into the outbox.
pub async fn set_attempt(
    connection: &mut Connection,
    item: &ItemId,
    until: i64,
) -> Result<(), Failure> {
    sqlx::query("UPDATE deliveries SET attempt_until = $1 WHERE item = $2")
        .bind(until)
        .bind(item_text(item))
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets the key once it is released, or the item ended otherwise.
pub async fn forget(connection: &mut Connection, item: &str) -> Result<(), Failure> {
    sqlx::query("DELETE FROM deliveries WHERE item = $1")
        .bind(item.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}
