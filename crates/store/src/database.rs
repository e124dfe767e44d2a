//! Opening a database and bringing its tables up to date.
//!
//! One SQL text serves SQLite and PostgreSQL: `$1` placeholders, `ON CONFLICT`, `RETURNING`, and columns of
//! BIGINT, TEXT and BLOB only (BLOB becomes BYTEA on PostgreSQL). Times are BIGINT microseconds, truth values
//! BIGINT 0 or 1, ids TEXT in hex.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use ledger::DigestAlgorithm;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyPool, AssertSqlSafe, ConnectOptions, Executor, Row};

/// The table `[database]` of a service's configuration.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite://...` or `postgres://...`.
    pub url: String,
}

/// One step of a service's tables: version (ascending, never reused), name, SQL.
///
/// A step that has been applied is never changed; a change is a new step.
pub type Migration = (i64, &'static str, &'static str);

/// A database transaction of the writer.
pub type Transaction = sqlx::Transaction<'static, Any>;

/// Connections with which SQLite readers read while the one writer writes, and all connections of PostgreSQL.
const READERS_MAX: u32 = 8;
const BUSY_TIMEOUT_MS: u32 = 10_000;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names neither SQLite nor PostgreSQL.
    #[error("database url: expected sqlite:... or postgres:...")]
    UnknownDatabase,
    /// The database refused.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A step that was applied has another text now.
    #[error("migration {version} ({name}) of {owner} was changed after it was applied")]
    ChangedMigration {
        /// Whose tables.
        owner: String,
        /// The step.
        version: i64,
        /// Its name.
        name: String,
    },
    /// The tables were made by a newer program.
    #[error("the database has migration {version} of {owner}, which this program does not know")]
    NewerDatabase {
        /// Whose tables.
        owner: String,
        /// The newest step applied.
        version: i64,
    },
    /// A list of steps is not ascending.
    #[error("migrations of {owner} are not in ascending order at {version}")]
    UnorderedMigrations {
        /// Whose tables.
        owner: String,
        /// The step.
        version: i64,
    },
}

/// Which database stands behind the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file: one writer, several readers (WAL, synchronous FULL).
    Sqlite,
    /// A server.
    Postgres,
}

/// A service's database. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Store {
    dialect: Dialect,
    writer: AnyPool,
    reader: AnyPool,
}

impl Store {
    /// Opens (and for SQLite creates) the database and applies what is missing of `migrations`
    /// and of the store's own tables.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is half-applied.
    pub async fn open(url: &str, migrations: &[Migration]) -> Result<Store, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let store = match url.split(':').next() {
            Some("sqlite") => Store::open_sqlite(url).await?,
            Some("postgres" | "postgresql") => Store::open_postgres(url).await?,
            _ => return Err(StoreError::UnknownDatabase),
        };
        store.migrate("store", crate::tables::MIGRATIONS).await?;
        store.migrate("service", migrations).await?;
        Ok(store)
    }

    async fn open_sqlite(url: &str) -> Result<Store, StoreError> {
        let options = options(url)?;
        let pool = |connections: u32, query_only: bool| {
            AnyPoolOptions::new().max_connections(connections).after_connect(move |connection, _| {
                Box::pin(async move {
                    let pragmas = format!(
                        "PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; \
                         PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; \
                         PRAGMA query_only = {};",
                        u8::from(query_only)
                    );
                    connection.execute(sqlx::raw_sql(AssertSqlSafe(pragmas))).await?;
                    Ok(())
                })
            })
        };
        let writer = pool(1, false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await?;
        let reader = pool(READERS_MAX, true).connect_with(options).await?;
        Ok(Store {
            dialect: Dialect::Sqlite,
            writer,
            reader,
        })
    }

    async fn open_postgres(url: &str) -> Result<Store, StoreError> {
        let pool = AnyPoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(Duration::from_secs(15))
            .connect_with(options(url)?)
            .await?;
        Ok(Store {
            dialect: Dialect::Postgres,
            writer: pool.clone(),
            reader: pool,
        })
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Begins a writing transaction. On SQLite it waits for the one writer and takes the write lock at once
    /// (BEGIN IMMEDIATE), so that reading then writing in it never fails for a concurrent writer:
    /// hold it shortly, and never across a request to another process.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres => self.writer.begin().await,
        }
    }

    /// Has what was deleted leave the files too. SQLite has written zeros over it (`secure_delete`), and the log of changes,
    /// in which older pages are, is written back and cut here, as soon as nobody reads them any more. A server cleans up by
    /// itself (PostgreSQL: vacuum).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_deleted(&self) -> Result<(), sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => cut_log(&self.writer).await,
            Dialect::Postgres => Ok(()),
        }
    }

    /// For reading only (SQLite refuses writes there).
    pub fn reader(&self) -> &AnyPool {
        &self.reader
    }

    /// Closes all connections once the transactions under way are done.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn migrate(&self, owner: &str, migrations: &[Migration]) -> Result<(), StoreError> {
        if let Some(pair) = migrations.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(StoreError::UnorderedMigrations {
                owner: owner.into(),
                version: pair[1].0,
            });
        }
        let mut transaction = self.begin().await?;
        if self.dialect == Dialect::Postgres {
            // Two processes that start at once take turns.
            sqlx::query("SELECT pg_advisory_xact_lock(7170831)")
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS store_migration (owner TEXT NOT NULL, version BIGINT NOT NULL, \
             name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (owner, version))",
        )
        .execute(&mut *transaction)
        .await?;
        let applied = sqlx::query(
            "SELECT version, digest FROM store_migration WHERE owner = $1 ORDER BY version",
        )
        .bind(owner)
        .fetch_all(&mut *transaction)
        .await?;
        let applied: Vec<(i64, String)> = applied
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, sqlx::Error>>()?;
        if let Some((version, _)) = applied
            .iter()
            .find(|(version, _)| !migrations.iter().any(|step| step.0 == *version))
        {
            return Err(StoreError::NewerDatabase {
                owner: owner.into(),
                version: *version,
            });
        }
        for (version, name, sql) in migrations {
            let digest = DigestAlgorithm::Sha256.digest(sql.as_bytes()).to_string();
            match applied.iter().find(|(known, _)| known == version) {
                Some((_, known)) if *known == digest => continue,
                Some(_) => {
                    let (owner, name) = (owner.into(), (*name).into());
                    return Err(StoreError::ChangedMigration {
                        owner,
                        version: *version,
                        name,
                    });
                }
                None => {}
            }
            let text = self.dialect.translate(sql);
            transaction
                .execute(sqlx::raw_sql(AssertSqlSafe(text)))
                .await?;
            sqlx::query("INSERT INTO store_migration (owner, version, name, digest) VALUES ($1, $2, $3, $4)")
                .bind(owner)
                .bind(*version)
                .bind(*name)
                .bind(digest)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

impl Dialect {
    /// The text of a migration as this database takes it.
    fn translate(self, sql: &str) -> String {
        match self {
            Dialect::Sqlite => sql.to_owned(),
            Dialect::Postgres => sql
                .split_inclusive(|character: char| {
                    !character.is_ascii_alphanumeric() && character != '_'
                })
                .map(|word| match word.strip_prefix("BLOB") {
                    Some(rest) if rest.len() <= 1 => format!("BYTEA{rest}"),
                    _ => word.to_owned(),
                })
                .collect(),
        }
    }
}

/// Writes an SQLite database's log of changes back and cuts it to nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn cut_log(pool: &AnyPool) -> Result<(), sqlx::Error> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(pool)
            .await?;
        let busy: i64 = row.try_get(0)?;
        if busy == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Readers were always there: the next checkpoint does it.
    tracing::warn!("a database's log could not be cut yet");
    Ok(())
}

fn options(url: &str) -> Result<AnyConnectOptions, StoreError> {
    let options: AnyConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging())
}

/// The URL of an SQLite file, created when missing.
pub fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}?mode=rwc", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_becomes_bytea_as_a_whole_word_only() {
        let text = Dialect::Postgres
            .translate("CREATE TABLE a (b BLOB NOT NULL, BLOBS TEXT, c BLOB);\nx_BLOB BLOB");
        assert_eq!(
            text,
            "CREATE TABLE a (b BYTEA NOT NULL, BLOBS TEXT, c BYTEA);\nx_BLOB BYTEA"
        );
    }
}
