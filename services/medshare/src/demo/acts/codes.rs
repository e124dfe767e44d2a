//! An authorization code opens a record to a doctor of another hospital; it is changed, and the old one fails.

use anyhow::{Context as _, bail, ensure};
use client::Member;
use contracts::Purpose;
use interfaces::records::{RedeemReply, ShownCode, ViewedRecords};
use serde_json::json;

use super::viewing::{of_hospital, own_records};
use crate::demo::story::{Story, refused, wait_for};

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    let patient = story.patient_of_both()?.clone();
    let doctor = story
        .doctors
        .get(1)
        .context("no doctor of the second hospital")?
        .member
        .clone();
    let hospital = &story.hospitals[0];
    let record = *of_hospital(&own_records(&patient.member).await?, hospital.id)
        .first()
        .context("a record")?;
    let path = hospital.path(&format!("records/{record}/code"));
    let shown: ShownCode = patient.member.get(&path).await?;
    ensure!(
        shown
            .code
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '-'),
        "a code is digits and letters"
    );
    let viewed = wait_for("the code opens the record", async || {
        Ok(Some(
            redeem(&doctor, &shown.code, &patient.patient_id).await?,
        ))
    })
    .await?;
    ensure!(
        viewed.records.len() == 1 && viewed.records[0].record == record,
        "the code opened something else"
    );
    story.verified(
        &format!(
            "the patient's code opened one record of {} to a doctor of {}",
            hospital.slug, story.hospitals[1].slug
        ),
        &viewed.committed,
    )?;

    let how = refused(
        "the code with another patient ID",
        redeem_reply(&doctor, &shown.code, "0000-0000-0000").await,
        &[403],
    )?;
    story.tell(&format!("with another patient ID it is {how}"));

    let changed: ShownCode = patient.member.post(&path, &json!({})).await?;
    let committed = changed
        .committed
        .as_ref()
        .context("a change of code without receipt")?;
    story.verified("the patient changed the code", committed)?;
    ensure!(changed.code != shown.code, "the code is the same");
    let how = refused(
        "the old code",
        redeem_reply(&doctor, &shown.code, &patient.patient_id).await,
        &[403, 409],
    )?;
    story.tell(&format!("the old code is {how}"));
    let viewed = wait_for("the new code opens the record", async || {
        Ok(Some(
            redeem(&doctor, &changed.code, &patient.patient_id).await?,
        ))
    })
    .await?;
    story.verified("the new code opened it", &viewed.committed)
}

/// Opens a record by a code, as a doctor.
pub(super) async fn redeem(
    doctor: &Member,
    code: &str,
    patient_id: &str,
) -> anyhow::Result<ViewedRecords> {
    match redeem_reply(doctor, code, patient_id).await? {
        RedeemReply::Viewed(viewed) => Ok(viewed),
        RedeemReply::SignatureNeeded(_) => {
            bail!("a doctor's keys are custodial, but a signature was asked for")
        }
    }
}

async fn redeem_reply(
    doctor: &Member,
    code: &str,
    patient_id: &str,
) -> Result<RedeemReply, client::ClientError> {
    let request = json!({ "code": code, "patient_id": patient_id, "purpose": Purpose::Treatment });
    doctor.post("/v1/codes/redeem", &request).await
}
