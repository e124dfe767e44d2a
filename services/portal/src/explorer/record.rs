//! `GET /explorer/records/{number}`: the transactions that name a record.

use std::collections::BTreeSet;

use axum::extract::Path;
use contracts::RecordNumber;
use interfaces::Problem;

use super::parts;
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::text;
use crate::visit::Visit;
use crate::words::fill;

const SHOWN: u32 = 100;

/// See the module.
pub(crate) async fn show(visit: Visit, Path(number): Path<String>) -> Answer {
    let unknown = || Refusal::from(Problem::not_found("no transaction names this record (yet)"));
    let record: RecordNumber = number.parse().map_err(|_| unknown())?;
    let explorer = &visit.portal.explorer;
    let places = explorer
        .places_of_record(&record.to_string(), SHOWN)
        .await?;
    if places.is_empty() {
        return Err(unknown());
    }
    let heights: BTreeSet<u64> = places.iter().map(|(height, _)| *height).collect();
    let blocks = explorer.source.blocks(heights).await?;
    let mut listed = Vec::new();
    for (height, place) in places {
        let block = blocks.iter().find(|it| it.block.header.height.0 == height);
        let place = place.and_then(|place| parts::listed(block?, place));
        listed.extend(place);
    }
    let words = visit.explorer_words();
    let short = parts::short(&record.to_string());
    let title = fill(words.record, &[("number", &short)]);
    let content = Html::join([
        text::lead(words.record_text),
        text::paragraph_of(text::number(record)),
        parts::entries(&visit, "record-transactions", &listed),
    ]);
    Ok(visit.page(visit.explorer_page(&title, "/explorer/records", content)))
}
