//! The connector: one SQL text by mapping and database, over SQLite, MariaDB/MySQL or PostgreSQL.

use std::time::Duration;

use clinical::bundle::Entry;
use clinical::json::{Json, Limits};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, ConnectOptions, Row};

use super::mapping::{Mapping, Mappings};
use super::{ConnectorError, EncounterRows, HospitalDatabase, KEY_BYTES_MAX, StoredEncounter};

const CONNECTIONS_MAX: u32 = 4;

/// Which database product it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// An SQLite file.
    Sqlite,
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

impl DatabaseKind {
    /// A table's or column's name, quoted. Names are checked when the mapping is read.
    pub(super) fn quote(self, name: &str) -> String {
        match self {
            DatabaseKind::Mysql => format!("`{name}`"),
            DatabaseKind::Sqlite | DatabaseKind::Postgres => format!("\"{name}\""),
        }
    }

    /// The placeholder of the argument at `position`, from 1.
    fn placeholder(self, position: usize) -> String {
        match self {
            DatabaseKind::Postgres => format!("${position}"),
            DatabaseKind::Sqlite | DatabaseKind::Mysql => "?".to_owned(),
        }
    }

    fn placeholders(self, count: usize) -> String {
        (1..=count)
            .map(|position| self.placeholder(position))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A hospital's SQL database with a table mapping.
#[derive(Clone, Debug)]
pub struct SqlConnector {
    kind: DatabaseKind,
    pool: AnyPool,
    mappings: Mappings,
}

impl SqlConnector {
    /// Connects; creates nothing.
    ///
    /// # Errors
    /// When the database can't be reached or the URL is of another product than `kind`.
    pub async fn connect(
        kind: DatabaseKind,
        url: &str,
        mappings: Mappings,
    ) -> Result<SqlConnector, ConnectorError> {
        let pool = connect_pool(kind, url).await?;
        Ok(SqlConnector {
            kind,
            pool,
            mappings,
        })
    }

    async fn write(&self, encounter: &EncounterRows) -> Result<(), ConnectorError> {
        let mapping = self.mappings.current();
        for key in [&encounter.key, &encounter.patient_number]
            .into_iter()
            .chain(encounter.entries.iter().map(|entry| &entry.full_url))
        {
            if key.len() > KEY_BYTES_MAX {
                return Err(ConnectorError::KeyTooLong(KEY_BYTES_MAX));
            }
        }
        let mut entries = encounter.entries.clone();
        let columns: Vec<Option<String>> = mapping
            .column
            .iter()
            .map(|column| {
                let entry = entries
                    .iter_mut()
                    .find(|entry| entry.kind() == column.resource)?;
                column.element.take(&mut entry.resource)
            })
            .collect();
        let mut transaction = self.pool.begin().await?;
        self.delete_rows(&mut transaction, mapping, &encounter.key)
            .await?;
        self.write_patient(&mut transaction, mapping, encounter)
            .await?;
        self.write_encounter_row(&mut transaction, mapping, encounter, columns)
            .await?;
        let table = &mapping.resource;
        let names = [
            &table.encounter_key,
            &table.full_url,
            &table.kind,
            &table.body,
        ];
        let insert = self.insert(&table.table, &names.map(String::as_str));
        for entry in &entries {
            let body = String::from_utf8(entry.resource.to_bytes()).expect("JSON is UTF-8");
            query(&insert)
                .bind(encounter.key.clone())
                .bind(entry.full_url.clone())
                .bind(entry.kind().to_owned())
                .bind(body)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn write_patient(
        &self,
        transaction: &mut sqlx::Transaction<'_, Any>,
        mapping: &Mapping,
        encounter: &EncounterRows,
    ) -> Result<(), ConnectorError> {
        let table = &mapping.patient;
        let quote = |name: &str| self.kind.quote(name);
        let update = format!(
            "UPDATE {} SET {} = {}, {} = {} WHERE {} = {}",
            quote(&table.table),
            quote(&table.identity_id),
            self.kind.placeholder(1),
            quote(&table.name),
            self.kind.placeholder(2),
            quote(&table.number),
            self.kind.placeholder(3),
        );
        let updated = query(&update)
            .bind(encounter.identity_id.clone())
            .bind(encounter.patient_name.clone())
            .bind(encounter.patient_number.clone())
            .execute(&mut **transaction)
            .await?;
        if updated.rows_affected() == 0 {
            let names = [&table.identity_id, &table.name, &table.number];
            query(&self.insert(&table.table, &names.map(String::as_str)))
                .bind(encounter.identity_id.clone())
                .bind(encounter.patient_name.clone())
                .bind(encounter.patient_number.clone())
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    async fn write_encounter_row(
        &self,
        transaction: &mut sqlx::Transaction<'_, Any>,
        mapping: &Mapping,
        encounter: &EncounterRows,
        columns: Vec<Option<String>>,
    ) -> Result<(), ConnectorError> {
        let table = &mapping.encounter;
        let own = [
            &table.key,
            &table.patient_number,
            &table.doctor,
            &table.started,
            &table.class,
        ];
        let names: Vec<&str> = own
            .into_iter()
            .chain(mapping.column.iter().map(|column| &column.column))
            .map(String::as_str)
            .collect();
        let insert = self.insert(&table.table, &names);
        let mut insert = query(&insert)
            .bind(encounter.key.clone())
            .bind(encounter.patient_number.clone())
            .bind(encounter.doctor.clone())
            .bind(encounter.started.clone())
            .bind(encounter.class.clone());
        for column in columns {
            insert = insert.bind(column);
        }
        insert.execute(&mut **transaction).await?;
        Ok(())
    }

    async fn delete_rows(
        &self,
        transaction: &mut sqlx::Transaction<'_, Any>,
        mapping: &Mapping,
        key: &str,
    ) -> Result<(), ConnectorError> {
        let tables = [
            (&mapping.resource.table, &mapping.resource.encounter_key),
            (&mapping.encounter.table, &mapping.encounter.key),
        ];
        for (table, column) in tables {
            let delete = format!(
                "DELETE FROM {} WHERE {} = {}",
                self.kind.quote(table),
                self.kind.quote(column),
                self.kind.placeholder(1)
            );
            query(&delete)
                .bind(key.to_owned())
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    fn insert(&self, table: &str, columns: &[&str]) -> String {
        let names: Vec<String> = columns.iter().map(|name| self.kind.quote(name)).collect();
        let placeholders = self.kind.placeholders(columns.len());
        format!(
            "INSERT INTO {} ({}) VALUES ({placeholders})",
            self.kind.quote(table),
            names.join(", ")
        )
    }

    async fn read(
        &self,
        mapping_version: u32,
        key: &str,
    ) -> Result<StoredEncounter, ConnectorError> {
        let mapping = self.mapping(mapping_version)?;
        let quote = |name: &str| self.kind.quote(name);
        let columns: Vec<String> = mapping
            .column
            .iter()
            .map(|column| quote(&column.column))
            .collect();
        let table = &mapping.encounter;
        let listed = if columns.is_empty() {
            quote(&table.key)
        } else {
            columns.join(", ")
        };
        let select = format!(
            "SELECT {listed} FROM {} WHERE {} = {}",
            quote(&table.table),
            quote(&table.key),
            self.kind.placeholder(1)
        );
        let Some(row) = query(&select)
            .bind(key.to_owned())
            .fetch_optional(&self.pool)
            .await?
        else {
            return Ok(StoredEncounter::Missing);
        };
        let mut values = Vec::with_capacity(mapping.column.len());
        for position in 0..mapping.column.len() {
            values.push(optional_text(&row, position)?);
        }
        let table = &mapping.resource;
        let select = format!(
            "SELECT {}, {} FROM {} WHERE {} = {}",
            quote(&table.full_url),
            quote(&table.body),
            quote(&table.table),
            quote(&table.encounter_key),
            self.kind.placeholder(1),
        );
        let rows = query(&select)
            .bind(key.to_owned())
            .fetch_all(&self.pool)
            .await?;
        if rows.is_empty() {
            return Ok(StoredEncounter::Missing);
        }
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            let (Some(full_url), Some(body)) = (optional_text(row, 0)?, optional_text(row, 1)?)
            else {
                return Ok(StoredEncounter::Malformed);
            };
            let Ok(resource) = Json::parse(body.as_bytes(), "Resource", &Limits::default()) else {
                return Ok(StoredEncounter::Malformed);
            };
            entries.push(Entry { full_url, resource });
        }
        Ok(fill_columns(mapping, entries, values))
    }

    async fn identity(&self, patient_number: &str) -> Result<Option<String>, ConnectorError> {
        let table = &self.mappings.current().patient;
        let quote = |name: &str| self.kind.quote(name);
        let select = format!(
            "SELECT {} FROM {} WHERE {} = {}",
            quote(&table.identity_id),
            quote(&table.table),
            quote(&table.number),
            self.kind.placeholder(1)
        );
        let row = query(&select)
            .bind(patient_number.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        row.map_or(Ok(None), |row| optional_text(&row, 0))
    }

    fn mapping(&self, version: u32) -> Result<&Mapping, ConnectorError> {
        self.mappings
            .version(version)
            .ok_or(ConnectorError::UnknownMapping(version))
    }
}

impl HospitalDatabase for SqlConnector {
    fn mapping_version(&self) -> u32 {
        self.mappings.current().version
    }

    fn put_encounter<'a>(
        &'a self,
        encounter: &'a EncounterRows,
    ) -> BoxFuture<'a, Result<(), ConnectorError>> {
        Box::pin(self.write(encounter))
    }

    fn read_encounter<'a>(
        &'a self,
        mapping_version: u32,
        key: &'a str,
    ) -> BoxFuture<'a, Result<StoredEncounter, ConnectorError>> {
        Box::pin(self.read(mapping_version, key))
    }

    fn delete_encounter<'a>(
        &'a self,
        mapping_version: u32,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), ConnectorError>> {
        Box::pin(async move {
            let mapping = self.mapping(mapping_version)?;
            let mut transaction = self.pool.begin().await?;
            self.delete_rows(&mut transaction, mapping, key).await?;
            transaction.commit().await?;
            if self.kind == DatabaseKind::Sqlite {
                store::cut_log(&self.pool).await?;
            }
            Ok(())
        })
    }

    fn identity_id<'a>(
        &'a self,
        patient_number: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, ConnectorError>> {
        Box::pin(self.identity(patient_number))
    }
}

/// Puts the columns' texts back into the resources. A text without its place means that somebody changed the rows.
fn fill_columns(
    mapping: &Mapping,
    mut entries: Vec<Entry>,
    values: Vec<Option<String>>,
) -> StoredEncounter {
    for (column, value) in mapping.column.iter().zip(values) {
        let Some(text) = value else { continue };
        let Some(entry) = entries
            .iter_mut()
            .find(|entry| entry.kind() == column.resource)
        else {
            return StoredEncounter::Malformed;
        };
        if !column.element.put(&mut entry.resource, text) {
            return StoredEncounter::Malformed;
        }
    }
    StoredEncounter::Entries(entries)
}

pub(super) async fn connect_pool(kind: DatabaseKind, url: &str) -> Result<AnyPool, ConnectorError> {
    sqlx::any::install_default_drivers();
    let scheme = url.split(':').next().unwrap_or_default();
    let fits = match kind {
        DatabaseKind::Sqlite => scheme == "sqlite",
        DatabaseKind::Mysql => scheme == "mysql" || scheme == "mariadb",
        DatabaseKind::Postgres => scheme == "postgres" || scheme == "postgresql",
    };
    if !fits {
        return Err(ConnectorError::Database("the URL is of another product"));
    }
    let options: AnyConnectOptions = url.parse()?;
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_secs(15))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if kind == DatabaseKind::Sqlite {
                    let pragmas = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                                   PRAGMA secure_delete = ON;";
                    sqlx::Executor::execute(connection, sqlx::raw_sql(pragmas)).await?;
                }
                Ok(())
            })
        })
        .connect_with(options.disable_statement_logging())
        .await?;
    Ok(pool)
}

/// A statement built from checked names and placeholders alone.
pub(super) fn query(statement: &str) -> Query<'static, Any, AnyArguments> {
    sqlx::query(AssertSqlSafe(statement.to_owned()))
}

fn optional_text(row: &AnyRow, position: usize) -> Result<Option<String>, ConnectorError> {
    Ok(row.try_get::<Option<String>, _>(position)?)
}
