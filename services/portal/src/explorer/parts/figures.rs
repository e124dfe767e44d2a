//! Numbers at the top of a page, block tiles, bars and their legend.

use askama::Template;
use ledger::CertifiedBlock;

use crate::design::Html;
use crate::explorer::fold::kind_of;
use crate::explorer::rows::BlockRow;
use crate::visit::Visit;

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<dl class="explorer-figures">{% for figure in figures %}<div><dt>{{ figure.name }}</dt><dd id="{{ figure.id }}">{{ figure.value }}</dd></div>{% endfor %}</dl>"#
)]
struct Figures<'a> {
    figures: &'a [Figure<'a>],
}

/// One of the numbers at the top.
pub(in crate::explorer) struct Figure<'a> {
    pub(in crate::explorer) id: &'a str,
    pub(in crate::explorer) name: &'a str,
    pub(in crate::explorer) value: Html,
}

/// Numbers at the top of a page.
pub(in crate::explorer) fn figures(figures: &[Figure<'_>]) -> Html {
    Html::of(&Figures { figures })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<li class="explorer-tile{% if block.transactions == 0 %} explorer-tile--empty{% endif %}" data-height="{{ block.height }}"><a href="/explorer/blocks/{{ block.height }}"><span class="explorer-tile__height">{{ height }}</span><span class="explorer-tile__count">{{ count }}</span>{{ bar }}<span class="explorer-tile__age">{{ ago }}</span></a></li>"##
)]
struct Tile<'a> {
    block: &'a BlockRow,
    height: &'a str,
    count: &'a str,
    bar: &'a Html,
    ago: &'a Html,
}

/// A block of the live strip.
pub(in crate::explorer) fn tile(visit: &Visit, block: &BlockRow) -> Html {
    Html::of(&Tile {
        block,
        height: &visit.count(block.height),
        count: &visit.transactions(block.transactions),
        bar: &bar(&block.contracts),
        ago: &visit.ago(block.time_us),
    })
}

/// The contracts of a block's transactions, ascending, with how many there are of each.
pub(in crate::explorer) fn contracts_in(block: &CertifiedBlock) -> Vec<(u16, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for transaction in &block.block.transactions {
        *counts.entry(kind_of(transaction).0).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<svg class="explorer-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">{% for (from, width, contract) in segments %}<rect class="kind-{{ contract }}" x="{{ from }}" y="0" width="{{ width }}" height="6"/>{% endfor %}</svg>"#
)]
struct Bar<'a> {
    segments: &'a [(String, String, u16)],
}

/// Shares of the contracts, as one bar.
fn bar(kinds: &[(u16, u64)]) -> Html {
    let all: u64 = kinds.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    let mut segments = Vec::new();
    for (contract, count) in kinds {
        let share = |count: u64| format!("{:.2}", 100.0 * count as f64 / all.max(1) as f64);
        segments.push((share(before), share(*count), *contract));
        before += count;
    }
    Html::of(&Bar {
        segments: &segments,
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="explorer-legend">{% for (contract, name) in entries %}<li><svg viewBox="0 0 10 10" width="12" height="12" aria-hidden="true" focusable="false"><rect class="kind-{{ contract }}" width="10" height="10" rx="2"/></svg>{{ name }}</li>{% endfor %}</ul>"#
)]
struct Legend<'a> {
    entries: &'a [(u16, &'a str)],
}

/// Which colour is which contract's.
pub(in crate::explorer) fn legend(visit: &Visit) -> Html {
    let entries: Vec<(u16, &str)> = (1..=6).map(|it| (it, visit.contract(it))).collect();
    Html::of(&Legend { entries: &entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_its_width_whatever_the_counts() {
        let drawn = bar(&[(1, 1), (2, 2), (4, 1)]).to_string();
        for part in ["x=\"0.00\"", "width=\"50.00\"", "x=\"75.00\"", "kind-4"] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
    }
}
