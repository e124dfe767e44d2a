//! `GET /explorer/search?q=`: leads to the block, transaction or record that a number names.

use contracts::RecordNumber;
use interfaces::Problem;
use ledger::Digest;

use crate::answer::{Answer, redirect};
use crate::design::text;
use crate::visit::Visit;

/// See the module.
pub(crate) async fn show(visit: Visit) -> Answer {
    let asked = visit.query("q").unwrap_or_default();
    let asked = asked.trim().trim_start_matches('#');
    if let Some(place) = place_of(&visit, asked).await? {
        return Ok(redirect(&place));
    }
    let words = visit.explorer_words();
    let content = text::empty(words.nothing_found, words.nothing_found_text);
    let page = visit.explorer_page(words.search, "/explorer/search", content);
    Ok(visit.page_with(axum::http::StatusCode::NOT_FOUND, page))
}

async fn place_of(visit: &Visit, asked: &str) -> Result<Option<String>, Problem> {
    let explorer = &visit.portal.explorer;
    let digits: String = asked
        .chars()
        .filter(|it| !matches!(it, ',' | ' ' | '_'))
        .collect();
    if let Ok(height) = digits.parse::<u64>() {
        let found = explorer.source.block(height).await?;
        return Ok(found.map(|_| format!("/explorer/blocks/{height}")));
    }
    let hex = asked.to_ascii_lowercase();
    if let Ok(record) = hex.parse::<RecordNumber>() {
        let found = explorer.places_of_record(&record.to_string(), 1).await?;
        return Ok((!found.is_empty()).then(|| format!("/explorer/records/{record}")));
    }
    let Ok(digest) = hex.parse::<Digest>() else {
        return Ok(None);
    };
    if let Some(block) = explorer.source.block_by_hash(digest).await? {
        let height = block.block.header.height.0;
        return Ok(Some(format!("/explorer/blocks/{height}")));
    }
    let receipt = visit.portal.bus.receipt(&digest).await;
    let receipt = receipt.map_err(|error| Problem::busy(error.to_string()))?;
    Ok(receipt.map(|_| format!("/explorer/transactions/{digest}")))
}
