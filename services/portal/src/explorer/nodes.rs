//! `GET /explorer/nodes`: every replica, by its own word and by the certificates it signed.

use interfaces::Problem;
use ledger_view::{ReplicaView, StatusView};

use super::parts;
use super::rows::VoteRow;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::lists;
use crate::design::text::{self, Colour};
use crate::visit::Visit;
use crate::words::fill;

/// See the module.
pub(crate) async fn show(visit: Visit) -> Answer {
    let words = visit.explorer_words();
    let bus = &visit.portal.bus;
    let status = StatusView::of(bus, &bus.epoch(), &bus.status().await);
    let cluster = fill(
        words.cluster_text,
        &[
            ("quorum", &status.quorum.to_string()),
            ("all", &status.replicas.len().to_string()),
            ("faulty", &status.fault_tolerance.to_string()),
        ],
    );
    let health = if status.healthy {
        text::tag(Colour::Green, words.healthy)
            .and(Html::text(format!(" {}", words.cluster_healthy)))
    } else {
        text::tag(Colour::Red, words.changing_view)
            .and(Html::text(format!(" {}", words.cluster_unhealthy)))
    };
    let content = Html::join([
        text::lead(&cluster),
        text::paragraph_of(health),
        list(&visit, &status, true).await?,
    ]);
    Ok(visit.page(visit.explorer_page(words.nodes, "/explorer/nodes", content)))
}

/// All replicas as a table; with `all` everything that is known of each.
pub(super) async fn list(visit: &Visit, status: &StatusView, all: bool) -> Result<Html, Problem> {
    let words = visit.explorer_words();
    let explorer = &visit.portal.explorer;
    let (names, votes) = (explorer.organisations().await?, explorer.votes().await?);
    let mut head = vec![
        words.nodes,
        words.health,
        words.height,
        words.view,
        words.last_vote,
    ];
    if all {
        head.extend([
            words.votes_counted,
            words.waiting,
            words.validity,
            words.voting_key,
        ]);
    }
    let epoch = visit.portal.bus.epoch();
    let rows: Vec<Vec<Html>> = status
        .replicas
        .iter()
        .map(|node| {
            let vote = votes.get(&node.replica).copied();
            let mut row = common(visit, &names, status, node, vote);
            if all {
                let described = epoch.replica(ledger::ReplicaId(node.replica));
                let key = described.map(|it| it.public_key.to_string());
                let waiting = node.status.as_ref().map(|it| it.waiting_transactions);
                let since = [("epoch", status.epoch.to_string())];
                row.extend([
                    Html::text(vote.map_or_else(|| "0".to_owned(), |it| visit.count(it.votes))),
                    Html::text(waiting.map_or_else(|| "–".to_owned(), |it| visit.count(it))),
                    Html::text(fill(
                        words.key_valid,
                        &since
                            .each_ref()
                            .map(|(name, value)| (*name, value.as_str())),
                    )),
                    text::span("medshare-number explorer-key", &key.unwrap_or_default()),
                ]);
            }
            row
        })
        .collect();
    Ok(lists::table(words.nodes, &head, &rows))
}

fn common(
    visit: &Visit,
    names: &std::collections::BTreeMap<String, String>,
    status: &StatusView,
    node: &ReplicaView,
    vote: Option<VoteRow>,
) -> Vec<Html> {
    let words = visit.explorer_words();
    let number = fill(words.replica, &[("number", &node.replica.to_string())]);
    let operator = names.get(&node.operator.to_string());
    let mut name = Html::text(operator.unwrap_or(&number));
    if operator.is_some() {
        name = name.and(parts::sub(&Html::text(&number)));
    }
    let own = node.status.as_ref();
    let health = match own {
        None => text::tag(Colour::Red, words.no_answer),
        Some(own) if own.changing_view => text::tag(Colour::Orange, words.changing_view),
        // A block or two on the way are no delay.
        Some(own) if own.height + 8 < status.height => {
            let count = visit.count(status.height - own.height);
            text::tag(Colour::Yellow, &fill(words.behind, &[("count", &count)]))
        }
        // One replica alone may be mistaken, or cut off itself.
        Some(_) if missed_by(status, node) > status.fault_tolerance => {
            text::tag(Colour::Orange, words.missed)
        }
        Some(_) => text::tag(Colour::Green, words.healthy),
    };
    let health = health.and(noticed(visit, status, node));
    let view = own.map_or_else(
        || Html::text("–"),
        |own| {
            let shown = Html::text(visit.count(own.view));
            if own.primary == node.replica {
                shown.and(parts::sub(&Html::text(words.primary)))
            } else {
                shown
            }
        },
    );
    let voted = vote.map_or_else(
        || Html::text(words.never_voted),
        |vote| {
            let block = fill(words.block_link, &[("height", &visit.count(vote.height))]);
            text::link(&format!("/explorer/blocks/{}", vote.height), &block)
                .and(parts::sub(&visit.ago(vote.time_us)))
        },
    );
    let height = own.map_or_else(|| "–".to_owned(), |own| visit.count(own.height));
    vec![
        parts::cell(name),
        parts::cell(health),
        Html::text(height),
        parts::cell(view),
        parts::cell(voted),
    ]
}

/// Those who notice something of a node.
fn noticing(status: &StatusView, node: &ReplicaView, noticed: &str) -> Vec<String> {
    let others = status.replicas.iter().filter(|other| {
        let notices = other.status.iter().flat_map(|own| &own.notices);
        notices
            .filter(|notice| notice.replica == node.replica)
            .any(|notice| notice.noticed == noticed)
    });
    others.map(|other| other.replica.to_string()).collect()
}

/// How many others do not hear a node, or see no votes of it.
fn missed_by(status: &StatusView, node: &ReplicaView) -> usize {
    let kinds = ["silent", "does_not_vote"];
    kinds
        .iter()
        .map(|kind| noticing(status, node, kind).len())
        .sum()
}

/// What others notice of a node.
fn noticed(visit: &Visit, status: &StatusView, node: &ReplicaView) -> Html {
    let words = visit.explorer_words();
    let kinds = [
        ("silent", words.silent_at),
        ("does_not_vote", words.no_votes_at),
        ("old_words", words.old_words_at),
    ];
    let lines = kinds.iter().filter_map(|(kind, said)| {
        let others = noticing(status, node, kind);
        let replicas = others.join(", ");
        let line = fill(said, &[("replicas", &replicas)]);
        (!others.is_empty()).then(|| parts::sub(&Html::text(line)))
    });
    Html::join(lines)
}
