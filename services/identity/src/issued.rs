//! Certificates that were issued beside this service: by `medshare init` and `medshare admin`, which write them down in
//! `authority/issued.jsonl`. They are entered here, so that they can be revoked like all others.

use std::sync::atomic::Ordering;

use interfaces::Problem;
use serde::Deserialize;

use submission::row::database;

use crate::service::Identity;

/// One line of `issued.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issued {
    /// Serial number, hex.
    serial: String,
    /// Ledger id of the member behind it, or the process's name.
    holder: String,
    /// SHA-256 of the certificate's DER, hex.
    fingerprint: String,
    /// When it was issued, microseconds since the Unix epoch.
    issued: u64,
    /// Its end, microseconds since the Unix epoch.
    not_after: u64,
}

impl Identity {
    /// Enters what was written down since the last look.
    pub(crate) async fn enter_issued_elsewhere(&self) -> Result<(), Problem> {
        let Ok(text) = tokio::fs::read_to_string(&self.issued_file).await else {
            return Ok(());
        };
        let length = text.len() as u64;
        if self.issued_read.load(Ordering::Acquire) == length {
            return Ok(());
        }
        let mut transaction = self.store.begin().await.map_err(database)?;
        // A line without its end is still being written.
        for line in text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let issued: Issued = serde_json::from_str(line)
                .map_err(|_| Problem::failure("issued.jsonl has a malformed line"))?;
            sqlx::query(
                "INSERT INTO certificates (serial, member, fingerprint, issued_us, not_after_us) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (serial) DO NOTHING",
            )
            .bind(issued.serial)
            .bind(issued.holder)
            .bind(issued.fingerprint)
            .bind(issued.issued as i64)
            .bind(issued.not_after as i64)
            .execute(&mut *transaction)
            .await
            .map_err(database)?;
        }
        transaction.commit().await.map_err(database)?;
        self.issued_read.store(length, Ordering::Release);
        Ok(())
    }
}
