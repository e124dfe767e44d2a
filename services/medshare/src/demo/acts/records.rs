//! Both hospitals import their encounters; one replica is killed at the beginning and comes back in the middle.

use anyhow::ensure;
use client::VerifiedCommit;
use interfaces::records::ImportReport;

use crate::demo::story::{Hospital, Story, wait_for};

/// The replica that is away for a while.
const AWAY: &str = "replica-3";

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    story.tell(&format!("sabotage: {AWAY} is killed"));
    story.system.kill(AWAY).await?;
    let count = story.population.people.len();
    let first = import(story, 0..count / 2).await;
    story.tell(&format!("{AWAY} is started again"));
    story.system.start_process(AWAY).await?;
    let first = first?;
    let second = import(story, count / 2..count).await?;
    if let Some(last) = second.or(first) {
        story.committed("the last record of the imports", &last)?;
    }
    until_all_are_registered(story).await?;
    again_doubles_nothing(story).await
}

/// Imports some patients at both hospitals at once.
async fn import(
    story: &Story,
    people: std::ops::Range<usize>,
) -> anyhow::Result<Option<VerifiedCommit>> {
    let (one, other) = tokio::join!(
        import_at(story, 0, people.clone()),
        import_at(story, 1, people)
    );
    Ok(other?.or(one?))
}

async fn import_at(
    story: &Story,
    place: usize,
    people: std::ops::Range<usize>,
) -> anyhow::Result<Option<VerifiedCommit>> {
    let hospital = &story.hospitals[place];
    let (mut taken, mut waiting) = (0, 0);
    let mut last = None;
    let until = people.end;
    for person in people {
        let Some(bundle) = &story.population.people[person].bundles[place] else {
            continue;
        };
        let report = take(hospital, bundle).await?;
        ensure!(
            report.refused.is_empty(),
            "{} refused {:?}",
            hospital.slug,
            report.refused
        );
        taken += report.registered.len();
        waiting += report.waiting;
        for registered in &report.registered {
            let commit = story.client.receipts().verify(&registered.committed)?;
            story.keep_receipt(&commit)?;
            last = Some(commit);
        }
        if (person + 1) % 8 == 0 || person + 1 == until {
            story.tell(&format!(
                "{}: up to patient {} of {}: {taken} records registered, {waiting} more in the hospital's database",
                hospital.slug,
                person + 1,
                story.population.people.len()
            ));
        }
    }
    Ok(last)
}

async fn take(hospital: &Hospital, bundle: &[u8]) -> anyhow::Result<ImportReport> {
    Ok(hospital
        .member
        .post_fhir(&hospital.path("records/import"), bundle.to_vec())
        .await?)
}

/// Records of patients who were new to a hospital register themselves once the patient's id there is endorsed.
async fn until_all_are_registered(story: &mut Story) -> anyhow::Result<()> {
    let (records, claims) = (story.population.records as u64, story.population.claims);
    let client = story.client.clone();
    let tally = &mut story.tally;
    let all = wait_for(
        "all records are registered and all claims decided",
        async || {
            tally.follow(&client).await?;
            let decided = tally.adjudicated.len() as u64 + tally.pended;
            Ok((tally.records >= records && decided >= claims as u64).then_some(()))
        },
    );
    let waited = all.await;
    story.tell(&format!(
        "{} of {records} records and {} of {claims} claims are on the ledger",
        story.tally.records,
        story.tally.adjudicated.len()
    ));
    waited
}

/// An import that is run again takes nothing twice.
async fn again_doubles_nothing(story: &Story) -> anyhow::Result<()> {
    let place = story
        .population
        .people
        .iter()
        .find_map(|person| person.bundles[0].as_ref().map(|bundle| (person, bundle)));
    let Some((person, bundle)) = place else {
        return Ok(());
    };
    let report = take(&story.hospitals[0], bundle).await?;
    ensure!(
        report.registered.is_empty() && report.unchanged.len() == person.records[0],
        "an import run again registered {} and left {} unchanged",
        report.registered.len(),
        report.unchanged.len()
    );
    story.tell(&format!(
        "the same import again: {} unchanged, none doubled",
        report.unchanged.len()
    ));
    Ok(())
}
