//! The connector against both demo schemas, on every database product that is there.

use clinical::bundle::{Bundle, Entry};
use clinical::json::{Json, Limits};
use clinical::{Record, canonical};
use proptest::prelude::*;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::connector::connect_pool;
use super::*;
use crate::testing::bundle_text;

/// A fresh database with the tables of a mapping.
struct Hospital {
    kind: DatabaseKind,
    url: String,
    connector: SqlConnector,
    _folder: Option<tempfile::TempDir>,
}

impl Hospital {
    async fn open(kind: DatabaseKind, mapping: &str, test: &str) -> Option<Hospital> {
        let (url, folder) = match kind {
            DatabaseKind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("hospital.db");
                (
                    format!("sqlite://{}?mode=rwc", path.display()),
                    Some(folder),
                )
            }
            DatabaseKind::Mysql => (fresh_database("MEDSHARE_TEST_MARIADB", test).await?, None),
            DatabaseKind::Postgres => (fresh_database("MEDSHARE_TEST_POSTGRES", test).await?, None),
        };
        create_demo_schema(kind, &url, mapping).await.unwrap();
        create_demo_schema(kind, &url, mapping)
            .await
            .expect("creating the tables again changes nothing");
        let mappings = Mappings::new(Mapping::load(mapping).unwrap(), Vec::new()).unwrap();
        let connector = SqlConnector::connect(kind, &url, mappings).await.unwrap();
        Some(Hospital {
            kind,
            url,
            connector,
            _folder: folder,
        })
    }

    async fn execute(&self, statement: &str) {
        let pool = connect_pool(self.kind, &self.url).await.unwrap();
        pool.execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned())))
            .await
            .unwrap();
        pool.close().await;
    }

    async fn canonical(&self, key: &str) -> Option<Vec<u8>> {
        match self.connector.read_encounter(1, key).await.unwrap() {
            StoredEncounter::Entries(entries) => Some(canonical::canonical_bytes(
                &Record::from_entries(entries).ok()?,
            )),
            StoredEncounter::Missing | StoredEncounter::Malformed => None,
        }
    }
}

/// A fresh database on the server that an environment variable names; none without the variable, which is noted.
async fn fresh_database(variable: &str, test: &str) -> Option<String> {
    let Some(server) = std::env::var(variable).ok().filter(|url| !url.is_empty()) else {
        note_skipped(test, variable);
        return None;
    };
    sqlx::any::install_default_drivers();
    let name = format!(
        "test_{}",
        data_encoding::HEXLOWER.encode(&keys::secret::random::<8>())
    );
    let mut connection = sqlx::AnyConnection::connect(&server).await.expect(variable);
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(format!(
            "CREATE DATABASE {name}"
        ))))
        .await
        .unwrap();
    let (base, parameters) = server
        .split_once('?')
        .map_or((server.as_str(), String::new()), |(base, rest)| {
            (base, format!("?{rest}"))
        });
    let base = base.rsplit_once('/').expect("a database in the URL").0;
    Some(format!("{base}/{name}{parameters}"))
}

fn note_skipped(test: &str, variable: &str) {
    use std::io::Write;
    let Some(path) = std::env::var_os("MEDSHARE_SKIPPED") else {
        return;
    };
    if let Ok(mut file) = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
    {
        // A note that can't be written is no reason to fail a test.
        let _ = writeln!(file, "{test}: no server ({variable})");
    }
}

fn rows(key: &str, entries: Vec<Entry>) -> EncounterRows {
    EncounterRows {
        key: key.to_owned(),
        patient_number: "MR-1".to_owned(),
        identity_id: Some("999-1".to_owned()),
        patient_name: "Ada Canary".to_owned(),
        doctor: None,
        started: "2015-03-07".to_owned(),
        class: "AMB".to_owned(),
        entries,
    }
}

fn sample(value: &str) -> Vec<Entry> {
    let bundle = Bundle::parse(bundle_text("p1", value).as_bytes(), &Limits::default()).unwrap();
    clinical::split::split(bundle)
        .unwrap()
        .records
        .remove(0)
        .record
        .into_entries()
}

fn canonical_of(entries: &[Entry]) -> Vec<u8> {
    canonical::canonical_bytes(&Record::from_entries(entries.to_vec()).unwrap())
}

async fn derives_the_same_bytes(kind: DatabaseKind, test: &str) {
    for mapping in ["a", "b"] {
        let Some(hospital) = Hospital::open(kind, mapping, test).await else {
            return;
        };
        let entries = sample("1.00");
        hospital
            .connector
            .put_encounter(&rows("visit-1", entries.clone()))
            .await
            .unwrap();
        assert_eq!(
            hospital.canonical("visit-1").await.unwrap(),
            canonical_of(&entries),
            "schema {mapping}"
        );
        let changed = sample("1.0");
        hospital
            .connector
            .put_encounter(&rows("visit-1", changed.clone()))
            .await
            .unwrap();
        assert_eq!(
            hospital.canonical("visit-1").await.unwrap(),
            canonical_of(&changed),
            "schema {mapping}"
        );
        assert_eq!(
            hospital
                .connector
                .identity_id("MR-1")
                .await
                .unwrap()
                .as_deref(),
            Some("999-1")
        );
        assert_eq!(hospital.connector.identity_id("MR-2").await.unwrap(), None);
        // Keys that differ in case are two encounters.
        hospital
            .connector
            .put_encounter(&rows("VISIT-1", entries.clone()))
            .await
            .unwrap();
        hospital
            .connector
            .delete_encounter(1, "visit-1")
            .await
            .unwrap();
        assert_eq!(
            hospital
                .connector
                .read_encounter(1, "visit-1")
                .await
                .unwrap(),
            StoredEncounter::Missing
        );
        assert_eq!(
            hospital.canonical("VISIT-1").await.unwrap(),
            canonical_of(&entries)
        );
    }
}

async fn shows_every_edit(kind: DatabaseKind, test: &str) {
    for (mapping, edits) in [
        (
            "a",
            [
                "UPDATE resource SET body = '{}'",
                "UPDATE resource SET body = 'x'",
                "DELETE FROM resource WHERE kind = 'Observation'",
            ],
        ),
        (
            "b",
            [
                "UPDATE visit SET family_name = 'Other'",
                "UPDATE document SET remainder = '{\"city\":1}' WHERE document_type = 'Patient'",
                "UPDATE visit SET began_at = NULL",
            ],
        ),
    ] {
        for edit in edits {
            let Some(hospital) = Hospital::open(kind, mapping, test).await else {
                return;
            };
            let entries = sample("1.00");
            hospital
                .connector
                .put_encounter(&rows("visit-1", entries.clone()))
                .await
                .unwrap();
            hospital.execute(edit).await;
            assert_ne!(
                hospital.canonical("visit-1").await,
                Some(canonical_of(&entries)),
                "{edit}"
            );
        }
    }
}

#[tokio::test]
async fn both_schemas_give_back_the_canonical_bytes_on_sqlite() {
    derives_the_same_bytes(DatabaseKind::Sqlite, "both_schemas_on_sqlite").await;
}

#[tokio::test]
async fn both_schemas_give_back_the_canonical_bytes_on_mariadb() {
    derives_the_same_bytes(
        DatabaseKind::Mysql,
        "both_schemas_give_back_the_canonical_bytes_on_mariadb",
    )
    .await;
}

#[tokio::test]
async fn both_schemas_give_back_the_canonical_bytes_on_postgresql() {
    derives_the_same_bytes(
        DatabaseKind::Postgres,
        "both_schemas_give_back_the_canonical_bytes_on_postgresql",
    )
    .await;
}

#[tokio::test]
async fn an_edited_row_or_column_shows_in_the_bytes_on_sqlite() {
    shows_every_edit(DatabaseKind::Sqlite, "an_edited_row_on_sqlite").await;
}

#[tokio::test]
async fn an_edited_row_or_column_shows_in_the_bytes_on_mariadb() {
    shows_every_edit(
        DatabaseKind::Mysql,
        "an_edited_row_or_column_shows_in_the_bytes_on_mariadb",
    )
    .await;
}

#[tokio::test]
async fn an_edited_row_or_column_shows_in_the_bytes_on_postgresql() {
    shows_every_edit(
        DatabaseKind::Postgres,
        "an_edited_row_or_column_shows_in_the_bytes_on_postgresql",
    )
    .await;
}

#[tokio::test]
async fn a_key_that_tables_can_not_hold_is_refused_and_nothing_is_written() {
    let hospital = Hospital::open(DatabaseKind::Sqlite, "b", "").await.unwrap();
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    let refused = hospital
        .connector
        .put_encounter(&rows(&long, sample("1")))
        .await;
    assert!(matches!(refused, Err(ConnectorError::KeyTooLong(_))));
    assert_eq!(hospital.connector.identity_id("MR-1").await.unwrap(), None);
}

#[tokio::test]
async fn a_url_of_another_product_is_refused() {
    let mappings = Mappings::new(Mapping::load("a").unwrap(), Vec::new()).unwrap();
    assert!(
        SqlConnector::connect(DatabaseKind::Mysql, "sqlite::memory:", mappings)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_was_written_under_an_earlier_mapping_is_read_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("hospital.db").display()
    );
    create_demo_schema(DatabaseKind::Sqlite, &url, "b")
        .await
        .unwrap();
    let earlier = Mapping::load("b").unwrap();
    let old = SqlConnector::connect(
        DatabaseKind::Sqlite,
        &url,
        Mappings::new(earlier.clone(), Vec::new()).unwrap(),
    )
    .await
    .unwrap();
    let entries = sample("1.00");
    old.put_encounter(&rows("visit-1", entries.clone()))
        .await
        .unwrap();
    let mut later = earlier.clone();
    later.version = 2;
    later.column.retain(|column| column.column != "city");
    let new = SqlConnector::connect(
        DatabaseKind::Sqlite,
        &url,
        Mappings::new(later, vec![earlier]).unwrap(),
    )
    .await
    .unwrap();
    let StoredEncounter::Entries(read) = new.read_encounter(1, "visit-1").await.unwrap() else {
        panic!("rows")
    };
    assert_eq!(canonical_of(&read), canonical_of(&entries));
    assert!(matches!(
        new.read_encounter(3, "visit-1").await,
        Err(ConnectorError::UnknownMapping(3))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_patient_and_encounter_come_back_from_columns_exactly(
        family in any::<Option<String>>(),
        given in prop::collection::vec(any::<String>(), 0..3),
        city in any::<Option<String>>(),
        start in any::<Option<String>>(),
    ) {
        let text = |value: &Option<String>| value.clone().map_or(Json::Null, Json::from);
        let name = Json::object([("family", text(&family)), ("given", given.into_iter().map(Json::from).collect::<Vec<_>>().into())]);
        let address = Json::object([("city", text(&city))]);
        let patient = Json::object([
            ("resourceType", "Patient".into()), ("name", vec![name].into()), ("address", vec![address].into()),
        ]);
        let encounter = Json::object([
            ("resourceType", "Encounter".into()), ("period", Json::object([("start", text(&start))])),
        ]);
        let mapping = Mapping::load("b").unwrap();
        for whole in [patient, encounter] {
            let mut rest = whole.clone();
            let kind = whole.text("resourceType").unwrap().to_owned();
            let columns: Vec<_> = mapping.column.iter().filter(|column| column.resource == kind).collect();
            let taken: Vec<Option<String>> = columns.iter().map(|column| column.element.take(&mut rest)).collect();
            for (column, text) in columns.iter().zip(taken) {
                if let Some(text) = text {
                    prop_assert!(column.element.put(&mut rest, text));
                }
            }
            prop_assert_eq!(rest, whole);
        }
    }
}
