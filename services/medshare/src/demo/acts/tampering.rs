//! Sabotage: somebody edits a row in a hospital's database behind the system's back. The next read withholds the record
//! and reports the tampering on the ledger.

use anyhow::{Context as _, ensure};
use contracts::Purpose;
use interfaces::records::Integrity;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::viewing::{of_hospital, own_records, view};
use crate::demo::story::{Story, wait_for};

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    let patient = story.patient_of_both()?.clone();
    let hospital = story.hospitals[0].clone();
    let record = *of_hospital(&own_records(&patient.member).await?, hospital.id)
        .last()
        .context("a record")?;
    let viewed = view(
        &patient.member,
        &hospital,
        &[record],
        Purpose::PatientRequest,
    )
    .await?;
    let content = viewed.records[0]
        .content
        .as_deref()
        .context("the record is whole before it is edited")?;
    story.verified("before the edit, the record verifies", &viewed.committed)?;
    let url = encounter_url(content)?;
    edit_row(story, &url).await?;
    story.tell("sabotage: one row of the record is edited in the hospital's database");

    let viewed = view(
        &patient.member,
        &hospital,
        &[record],
        Purpose::PatientRequest,
    )
    .await?;
    let found = &viewed.records[0];
    ensure!(
        found.integrity != Integrity::Verified,
        "the edit was not noticed"
    );
    ensure!(found.content.is_none(), "tampered content was shown");
    story.verified(
        &format!(
            "the next read finds it {:?} and shows nothing",
            found.integrity
        ),
        &viewed.committed,
    )?;
    let client = story.client.clone();
    let tally = &mut story.tally;
    wait_for("the tampering is on the ledger", async || {
        tally.follow(&client).await?;
        Ok((tally.tampering > 0).then_some(()))
    })
    .await?;
    story.tell("the report is on the ledger");
    Ok(())
}

fn encounter_url(content: &str) -> anyhow::Result<String> {
    let bundle: Value = serde_json::from_str(content)?;
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let mut encounters = entries.filter(|entry| entry["resource"]["resourceType"] == "Encounter");
    let url = encounters
        .next()
        .and_then(|entry| entry["fullUrl"].as_str());
    Ok(url.context("the record holds no Encounter")?.to_owned())
}

/// Past every service, as one with access to the hospital's file could.
async fn edit_row(story: &Story, url: &str) -> anyhow::Result<()> {
    let file = story
        .system
        .layout()
        .process("records-lakeside")
        .join("data/hospital.db");
    let mut database = SqliteConnectOptions::new()
        .filename(&file)
        .busy_timeout(std::time::Duration::from_secs(10))
        .connect()
        .await
        .with_context(|| file.display().to_string())?;
    let edited = sqlx::query(
        "UPDATE resource SET body = replace(body, '\"status\":\"finished\"', '\"status\":\"cancelled\"') WHERE kind = 'Encounter' AND full_url = $1",
    )
    .bind(url)
    .execute(&mut database)
    .await?;
    ensure!(
        edited.rows_affected() == 1,
        "{} rows were edited",
        edited.rows_affected()
    );
    database.close().await?;
    Ok(())
}
