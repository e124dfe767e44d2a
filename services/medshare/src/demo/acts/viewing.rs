//! A patient reads everything from both hospitals; a doctor reads one of the own hospital's records and none of another's.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use client::Member;
use contracts::{Purpose, RecordNumber};
use interfaces::Page;
use interfaces::records::{Integrity, RecordSummary, ViewTrace, ViewedRecords};
use ledger::LedgerId;
use serde::Deserialize;
use serde_json::json;

use crate::demo::story::{Hospital, Story, refused, wait_for};

/// What a patient is shown from all hospitals.
#[derive(Deserialize)]
pub(super) struct FromAllHospitals<T> {
    pub(super) entries: Vec<T>,
    #[serde(default)]
    next: Option<String>,
    pub(super) unavailable: Vec<serde_json::Value>,
}

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    let own = a_patient_reads_everything(story).await?;
    a_doctor_reads(story, &own).await
}

async fn a_patient_reads_everything(story: &Story) -> anyhow::Result<Vec<RecordSummary>> {
    let patient = story.patient_of_both()?;
    let expected: usize = story.person(patient).records.iter().sum();
    let own = own_records(&patient.member).await?;
    ensure!(
        own.len() == expected,
        "{} of {expected} own records are shown",
        own.len()
    );
    for hospital in &story.hospitals {
        let records = of_hospital(&own, hospital.id);
        let viewed = view(&patient.member, hospital, &records, Purpose::PatientRequest).await?;
        let verified = viewed
            .records
            .iter()
            .filter(|record| record.integrity == Integrity::Verified && record.content.is_some());
        ensure!(
            verified.count() == records.len(),
            "not every record of {} verifies",
            hospital.slug
        );
        story.verified(
            &format!(
                "the patient read {} records from {}",
                records.len(),
                hospital.slug
            ),
            &viewed.committed,
        )?;
    }
    Ok(own)
}

async fn a_doctor_reads(story: &Story, own: &[RecordSummary]) -> anyhow::Result<()> {
    let patient = story.patient_of_both()?;
    let (hospital, other) = (&story.hospitals[0], &story.hospitals[1]);
    let doctor = &story.doctors.first().context("no doctor")?.member;
    let page: Page<RecordSummary> = doctor
        .post(
            &hospital.path("records/search"),
            &json!({ "page": { "limit": 500 } }),
        )
        .await?;
    ensure!(
        page.entries.len() == story.population.records_at(0).min(500),
        "the doctor finds {} records at {}",
        page.entries.len(),
        hospital.slug
    );
    let record = *of_hospital(own, hospital.id)
        .first()
        .context("a record here")?;
    let viewed = view(doctor, hospital, &[record], Purpose::Treatment).await?;
    ensure!(
        viewed.records[0].content.is_some(),
        "the doctor was shown nothing"
    );
    story.verified(
        &format!(
            "a doctor of {} read a record without applying",
            hospital.slug
        ),
        &viewed.committed,
    )?;

    let elsewhere = *of_hospital(own, other.id)
        .first()
        .context("a record there")?;
    let how = refused(
        "a view of another hospital's record",
        view(doctor, other, &[elsewhere], Purpose::Treatment).await,
        &[403, 409],
    )?;
    story.tell(&format!(
        "of {} the same doctor's view is {how}",
        other.slug
    ));

    let transaction = viewed.committed.transaction;
    let trace = wait_for("the patient is told of the view", async || {
        let views: FromAllHospitals<ViewTrace> = patient.member.get("/v1/me/views").await?;
        Ok(views
            .entries
            .into_iter()
            .find(|view| view.transaction == transaction))
    })
    .await?;
    let name = trace
        .viewer_name
        .context("the viewer's name does not open for the patient")?;
    story.tell(&format!(
        "the patient sees who viewed: {name}, {}, {:?}, at {}",
        trace.basis, trace.purpose, trace.time
    ));
    Ok(())
}

/// All records of the patient who is signed in.
pub(super) async fn own_records(member: &Member) -> anyhow::Result<Vec<RecordSummary>> {
    let mut records = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/v1/me/records?limit=500&after={after}");
        let own: FromAllHospitals<RecordSummary> = member.get(&path).await?;
        ensure!(
            own.unavailable.is_empty(),
            "hospitals do not answer: {:?}",
            own.unavailable
        );
        records.extend(own.entries);
        match own.next {
            Some(next) => after = next,
            None => return Ok(records),
        }
    }
}

/// The numbers of the records at one hospital.
pub(super) fn of_hospital(records: &[RecordSummary], hospital: LedgerId) -> Vec<RecordNumber> {
    let numbers: BTreeSet<RecordNumber> = records
        .iter()
        .filter(|record| record.hospital == hospital)
        .filter_map(|record| record.record)
        .collect();
    numbers.into_iter().collect()
}

/// Views records of one hospital.
pub(super) async fn view(
    member: &Member,
    hospital: &Hospital,
    records: &[RecordNumber],
    purpose: Purpose,
) -> Result<ViewedRecords, client::ClientError> {
    member
        .post(
            &hospital.path("records/views"),
            &json!({ "records": records, "purpose": purpose }),
        )
        .await
}
