//! `GET /explorer`: how the ledger is, right now.

use axum::response::Response;
use bus::ordering_wire::StatusReply;
use ledger::ReplicaId;
use ledger_view::StatusView;

use super::nodes;
use super::parts::{self, Figure};
use super::rows::BlockRange;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::text;
use crate::visit::Visit;
use crate::words::fill;

const BLOCKS_SHOWN: u32 = 12;
const TRANSACTIONS_SHOWN: usize = 8;
const MINUTE_US: u64 = 60_000_000;

/// See the module.
pub(crate) async fn show(visit: Visit) -> Answer {
    let explorer = &visit.portal.explorer;
    let words = visit.explorer_words();
    let answers = visit.portal.bus.status().await;
    let status = StatusView::of(&visit.portal.bus, &visit.portal.bus.epoch(), &answers);
    let blocks = explorer.blocks(BlockRange::default(), BLOCKS_SHOWN).await?;
    let tiles = blocks.iter().map(|block| parts::tile(&visit, block));
    let tiles: Vec<Html> = tiles.collect();
    let heights = explorer
        .heights_with_transactions(u64::MAX, TRANSACTIONS_SHOWN as u32)
        .await?;
    let newest = super::transactions::newest_of(explorer, heights, TRANSACTIONS_SHOWN).await?;
    let latest = parts::entries(&visit, "latest-transactions", &newest);
    let content = Html::join([
        text::lead(words.lead),
        figures(&visit, &status, &answers).await?,
        chain(&visit, &tiles),
        parts::columns(&[
            super::activity::chart(&visit).await?,
            parts::card(
                words.latest_transactions,
                text::link("/explorer/transactions", words.all_transactions),
                latest,
            ),
        ]),
        parts::card_of(
            "overview-nodes",
            words.nodes,
            text::link("/explorer/nodes", words.all_nodes),
            nodes::list(&visit, &status, false).await?,
        ),
    ]);
    let page = visit.explorer_page(words.title, "/explorer", content);
    Ok::<Response, _>(visit.page(page))
}

async fn figures(
    visit: &Visit,
    status: &StatusView,
    answers: &[(ReplicaId, Result<StatusReply, bus::AskError>)],
) -> Result<Html, interfaces::Problem> {
    let words = visit.explorer_words();
    let explorer = &visit.portal.explorer;
    let now_us = chassis::clock::now();
    let recent = explorer
        .activity(
            MINUTE_US as i64,
            (now_us - now_us % MINUTE_US - MINUTE_US) as i64,
        )
        .await?;
    // The minute under way, and as much of the one before as makes up a minute.
    let under_way = now_us % MINUTE_US;
    let current = (now_us - under_way) as i64;
    let counted: f64 = recent
        .iter()
        .map(|row| match row.start_us {
            start if start == current => row.transactions as f64,
            _ => row.transactions as f64 * (1.0 - under_way as f64 / MINUTE_US as f64),
        })
        .sum();
    let committed = answers
        .iter()
        .filter_map(|(_, answer)| Some(answer.as_ref().ok()?.committed_transactions))
        .max();
    let answering = status.replicas.iter().filter(|it| it.answers).count();
    let newest = answers
        .iter()
        .filter_map(|(_, answer)| Some(answer.as_ref().ok()?.time.0))
        .max();
    let view = status
        .replicas
        .iter()
        .find_map(|it| Some(it.status.as_ref()?.view));
    let nodes = fill(
        words.of,
        &[
            ("count", &answering.to_string()),
            ("all", &status.replicas.len().to_string()),
        ],
    );
    Ok(parts::figures(&[
        Figure {
            id: "figure-blocks",
            name: words.blocks,
            value: Html::text(visit.count(status.height + 1)),
        },
        Figure {
            id: "figure-transactions",
            name: words.transactions,
            value: Html::text(visit.count(committed.unwrap_or_default())),
        },
        Figure {
            id: "figure-rate",
            name: words.per_second,
            // The sum of nothing is -0.0.
            value: Html::text(format!("{:.1}", counted / 60.0 + 0.0)),
        },
        Figure {
            id: "figure-nodes",
            name: words.nodes_answer,
            value: Html::text(nodes),
        },
        Figure {
            id: "figure-view",
            name: words.view,
            value: Html::text(view.map_or_else(|| "–".to_owned(), |view| visit.count(view))),
        },
        Figure {
            id: "figure-last",
            name: words.last_block,
            value: newest.map_or_else(|| Html::text("–"), |time| visit.ago(time)),
        },
    ]))
}

#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<section class="explorer-chain" aria-labelledby="latest-blocks-title"><div class="explorer-card__head"><h2 id="latest-blocks-title">{{ title }} <span class="explorer-pulse" id="pulse">{{ live }}</span></h2>{{ side }}</div><ol id="latest-blocks" data-tail="/explorer/tail" tabindex="0" aria-label="{{ title }}">{% for tile in tiles %}{{ tile }}{% endfor %}</ol>{{ legend }}</section>"#
)]
struct Chain<'a> {
    title: &'a str,
    live: &'a str,
    side: &'a Html,
    tiles: &'a [Html],
    legend: &'a Html,
}

fn chain(visit: &Visit, tiles: &[Html]) -> Html {
    let words = visit.explorer_words();
    Html::of(&Chain {
        title: words.latest_blocks,
        live: visit.words.frame.live,
        side: &text::link("/explorer/blocks", words.all_blocks),
        tiles,
        legend: &parts::legend(visit),
    })
}
