//! Lists of transactions.

use askama::Template;
use ledger::{CertifiedBlock, Digest, Outcome};

use super::frame::short;
use crate::design::Html;
use crate::visit::Visit;

/// A transaction of a list.
pub(in crate::explorer) struct Listed {
    pub(in crate::explorer) id: Digest,
    pub(in crate::explorer) height: u64,
    pub(in crate::explorer) place: u32,
    pub(in crate::explorer) time_us: u64,
    pub(in crate::explorer) contract: u16,
    pub(in crate::explorer) name: String,
    pub(in crate::explorer) outcome: Outcome,
}

/// The transaction at a place of a block.
pub(in crate::explorer) fn listed(block: &CertifiedBlock, place: u32) -> Option<Listed> {
    let transaction = block.block.transactions.get(place as usize)?;
    let leaf = block.block.outcomes.get(place as usize + 1)?;
    let body = &transaction.body;
    Some(Listed {
        id: leaf.transaction,
        height: block.block.header.height.0,
        place,
        time_us: block.block.header.time.0,
        contract: body.contract.0,
        name: ledger_view::command_name(body.contract, &body.command)
            .unwrap_or_else(|| body.contract.to_string()),
        outcome: leaf.outcome,
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<li class="explorer-entry"><svg viewBox="0 0 10 10" width="12" height="12" aria-hidden="true" focusable="false"><rect class="kind-{{ entry.contract }}" width="10" height="10" rx="2"/></svg><a class="explorer-entry__name" href="/explorer/transactions/{{ entry.id }}">{{ name }}<span class="nhsuk-u-visually-hidden"> {{ short }}</span></a><span class="explorer-entry__id" aria-hidden="true">{{ short }}</span><span class="explorer-entry__outcome">{{ outcome }}</span><span class="explorer-entry__when"><a href="/explorer/blocks/{{ entry.height }}">{{ height }}</a> · {{ ago }}</span></li>"##
)]
struct Entry<'a> {
    entry: &'a Listed,
    name: &'a str,
    short: &'a str,
    height: &'a str,
    outcome: &'a Html,
    ago: &'a Html,
}

/// One line of a list of transactions.
pub(in crate::explorer) fn entry(visit: &Visit, entry: &Listed) -> Html {
    Html::of(&Entry {
        entry,
        name: &visit.spoken(&entry.name),
        short: &short(&entry.id.to_string()),
        height: &visit.count(entry.height),
        outcome: &visit.outcome(entry.outcome),
        ago: &visit.ago(entry.time_us),
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="explorer-entries" id="{{ id }}">{% for entry in entries %}{{ entry }}{% endfor %}</ul>"#
)]
struct Entries<'a> {
    id: &'a str,
    entries: &'a [Html],
}

/// A list of transactions.
pub(in crate::explorer) fn entries(visit: &Visit, id: &str, listed: &[Listed]) -> Html {
    let entries: Vec<Html> = listed.iter().map(|it| entry(visit, it)).collect();
    Html::of(&Entries {
        id,
        entries: &entries,
    })
}
