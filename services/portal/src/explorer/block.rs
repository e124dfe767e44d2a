//! `GET /explorer/blocks/{height or hash}`: one block, whole.

use axum::extract::Path;
use interfaces::Problem;
use ledger::{CertifiedBlock, Digest, canonical};
use ledger_view::EventView;

use super::parts;
use super::tree;
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::visit::Visit;
use crate::words::fill;

/// Transactions on one page of a block.
const SHOWN: usize = 100;
/// Events of the system that are shown; the genesis block has many.
const SYSTEM_EVENTS_SHOWN: usize = 50;

/// See the module.
pub(crate) async fn show(visit: Visit, Path(asked): Path<String>) -> Answer {
    let source = &visit.portal.explorer.source;
    let found = match (asked.parse::<u64>(), asked.parse::<Digest>()) {
        (Ok(height), _) => source.block(height).await?,
        (_, Ok(hash)) => source.block_by_hash(hash).await?,
        _ => None,
    };
    let unknown = || Refusal::from(Problem::not_found("there is no such block (yet)"));
    let block = found.ok_or_else(unknown)?;
    let words = visit.explorer_words();
    let height = block.block.header.height.0;
    let title = fill(words.block, &[("height", &visit.count(height))]);
    let content = Html::join([
        neighbours(&visit, height).await?,
        parts::columns(&[
            parts::card(words.header, Html::none(), header(&visit, &block)),
            parts::card(
                words.certificate,
                Html::none(),
                certificate(&visit, &block).await?,
            ),
        ]),
        merkle(&visit, &block),
        system(&visit, &block),
        transactions(&visit, &block),
    ]);
    Ok(visit.page(visit.explorer_page(&title, "/explorer/blocks", content)))
}

async fn neighbours(visit: &Visit, height: u64) -> Result<Html, Problem> {
    let words = visit.explorer_words();
    let next = height.saturating_add(1);
    let next_path = format!("/explorer/blocks/{next}");
    let newer = visit.portal.explorer.source.block(next).await?;
    let previous_path = format!("/explorer/blocks/{}", height.saturating_sub(1));
    Ok(lists::paging(
        (height > 0).then_some((previous_path.as_str(), words.previous)),
        newer.map(|_| (next_path.as_str(), words.next)),
    ))
}

fn header(visit: &Visit, certified: &CertifiedBlock) -> Html {
    let words = visit.explorer_words();
    let header = &certified.block.header;
    let bytes = visit.count(canonical::encode(certified).len() as u64);
    let previous = match header.height.0 {
        0 => text::number(header.previous),
        height => parts::number_link(
            &format!("/explorer/blocks/{}", height - 1),
            &header.previous.to_string(),
        ),
    };
    let rows = vec![
        (words.time, visit.moment(header.time.0)),
        (
            words.transactions,
            Html::text(visit.count(u64::from(header.transactions))),
        ),
        (
            words.size,
            Html::text(fill(words.bytes, &[("count", &bytes)])),
        ),
        (words.epoch, Html::text(visit.count(header.epoch.0))),
        (words.hash, text::number(header.hash())),
        (words.previous, previous),
        (
            words.transaction_root,
            text::number(header.transaction_root),
        ),
        (words.outcome_root, text::number(header.outcome_root)),
        (words.state_root, text::number(header.state_root)),
        (words.history_root, text::number(header.history_root)),
    ];
    let rows = rows.into_iter();
    parts::facts(rows.map(|(name, value)| (name.to_owned(), value)).collect())
}

async fn certificate(visit: &Visit, certified: &CertifiedBlock) -> Result<Html, Problem> {
    let words = visit.explorer_words();
    if certified.block.header.height.0 == 0 {
        return Ok(text::paragraph(words.genesis_certificate));
    }
    let names = visit.portal.explorer.organisations().await?;
    let epoch = visit.portal.bus.epoch();
    let votes = &certified.certificate.votes;
    let counts = fill(
        words.certificate_text,
        &[
            ("count", &votes.len().to_string()),
            ("all", &epoch.replicas.len().to_string()),
            ("quorum", &epoch.quorum().to_string()),
        ],
    );
    let signed: Vec<(String, Html)> = votes
        .iter()
        .map(|(replica, signature)| {
            let operator = epoch.replica(*replica).map(|it| it.operator.to_string());
            let number = fill(words.replica, &[("number", &replica.0.to_string())]);
            let operator = operator.and_then(|it| names.get(&it).cloned());
            let signed = Html::text(operator.unwrap_or_default())
                .and(text::details(words.signature, text::number(signature)));
            (number, signed)
        })
        .collect();
    Ok(text::paragraph(&counts).and(parts::facts(signed)))
}

fn merkle(visit: &Visit, certified: &CertifiedBlock) -> Html {
    let words = visit.explorer_words();
    let leaves = ledger::block::transaction_leaves(&certified.block.transactions);
    let ids = certified.block.outcomes.iter().skip(1);
    let paths: Vec<String> = ids
        .map(|leaf| format!("/explorer/transactions/{}", leaf.transaction))
        .collect();
    let mut content = Html::none();
    if !leaves.is_empty() {
        content = content.and(text::paragraph(words.tree_text));
    }
    parts::card(
        words.tree,
        Html::none(),
        content.and(tree::whole(visit, &leaves, &paths)),
    )
}

fn system(visit: &Visit, certified: &CertifiedBlock) -> Html {
    let words = visit.explorer_words();
    let events = certified.block.outcomes.first();
    let events: Vec<EventView> = events
        .into_iter()
        .flat_map(|leaf| &leaf.events)
        .take(SYSTEM_EVENTS_SHOWN)
        .map(EventView::of)
        .collect();
    if events.is_empty() {
        return Html::none();
    }
    let shown = parts::events(visit, &events);
    parts::card(words.system_events, Html::none(), shown)
}

fn transactions(visit: &Visit, certified: &CertifiedBlock) -> Html {
    let words = visit.explorer_words();
    let count = certified.block.transactions.len();
    if count == 0 {
        return Html::none();
    }
    let asked = visit
        .query("first")
        .and_then(|text| text.parse::<usize>().ok());
    let first = asked.unwrap_or_default().min(count.saturating_sub(1));
    let listed: Vec<_> = (first..count.min(first + SHOWN))
        .filter_map(|place| parts::listed(certified, u32::try_from(place).ok()?))
        .collect();
    let path = |first: usize| format!("{}?first={first}", visit.path_alone());
    let (back, next) = (path(first.saturating_sub(SHOWN)), path(first + SHOWN));
    let paging = lists::paging(
        (first > 0).then_some((back.as_str(), visit.words.frame.back)),
        (first + SHOWN < count).then_some((next.as_str(), visit.words.frame.more)),
    );
    let list = parts::entries(visit, "block-transactions", &listed);
    parts::card(words.transactions, Html::none(), list.and(paging))
}
