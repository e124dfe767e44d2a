//! The two demo hospitals' schemas. A real hospital has its own; only the mapping would change.

use super::ConnectorError;
use super::connector::{DatabaseKind, connect_pool, query};

/// Schema of mapping `a`.
const SCHEMA_A: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS patient (mrn {key} NOT NULL PRIMARY KEY, national_id {short}, full_name {text} NOT NULL)",
    "CREATE TABLE IF NOT EXISTS encounter (encounter_id {key} NOT NULL PRIMARY KEY, mrn {key} NOT NULL, \
     doctor_id {short}, started {short} NOT NULL, class {short} NOT NULL)",
    "CREATE TABLE IF NOT EXISTS resource (encounter_id {key} NOT NULL, full_url {key} NOT NULL, kind {short} NOT NULL, \
     body {text} NOT NULL, PRIMARY KEY (encounter_id, full_url))",
];

/// Schema of mapping `b`.
const SCHEMA_B: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS person (person_no {key} NOT NULL PRIMARY KEY, identity_no {short}, display_name {text} NOT NULL)",
    "CREATE TABLE IF NOT EXISTS visit (visit_no {key} NOT NULL PRIMARY KEY, person_no {key} NOT NULL, attending {short}, \
     visit_start {short} NOT NULL, visit_class {short} NOT NULL, family_name {short}, first_name {short}, born {short}, \
     sex {short}, city {short}, visit_status {short}, began_at {short}, ended_at {short}, visit_type {short})",
    "CREATE TABLE IF NOT EXISTS document (visit_no {key} NOT NULL, document_url {key} NOT NULL, \
     document_type {short} NOT NULL, remainder {text} NOT NULL, PRIMARY KEY (visit_no, document_url))",
];

/// Creates the tables that mapping `a` or `b` describes, where they are missing.
///
/// # Errors
/// When the database can't be reached, or `mapping` is neither `a` nor `b`.
pub async fn create_demo_schema(
    kind: DatabaseKind,
    url: &str,
    mapping: &str,
) -> Result<(), ConnectorError> {
    let statements = match mapping {
        "a" => SCHEMA_A,
        "b" => SCHEMA_B,
        _ => {
            return Err(ConnectorError::Database(
                "only mappings a and b have a demo schema",
            ));
        }
    };
    let pool = connect_pool(kind, url).await?;
    let (key, short, text) = match kind {
        DatabaseKind::Mysql => {
            let exact = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
            (
                format!("VARCHAR(180) {exact}"),
                format!("VARCHAR(200) {exact}"),
                format!("LONGTEXT {exact}"),
            )
        }
        DatabaseKind::Sqlite | DatabaseKind::Postgres => {
            ("TEXT".to_owned(), "TEXT".to_owned(), "TEXT".to_owned())
        }
    };
    for statement in statements {
        let statement = statement
            .replace("{key}", &key)
            .replace("{short}", &short)
            .replace("{text}", &text);
        query(&statement).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}
