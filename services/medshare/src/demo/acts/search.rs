//! A research institution searches: what enough patients have is found, what few have is suppressed.

use anyhow::ensure;
use interfaces::index::DiseaseSearchResult;
use serde_json::json;

use crate::demo::population::{HYPERTENSION, SINUSITIS};
use crate::demo::story::{Story, wait_for};

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    let institution = story.institution()?;
    let of = |code| {
        story
            .population
            .diseases
            .get(code)
            .copied()
            .unwrap_or_default() as u64
    };
    let (shown, hidden) = (of(SINUSITIS), of(HYPERTENSION));
    let found = wait_for(
        "all patients with chronic sinusitis are found",
        async || {
            let found = search(&institution, SINUSITIS).await?;
            Ok((found.patients == Some(shown)).then_some(found))
        },
    )
    .await?;
    ensure!(
        !found.suppressed && !found.records.is_empty(),
        "chronic sinusitis is suppressed"
    );
    story.tell(&format!(
        "chronic sinusitis: {shown} patients, {} records to apply for",
        found.records.len()
    ));
    for cell in &found.cells {
        let patients = cell
            .patients
            .map_or("suppressed".to_owned(), |patients| patients.to_string());
        story.tell(&format!("  {} {}: {patients}", cell.dimension, cell.value));
    }
    let few = search(&institution, HYPERTENSION).await?;
    if (hidden as i64) < story.population.threshold(super::super::THRESHOLD) {
        ensure!(
            few.suppressed && few.patients.is_none() && few.records.is_empty(),
            "hypertension is not suppressed"
        );
        story.tell(&format!(
            "hypertension ({hidden} patients) is suppressed: too few"
        ));
    }
    story.found = Some(found);
    Ok(())
}

async fn search(
    institution: &client::Member,
    disease: &str,
) -> anyhow::Result<DiseaseSearchResult> {
    Ok(institution
        .post(
            "/v1/searches",
            &json!({ "disease": disease, "page": { "limit": 500 } }),
        )
        .await?)
}
