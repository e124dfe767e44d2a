//! The institution applies for records at a price. One is refused by its hospital, one by its patient; the others are
//! released and paid in one state change, and open with the institution's keys. Later a patient withdraws a grant.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use contracts::authorization::command::RefusalReason;
use contracts::{ApplicationId, Purpose};
use interfaces::authorization::{
    ApplicationItem, ApplicationPrepared, ApplyForRecords, ItemSummary, ReleasedContent,
};
use interfaces::settlement::StatementLine;
use interfaces::{Base64, Committed, Page, UnsignedCommand};
use keys::{SealingKey, delivery};
use serde_json::json;

use super::insurance::deposit;
use crate::demo::story::{Granted, Story, refused, wait_for};

const ITEMS: usize = 6;
const PRICE: i64 = 2_500;

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    let application = apply(story).await?;
    hospitals_decide(story, application).await?;
    until(
        &story.institution()?,
        application,
        "patient_pending",
        ITEMS - 1,
    )
    .await?;
    let refused_by_patient = patients_decide(story, application).await?;
    let institution = story.institution()?;
    let expected = ITEMS - 1 - usize::from(refused_by_patient);
    let released = until(&institution, application, "released", expected).await?;
    for item in &released {
        read_released(story, item).await?;
    }
    patients_were_paid(story, &released).await
}

async fn apply(story: &mut Story) -> anyhow::Result<ApplicationId> {
    let institution = story.institution()?;
    let own = institution
        .key()
        .context("the institution holds its key")?
        .ledger_id();
    deposit(
        story,
        own,
        PRICE * ITEMS as i64,
        "the institution's bank pays in",
    )
    .await?;
    let found = story.found.as_ref().context("the search found nothing")?;
    // From both hospitals, where the search tells the hospital.
    let mut by_hospital: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in &found.records {
        by_hospital
            .entry(record.hospital)
            .or_default()
            .push(record.handle);
    }
    let mut handles = Vec::new();
    let mut lists: Vec<_> = by_hospital.into_values().map(Vec::into_iter).collect();
    while handles.len() < ITEMS {
        let before = handles.len();
        handles.extend(lists.iter_mut().filter_map(Iterator::next));
        ensure!(
            handles.len() > before,
            "the search gave only {before} records"
        );
    }
    handles.truncate(ITEMS);
    story.item_keys = handles.iter().map(|_| SealingKey::random()).collect();
    let items = handles
        .into_iter()
        .zip(&story.item_keys)
        .map(|(handle, key)| ApplicationItem {
            handle,
            price: PRICE,
            item_key: Base64(key.public_key().0.to_vec()),
        });
    let request = ApplyForRecords {
        purpose: Purpose::Research,
        statement: "How chronic sinusitis is treated over the years".to_owned(),
        days: 90,
        items: items.collect(),
    };
    let prepared: ApplicationPrepared = institution.post("/v1/applications", &request).await?;
    let commit = institution.sign(&prepared.unsigned).await?;
    story.committed(
        &format!("applied for {ITEMS} records at {PRICE} cents each; the price is held in escrow"),
        &commit,
    )?;
    let application = prepared.application;
    until(&institution, application, "hospital_pending", ITEMS).await?;
    Ok(application)
}

/// Each hospital decides its own items; the first item of all is refused.
async fn hospitals_decide(story: &Story, application: ApplicationId) -> anyhow::Result<()> {
    // The patients hear nothing before their hospital has approved.
    for patient in &story.patients {
        ensure!(
            items(&patient.member, application).await?.is_empty(),
            "a patient saw an item before its hospital approved"
        );
    }
    let mut decided = 0;
    for hospital in &story.hospitals {
        let path = format!("/v1/items?waiting_for_me=true&application={application}&limit=500");
        let waiting: Page<ItemSummary> = hospital.member.get(&path).await?;
        for item in waiting.entries {
            let refuse = (decided == 0).then_some(RefusalReason::Sensitive);
            let path = hospital.path(&format!(
                "applications/{application}/items/{}/decision",
                item.item.index
            ));
            // The hospital's own projection may be a moment behind.
            let committed: Committed = wait_for("the hospital can decide", async || {
                Ok(Some(
                    hospital
                        .member
                        .post(&path, &json!({ "refuse": refuse }))
                        .await?,
                ))
            })
            .await?;
            let what = if refuse.is_some() {
                "refused"
            } else {
                "approved"
            };
            story.verified(
                &format!("{} {what} item {}", hospital.slug, item.item.index),
                &committed,
            )?;
            decided += 1;
        }
    }
    ensure!(
        decided == ITEMS,
        "the hospitals decided {decided} of {ITEMS} items"
    );
    Ok(())
}

/// Each patient decides the own items; the first is refused. Whether one was.
async fn patients_decide(story: &mut Story, application: ApplicationId) -> anyhow::Result<bool> {
    let mut decided = 0;
    for (place, patient) in story.patients.iter().enumerate() {
        let waiting: Page<ItemSummary> = patient
            .member
            .get(&format!(
                "/v1/items?waiting_for_me=true&application={application}&limit=500"
            ))
            .await?;
        for item in waiting.entries {
            let refuse = (decided == 0).then_some(RefusalReason::Purpose);
            let path = format!(
                "/v1/applications/{application}/items/{}/decision",
                item.item.index
            );
            let commit = patient
                .member
                .command(&path, &json!({ "refuse": refuse }))
                .await?;
            let what = if refuse.is_some() {
                "refused"
            } else {
                "approved"
            };
            story.committed(
                &format!("patient {place} {what} item {}", item.item.index),
                &commit,
            )?;
            decided += 1;
        }
    }
    ensure!(
        decided == ITEMS - 1,
        "the patients decided {decided} of {} items",
        ITEMS - 1
    );
    Ok(decided > 0)
}

/// Reads what was released, and checks that it is what the ledger committed to.
async fn read_released(story: &Story, item: &ItemSummary) -> anyhow::Result<()> {
    let institution = story.institution()?;
    let grant = item.grant.context("a released item without grant")?;
    let unsigned: UnsignedCommand = institution
        .post(&format!("/v1/grants/{grant}/reads"), &json!({}))
        .await?;
    let commit = institution.sign(&unsigned).await?;
    let content: ReleasedContent = institution
        .get(&format!("/v1/releases/{}", commit.transaction))
        .await?;
    let key = story
        .item_keys
        .get(usize::from(item.item.index))
        .context("no key for this item")?;
    let named = delivery::item_data(&item.item.application.0, item.item.index);
    let package = delivery::open(key, &named, &content.sealed_key.0, &content.ciphertext.0)
        .map_err(|_| anyhow::anyhow!("released content does not open with the applicant's key"))?;
    ensure!(
        content.release.opens(&package.salt, &[&package.content]),
        "released content does not match its commitment"
    );
    story.committed(
        &format!(
            "item {} opened with the institution's key, {} bytes, as committed",
            item.item.index,
            package.content.len()
        ),
        &commit,
    )
}

async fn patients_were_paid(story: &mut Story, released: &[ItemSummary]) -> anyhow::Result<()> {
    let mut granted = Vec::new();
    for (place, patient) in story.patients.iter().enumerate() {
        let own: Page<ItemSummary> = patient.member.get("/v1/items?limit=500").await?;
        for item in own.entries.iter().filter(|item| item.state == "released") {
            granted.push(Granted {
                grant: item.grant.context("a grant")?,
                patient: place,
            });
        }
    }
    let due = PRICE * released.len() as i64;
    wait_for("the patients see what they were paid", async || {
        let mut paid = 0;
        for patient in &story.patients {
            let statement: Page<StatementLine> =
                patient.member.get("/v1/statement?limit=500").await?;
            let lines = statement.entries.iter();
            paid += lines
                .filter(|line| line.reason == "item_paid")
                .map(|line| line.amount)
                .sum::<i64>();
        }
        Ok((paid == due).then_some(()))
    })
    .await?;
    story.tell(&format!(
        "{due} cents reached the patients' accounts for {} released items",
        released.len()
    ));
    story.granted = granted;
    Ok(())
}

/// Waits until so many items are in a state; lists of the same service show it from then on.
async fn until(
    member: &client::Member,
    application: ApplicationId,
    state: &str,
    count: usize,
) -> anyhow::Result<Vec<ItemSummary>> {
    wait_for(&format!("{count} items are {state}"), async || {
        let mut found = items(member, application).await?;
        found.retain(|item| item.state == state);
        Ok((found.len() == count).then_some(found))
    })
    .await
}

async fn items(
    member: &client::Member,
    application: ApplicationId,
) -> anyhow::Result<Vec<ItemSummary>> {
    let page: Page<ItemSummary> = member
        .get(&format!("/v1/items?application={application}&limit=500"))
        .await?;
    Ok(page.entries)
}

/// The patient withdraws a grant; the institution's next read fails.
pub(in crate::demo) async fn withdraw(story: &mut Story) -> anyhow::Result<()> {
    let granted = story
        .granted
        .first()
        .cloned()
        .context("nothing was granted")?;
    let patient = story.patients[granted.patient].member.clone();
    let commit = patient
        .command(
            &format!("/v1/grants/{}/withdrawal", granted.grant),
            &json!({}),
        )
        .await?;
    story.committed("the patient withdrew a grant", &commit)?;
    let institution = story.institution()?;
    let path = format!("/v1/grants/{}/reads", granted.grant);
    let how = match institution
        .post::<_, UnsignedCommand>(&path, &json!({}))
        .await
    {
        Ok(unsigned) => refused(
            "a read after the withdrawal",
            institution.sign(&unsigned).await,
            &[403, 409],
        )?,
        Err(error) => refused::<()>("a read after the withdrawal", Err(error), &[403, 404, 409])?,
    };
    if how.is_empty() {
        bail!("the read was not refused");
    }
    story.tell(&format!("the institution's next read is {how}"));
    Ok(())
}
