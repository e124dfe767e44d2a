//! Makes the services' databases on a PostgreSQL server: one each, so that no service reads another's rows.

use anyhow::Context as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::configuration::database_name;
use super::processes;
use crate::consortium::Consortium;
use crate::system::ProcessDescription;

/// Makes every service's database that is not there yet; nothing for SQLite, whose files the services make themselves.
pub async fn create_databases(consortium: &Consortium) -> anyhow::Result<Vec<String>> {
    if consortium.database == "sqlite" {
        return Ok(Vec::new());
    }
    let server = consortium.database.trim_end_matches('/');
    // No part of the URL in the error: it may hold a password.
    let mut connection = PgConnection::connect(&format!("{server}/postgres"))
        .await
        .context("key `database`: the server's database `postgres` cannot be connected to")?;
    let mut made = Vec::new();
    for process in processes(consortium)
        .processes
        .iter()
        .filter(|process| has_database(process))
    {
        // Letters, digits and underscores only, so it needs no quoting beyond this.
        let name = database_name(&consortium.name, &process.name);
        let found: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut connection)
            .await?;
        if found.is_none() {
            sqlx::query(AssertSqlSafe(format!("CREATE DATABASE \"{name}\"")))
                .execute(&mut connection)
                .await?;
            made.push(name);
        }
    }
    Ok(made)
}

fn has_database(process: &ProcessDescription) -> bool {
    !matches!(process.command.as_str(), "broker" | "ordering" | "gateway")
}
