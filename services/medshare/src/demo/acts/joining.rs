//! A third hospital joins while everything runs: its records service is started, it registers with its own key, a quorum
//! endorses it, and its doctor opens a record of another hospital by the patient's code.

use anyhow::{Context as _, ensure};
use contracts::membership::command::MemberKind;
use interfaces::records::ShownCode;
use keys::MemberKey;
use serde_json::Value;

use super::codes::redeem;
use super::members::doctor;
use super::viewing::{of_hospital, own_records};
use crate::consortium::{Consortium, HospitalDatabase};
use crate::demo::story::{Hospital, Story, wait_for};

const SLUG: &str = "riverside";
const NAME: &str = "Riverside Hospital";

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    let pids: Vec<_> = story
        .system
        .processes()
        .values()
        .map(|process| process.pid)
        .collect();
    let layout = story.system.layout().clone();
    let added = crate::init::add_hospital(&layout, SLUG, NAME, HospitalDatabase::sqlite("a"))?;
    let consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    crate::init::create_databases(&consortium).await?;
    let started = story.system.take_up_new().await?;
    ensure!(
        started.contains(&added.process),
        "{} was not started",
        added.process
    );
    let key = MemberKey::load(&layout.organisation(SLUG).join("member.json"))?;
    let id = key.ledger_id();
    let commit = story
        .register(&key, MemberKind::Hospital, Some(NAME))
        .await?;
    story.committed(&format!("{NAME} registered"), &commit)?;
    story.endorse_by_quorum(&id, NAME).await?;
    let member = story.client.sign_in_with_key(key).await?;
    let client = story.client.clone();
    wait_for("the gateway lists the hospital", async || {
        let hospitals: Vec<Value> = client.get("/v1/hospitals").await?;
        Ok(hospitals
            .iter()
            .any(|hospital| hospital["hospital"] == id.to_string())
            .then_some(()))
    })
    .await?;
    story.hospitals.push(Hospital {
        slug: SLUG.to_owned(),
        id,
        member,
    });
    let doctor = doctor(story, story.hospitals.len() - 1).await?;

    let patient = story.patient_of_both()?.clone();
    let hospital = &story.hospitals[1];
    let record = *of_hospital(&own_records(&patient.member).await?, hospital.id)
        .first()
        .context("a record")?;
    let shown: ShownCode = patient
        .member
        .get(&hospital.path(&format!("records/{record}/code")))
        .await?;
    let viewed = wait_for(
        "the new hospital's doctor opens a record by code",
        async || {
            Ok(Some(
                redeem(&doctor.member, &shown.code, &patient.patient_id).await?,
            ))
        },
    )
    .await?;
    story.verified(
        &format!(
            "a doctor of {NAME} opened a record of {} by the patient's code",
            hospital.slug
        ),
        &viewed.committed,
    )?;
    let now: Vec<_> = story
        .system
        .processes()
        .into_values()
        .map(|process| process.pid)
        .collect();
    ensure!(
        pids.iter().all(|pid| now.contains(pid)),
        "a process was started anew"
    );
    story.tell("no process was started anew");
    Ok(())
}
