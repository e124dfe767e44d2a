//! What the database has of a projection beside its rows: its version, and how far rows and reactions are.

use bus::Position;
use ledger::Height;
use sqlx::{Any, Row};

use super::Projection;
use crate::database::Store;

/// The height that is due in a projection's rows; 0 if it never ran.
///
/// # Errors
/// What the database says.
pub async fn height(store: &Store, name: &str) -> Result<Height, sqlx::Error> {
    let row = sqlx::query("SELECT next_height FROM projection WHERE name = $1")
        .bind(name)
        .fetch_optional(store.reader())
        .await?;
    let next = row
        .map(|row| row.try_get::<i64, _>(0))
        .transpose()?
        .unwrap_or(0);
    Ok(Height(u64::try_from(next).unwrap_or(0)))
}

/// What the database has of a projection.
pub(super) struct Stored {
    pub(super) version: i64,
    /// None if this program can't read it.
    pub(super) position: Option<Position>,
    /// Reactions to all blocks below are done.
    pub(super) reacted: Height,
}

impl Stored {
    pub(super) async fn read(
        transaction: &mut sqlx::Transaction<'_, Any>,
        name: &str,
    ) -> Result<Option<Stored>, sqlx::Error> {
        let row =
            sqlx::query("SELECT version, position, reacted_height FROM projection WHERE name = $1")
                .bind(name)
                .fetch_optional(&mut **transaction)
                .await?;
        row.map(|row| {
            let position: Vec<u8> = row.try_get(1)?;
            let reacted: i64 = row.try_get(2)?;
            Ok(Stored {
                version: row.try_get(0)?,
                position: Position::from_bytes(&position),
                reacted: Height(u64::try_from(reacted).unwrap_or(0)),
            })
        })
        .transpose()
    }
}

/// Stores how far a projection is.
pub(super) async fn write_position<P: Projection>(
    transaction: &mut sqlx::Transaction<'_, Any>,
    position: Position,
    reacted: Height,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO projection (name, version, next_height, position, reacted_height) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, next_height = excluded.next_height, \
         position = excluded.position, reacted_height = excluded.reacted_height",
    )
    .bind(P::NAME)
    .bind(P::VERSION)
    .bind(i64::try_from(position.next.0).unwrap_or(i64::MAX))
    .bind(position.to_bytes())
    .bind(i64::try_from(reacted.0).unwrap_or(i64::MAX))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
