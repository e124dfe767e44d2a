//! `GET /explorer/transactions`: transactions, newest first, by kind and outcome.

use std::sync::Arc;

use askama::Template;
use interfaces::Problem;
use ledger::CertifiedBlock;

use super::Explorer;
use super::fold::kind_of;
use super::parts::{self, Listed};
use super::rows::KindRow;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::visit::Visit;
use crate::words::explorer::Explorer as Words;

const SHOWN: usize = 25;
/// Blocks that are looked through for one page at most; further back is another page.
const BLOCKS_READ_MAX: u32 = 100;

/// Which transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    contract: Option<u16>,
    command: Option<u8>,
    accepted: Option<bool>,
}

/// Where a list goes on: at or below this height, below this place in the block of that height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    height: u64,
    place: u32,
}

impl Cursor {
    const NEWEST: Cursor = Cursor {
        height: i64::MAX as u64,
        place: u32::MAX,
    };

    fn parse(text: &str) -> Option<Cursor> {
        let (height, place) = text.split_once('-')?;
        Some(Cursor {
            height: height.parse().ok()?,
            place: place.parse().ok()?,
        })
    }
}

/// The newest transactions of blocks, given the newest heights that have some.
pub(super) async fn newest_of(
    explorer: &Explorer,
    heights: Vec<u64>,
    count: usize,
) -> Result<Vec<Listed>, Problem> {
    let mut listed = Vec::new();
    for height in heights {
        if listed.len() >= count {
            break;
        }
        if let Some(block) = explorer.source.block(height).await? {
            let left = count - listed.len();
            listed.extend(matching(&block, Wanted::default(), u32::MAX).take(left));
        }
    }
    Ok(listed)
}

/// The transactions of a block that are wanted, below a place, last first.
fn matching(
    block: &Arc<CertifiedBlock>,
    wanted: Wanted,
    below: u32,
) -> impl Iterator<Item = Listed> + use<> {
    let block = block.clone();
    let count = block.block.header.transactions.min(below);
    (0..count).rev().filter_map(move |place| {
        let (contract, command) = kind_of(block.block.transactions.get(place as usize)?);
        let outcome = block.block.outcomes.get(place as usize + 1)?.outcome;
        let fits = wanted.contract.is_none_or(|it| it == contract)
            && wanted.command.is_none_or(|it| it == command)
            && wanted.accepted.is_none_or(|it| it == outcome.is_accepted());
        fits.then(|| parts::listed(&block, place)).flatten()
    })
}

/// One page, and where the next begins.
async fn page(
    explorer: &Explorer,
    wanted: Wanted,
    from: Cursor,
) -> Result<(Vec<Listed>, Option<Cursor>), Problem> {
    let heights = match wanted.contract {
        Some(contract) => {
            let command = wanted.command;
            explorer
                .heights_of_kind(contract, command, from.height, BLOCKS_READ_MAX)
                .await?
        }
        None => {
            explorer
                .heights_with_transactions(from.height, BLOCKS_READ_MAX)
                .await?
        }
    };
    let looked_through = heights.len() == BLOCKS_READ_MAX as usize;
    let oldest = heights.last().copied();
    let mut found = Vec::new();
    for height in heights {
        let Some(block) = explorer.source.block(height).await? else {
            continue;
        };
        let below = if height == from.height {
            from.place
        } else {
            u32::MAX
        };
        for listed in matching(&block, wanted, below) {
            if found.len() == SHOWN {
                let last: &Listed = &found[SHOWN - 1];
                let next = Cursor {
                    height: last.height,
                    place: last.place,
                };
                return Ok((found, Some(next)));
            }
            found.push(listed);
        }
    }
    let next = oldest
        .filter(|height| looked_through && *height > 0)
        .map(|height| Cursor {
            height: height - 1,
            place: u32::MAX,
        });
    Ok((found, next))
}

/// See the module.
pub(crate) async fn show(visit: Visit) -> Answer {
    let explorer = &visit.portal.explorer;
    let words = visit.explorer_words();
    let kind = visit.query("kind").unwrap_or_default();
    let outcome = visit.query("outcome").unwrap_or_default();
    let mut numbers = kind.split('-');
    let wanted = Wanted {
        contract: numbers.next().and_then(|text| text.parse().ok()),
        command: numbers.next().and_then(|text| text.parse().ok()),
        accepted: match outcome.as_str() {
            "accepted" => Some(true),
            "rejected" => Some(false),
            _ => None,
        },
    };
    let asked = visit.query("from").and_then(|text| Cursor::parse(&text));
    let (listed, next) = page(explorer, wanted, asked.unwrap_or(Cursor::NEWEST)).await?;
    let list = if listed.is_empty() && next.is_none() {
        text::empty(words.no_transactions, words.no_transactions_text)
    } else {
        parts::entries(&visit, "transactions", &listed)
    };
    let kept = |from: Option<Cursor>| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("kind", &kind)
            .append_pair("outcome", &outcome);
        if let Some(Cursor { height, place }) = from {
            query.append_pair("from", &format!("{height}-{place}"));
        }
        format!("/explorer/transactions?{}", query.finish())
    };
    let (first, older) = (kept(None), kept(next));
    let paging = lists::paging(
        asked.map(|_| (first.as_str(), words.newest)),
        next.map(|_| (older.as_str(), words.older)),
    );
    let kinds = explorer.kinds().await?;
    let content = Html::join([filter(&visit, &kinds, &kind, &outcome), list, paging]);
    let here = "/explorer/transactions";
    Ok(visit.page(visit.explorer_page(words.transactions, here, content)))
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<form class="explorer-filter" action="/explorer/transactions"><div><label class="nhsuk-label" for="kind">{{ words.kind }}</label><select class="nhsuk-select" id="kind" name="kind"><option value="">{{ words.any_kind }}</option>{% for (group, options) in groups %}<optgroup label="{{ group }}">{% for option in options %}<option value="{{ option.0 }}"{% if option.0 == kind %} selected{% endif %}>{{ option.1 }}</option>{% endfor %}</optgroup>{% endfor %}</select></div><div><label class="nhsuk-label" for="outcome">{{ words.outcome }}</label><select class="nhsuk-select" id="outcome" name="outcome"><option value="">{{ words.any_outcome }}</option><option value="accepted"{% if outcome == "accepted" %} selected{% endif %}>{{ words.accepted }}</option><option value="rejected"{% if outcome == "rejected" %} selected{% endif %}>{{ words.rejected }}</option></select></div><div><button class="nhsuk-button nhsuk-button--secondary nhsuk-button--small">{{ words.show }}</button></div></form>"##
)]
struct Filter<'a> {
    words: &'a Words,
    groups: &'a [(&'a str, Vec<(String, String)>)],
    kind: &'a str,
    outcome: &'a str,
}

/// Kinds by contract, each with how many there are.
fn filter(visit: &Visit, kinds: &[KindRow], kind: &str, outcome: &str) -> Html {
    let mut groups: Vec<(&str, Vec<(String, String)>)> = Vec::new();
    for contract in 1..=6u16 {
        let of = kinds.iter().filter(|it| it.contract == contract);
        let mut all = 0;
        let mut options: Vec<(String, String)> = of
            .map(|it| {
                let count = it.accepted + it.rejected;
                all += count;
                let name = format!("{} ({})", visit.spoken(&it.name), visit.count(count));
                (format!("{contract}-{}", it.command), name)
            })
            .collect();
        if options.is_empty() {
            continue;
        }
        let name = visit.contract(contract);
        let whole = format!("{name} ({})", visit.count(all));
        options.insert(0, (contract.to_string(), whole));
        groups.push((name, options));
    }
    Html::of(&Filter {
        words: visit.explorer_words(),
        groups: &groups,
        kind,
        outcome,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_in_its_one_form() {
        let cursor = Cursor {
            height: 12,
            place: 3,
        };
        assert_eq!(Cursor::parse("12-3"), Some(cursor));
        for wrong in ["", "12", "12-", "-3", "12-3-4", "a-b"] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }
}
