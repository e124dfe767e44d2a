//! What an applicant can combine of the answers that it gets.

use std::collections::BTreeSet;

use interfaces::index::{DiseaseSearchResult, RecordHandle};
use serde_json::{Value, json};

use crate::attacked;

const SINUSITIS: &str = "40055000";
/// Fewer patients are not shown, unless the consortium has another parameter.
const USUAL_THRESHOLD: u64 = 11;
const YEARS: std::ops::RangeInclusive<u16> = 2010..=2019;

/// An answer: the years it is about, and the records in it.
struct Answer {
    from: Option<u16>,
    until: Option<u16>,
    records: BTreeSet<RecordHandle>,
}

impl Answer {
    /// Whether its years lie within another's, and are not the same.
    fn is_inside(&self, whole: &Answer) -> bool {
        let begins = whole
            .from
            .is_none_or(|from| self.from.is_some_and(|own| from <= own));
        let ends = whole
            .until
            .is_none_or(|until| self.until.is_some_and(|own| own <= until));
        begins && ends && (self.from, self.until) != (whole.from, whole.until)
    }
}

/// Fault: each answer is judged by itself, and a wider one less a narrower one shows the few patients between them.
#[tokio::test(flavor = "multi_thread")]
async fn an_attack_by_subtracting_answers_of_searches_from_each_other() {
    let system = attacked();
    let genesis = std::fs::read(system.folder.join("genesis.json")).expect("genesis.json");
    let genesis: Value = serde_json::from_slice(&genesis).expect("JSON");
    let threshold = genesis["parameters"]["small_cell_threshold"].as_u64();
    let threshold = threshold.unwrap_or(USUAL_THRESHOLD) as usize;
    let insurer = system.organisation("mutual", "member.json").await;
    let bounds: Vec<Option<u16>> = YEARS.map(Some).chain([None]).collect();
    let (mut answered, mut withheld) = (Vec::new(), 0);
    for from in &bounds {
        for until in &bounds {
            let search = json!({
                "disease": SINUSITIS, "from_year": from, "until_year": until, "page": { "limit": 500 },
            });
            let found: DiseaseSearchResult = insurer
                .post("/v1/searches", &search)
                .await
                .expect("an answer");
            assert_eq!(found.suppressed, found.patients.is_none());
            if found.suppressed {
                withheld += 1;
                assert!(found.records.is_empty() && found.cells.is_empty());
                continue;
            }
            answered.push(Answer {
                from: *from,
                until: *until,
                records: found.records.iter().map(|record| record.handle).collect(),
            });
        }
    }
    println!(
        "{} searches answered, {withheld} withheld; threshold {threshold}",
        answered.len()
    );
    assert!(!answered.is_empty() && withheld > 0);
    // Whatever is left of a wider answer, less one narrower or all of them: nobody, or enough. (So few records are of as
    // few patients or fewer.)
    for whole in &answered {
        let parts: Vec<&Answer> = answered
            .iter()
            .filter(|part| part.is_inside(whole))
            .collect();
        let mut left_of_all = whole.records.clone();
        for part in &parts {
            left_of_all.retain(|record| !part.records.contains(record));
            let left = whole.records.difference(&part.records).count();
            assert!(left == 0 || left >= threshold, "{left} records left over");
        }
        let left = left_of_all.len();
        assert!(
            left == 0 || left >= threshold,
            "{left} records left over of all"
        );
    }
}
