//! Writes what the generator and the other writers of FHIR in this crate make into a folder, for
//! validation by others: `cargo run -p clinical --example generate -- FOLDER [PATIENTS] [SEED]`.
//!
//! Files: `patient-N.json` (transaction Bundles), `record-N.json` and `release-N.json` (of each
//! patient's last record: canonical bytes and the de-identified copy), `vitals.json` (Observations of
//! a made-up series), `concept-map.json`.

use std::error::Error;
use std::path::Path;

use clinical::bundle::Bundle;
use clinical::canonical::canonical_bytes;
use clinical::deidentify::release_bytes;
use clinical::generator::{Course, Plan, patients, vital_series};
use clinical::json::{Json, Limits};
use clinical::observation::observations;
use clinical::split::split;
use clinical::terminology::concept_map_json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("usage: generate FOLDER [PATIENTS] [SEED]")?;
    let count = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    for (number, bundle) in patients(&Plan {
        seed,
        patients: count,
        ..Plan::default()
    })
    .enumerate()
    {
        let bytes = bundle.to_bytes();
        std::fs::write(folder.join(format!("patient-{number}.json")), &bytes)?;
        let intake = split(Bundle::parse(&bytes, &Limits::default())?)?;
        if let Some(last) = intake.records.last() {
            std::fs::write(
                folder.join(format!("record-{number}.json")),
                canonical_bytes(&last.record),
            )?;
            std::fs::write(
                folder.join(format!("release-{number}.json")),
                release_bytes(&last.record, &[1; 32]),
            )?;
        }
    }
    let series = vital_series(seed, 0, Course::Deteriorating, 1_700_000_000_000_000, 12, 5);
    let entries = observations(&series, "Patient/1", Some("Device/1"))
        .into_iter()
        .map(|observation| {
            let id = observation.text("id").unwrap_or_default();
            Json::object([
                ("fullUrl", format!("urn:uuid:{id}").into()),
                ("resource", observation),
            ])
        });
    let vitals = Json::object([
        ("resourceType", "Bundle".into()),
        ("type", "collection".into()),
        ("entry", Json::Array(entries.collect())),
    ]);
    std::fs::write(folder.join("vitals.json"), vitals.to_bytes())?;
    std::fs::write(folder.join("concept-map.json"), concept_map_json())?;
    Ok(())
}
