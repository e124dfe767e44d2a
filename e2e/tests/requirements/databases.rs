//! The databases behind the roles: a hospital's on MariaDB, and the index as documents.

use e2e::cast::{Cast, made_up, until_some};
use e2e::story::{medshare, skipped};
use e2e::system::Setup;
use interfaces::Page;
use interfaces::records::{Integrity, RecordSummary, ViewedRecords};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

const NAME: &str =
    "roles_meet_behind_pages_a_relational_hospital_database_and_an_index_of_documents";

/// A92. Fault: a hospital's records work on SQLite alone, or the index keeps what only the hospital may.
#[tokio::test(flavor = "multi_thread")]
async fn roles_meet_behind_pages_a_relational_hospital_database_and_an_index_of_documents() {
    let Some(server) = std::env::var("MEDSHARE_TEST_MARIADB").ok() else {
        skipped(NAME, "no MariaDB server (MEDSHARE_TEST_MARIADB)");
        return;
    };
    let hospital_url = fresh_database(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let description = folder.path().join("consortium.toml");
    let printed = medshare(&["init", "--print-config"]);
    let mut text: toml::Table = String::from_utf8(printed.stdout).unwrap().parse().unwrap();
    for organisation in text["organisations"].as_array_mut().unwrap() {
        if organisation["slug"].as_str() == Some("hillcrest") {
            let table = organisation.as_table_mut().unwrap();
            let database = toml::toml! { kind = "mysql" mapping = "b" demo_schema = true };
            let mut database = toml::Value::Table(database);
            database
                .as_table_mut()
                .unwrap()
                .insert("url".to_owned(), toml::Value::String(hospital_url.clone()));
            table.insert("hospital_database".to_owned(), database);
        }
    }
    std::fs::write(&description, text.to_string()).unwrap();
    let system = Setup {
        init: vec!["--config".to_owned(), description.display().to_string()],
        ..Setup::new()
    }
    .start();
    let cast = Cast::gather(&system).await;
    let hillcrest = cast.hospitals[1].clone();
    let person = &made_up(1)[0];
    let patient = cast.patient(person).await;
    let report = hillcrest.import(&person.bundle).await.unwrap();
    assert_eq!(report.refused.len(), 0);

    // The hospital's database has the rows; the patient reads them back through REST, each opening its commitment.
    let own = hillcrest.path("records/own");
    let page = until_some(async || {
        let page: Page<RecordSummary> = patient.member.get(&own).await.ok()?;
        let all = page.entries.iter().filter(|entry| entry.record.is_some());
        (all.count() == person.records).then_some(page)
    })
    .await;
    let record = page.entries[0].record.unwrap();
    let wanted = json!({ "records": [record], "purpose": "PatientRequest" });
    let view = async || -> ViewedRecords {
        let path = hillcrest.path("records/views");
        patient.member.post(&path, &wanted).await.unwrap()
    };
    assert_eq!(view().await.records[0].integrity, Integrity::Verified);

    // The index has a document for each record, and nothing of its content.
    let file = system.process("index").join("data/index.db");
    let mut index = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let rows = sqlx::query("SELECT row_json FROM index_rows")
        .fetch_all(&mut index)
        .await
        .unwrap();
    assert_eq!(rows.len(), person.records);
    for row in rows {
        let document: serde_json::Value =
            serde_json::from_str(&row.get::<String, _>("row_json")).unwrap();
        assert!(document["record"].is_string());
        assert!(!document.to_string().contains(&person.real_name));
    }

    // The pages stand before the same services.
    // Another test of this program may have done so before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let portal = system.address("portal", "web");
    let page = reqwest::get(format!("http://{portal}/sign-in"))
        .await
        .unwrap();
    assert!(page.status().is_success());
    assert!(page.text().await.unwrap().contains("name=\"viewport\""));
}

/// A database of this test's own on a server.
async fn fresh_database(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!(
        "test_{}",
        data_encoding::HEXLOWER.encode(&keys::secret::random::<8>())
    );
    let mut connection = sqlx::AnyConnection::connect(server).await.unwrap();
    let sql = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection.execute(sqlx::raw_sql(sql)).await.unwrap();
    let (base, parameters) = server
        .split_once('?')
        .map_or((server, String::new()), |(base, rest)| {
            (base, format!("?{rest}"))
        });
    let (base, _) = base.rsplit_once('/').expect("a database in the URL");
    format!("{base}/{name}{parameters}")
}
