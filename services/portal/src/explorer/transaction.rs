//! `GET /explorer/transactions/{id}`: one transaction, what became of it, its proof, and its way through the phases.

use askama::Template;
use axum::extract::Path;
use contracts::Rejection;
use ledger::Receipt;
use ledger_view::TransactionView;

use super::{parts, phases, tree};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::lists;
use crate::design::text::{self, Colour};
use crate::pages::receipts;
use crate::visit::Visit;
use crate::words::explorer::Explorer as Words;
use crate::words::fill;

/// See the module.
pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    let receipt = receipts::receipt(&visit, &id).await?;
    let words = visit.explorer_words();
    let view = TransactionView::of_receipt(&receipt);
    let name = view_name(&visit, &receipt);
    let times = phases::drawn(&visit, receipt.transaction.id()).await;
    let content = Html::join([
        facts(&visit, &receipt).await?,
        parts::columns(&[
            parts::card(words.command, Html::none(), command(&view)),
            parts::card(words.events, Html::none(), events(&visit, &view)),
        ]),
        parts::columns(&[
            parts::card(words.proof, Html::none(), proof(&visit, &receipt)).and(parts::card(
                words.phases,
                Html::none(),
                times,
            )),
            parts::card(words.verified_here, Html::none(), verification(&visit, &id)),
        ]),
    ]);
    let mut page = visit.explorer_page(&name, "/explorer/transactions", content);
    page.scripts.push("browser/verify.js");
    Ok(visit.page(page))
}

fn view_name(visit: &Visit, receipt: &Receipt) -> String {
    let body = &receipt.transaction.body;
    let name = ledger_view::command_name(body.contract, &body.command);
    name.map_or_else(
        || visit.explorer_words().transaction.to_owned(),
        |name| visit.spoken(&name),
    )
}

async fn facts(visit: &Visit, receipt: &Receipt) -> Result<Html, interfaces::Problem> {
    let words = visit.explorer_words();
    let (header, body) = (&receipt.header, &receipt.transaction.body);
    let names = visit.portal.explorer.organisations().await?;
    let outcome = match Rejection::from_outcome(receipt.leaf.outcome) {
        None => text::tag(Colour::Green, words.accepted),
        Some(rejection) => text::tag(Colour::Red, words.rejected).and(Html::text(format!(
            " {rejection} ({})",
            ledger_view::rejection_text(receipt.leaf.outcome).unwrap_or_default()
        ))),
    };
    let place = fill(
        words.place_text,
        &[
            ("place", &visit.count(u64::from(receipt.index) + 1)),
            ("all", &visit.count(u64::from(header.transactions))),
            ("height", &visit.count(header.height.0)),
        ],
    );
    Ok(lists::summary(vec![
        (words.outcome, outcome),
        (words.time, visit.moment(header.time.0)),
        (
            words.place,
            text::link(&format!("/explorer/blocks/{}", header.height.0), &place),
        ),
        (words.submitter, parts::member(&names, &body.submitter)),
        (words.transaction, text::number(receipt.transaction.id())),
        (words.valid_until, visit.moment(body.valid_until.0)),
    ]))
}

fn command(view: &TransactionView) -> Html {
    let inner = view
        .command
        .as_object()
        .and_then(|object| object.values().next());
    inner.map_or_else(|| Html::text("–"), parts::fields)
}

fn events(visit: &Visit, view: &TransactionView) -> Html {
    if view.events.is_empty() {
        return text::paragraph(visit.explorer_words().no_events);
    }
    parts::events(visit, &view.events)
}

fn proof(visit: &Visit, receipt: &Receipt) -> Html {
    let words = visit.explorer_words();
    let drawn = tree::path(
        visit,
        &receipt.transaction.wire_digest(),
        u64::from(receipt.index),
        u64::from(receipt.header.transactions),
        &receipt.transaction_proof,
    );
    text::paragraph(words.proof_text).and(drawn)
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<div class="verify" data-verify="/receipts/{{ id }}/file" data-genesis="/explorer/genesis" data-holds="{{ words.holds }}" data-fails="{{ words.fails }}" data-forged="{{ words.forged_fails }}" data-try-forged="{{ words.try_forged }}" data-try-true="{{ words.try_true }}"><p class="verify__verdict" role="status">{{ words.verifying }}</p><ol class="verify__steps">{% for (key, title) in steps %}<li data-step="{{ key }}"><span class="verify__title">{{ title }}</span><span class="verify__detail"></span></li>{% endfor %}</ol><noscript><p>{{ words.verify_needs_script }}</p></noscript><div class="medshare-buttons"><button class="nhsuk-button nhsuk-button--secondary nhsuk-button--small" type="button" data-forge hidden>{{ words.try_forged }}</button><a class="nhsuk-button nhsuk-button--secondary nhsuk-button--small" href="/receipts/{{ id }}/file">{{ words.download }}</a></div></div>"##
)]
struct Verification<'a> {
    words: &'a Words,
    steps: &'a [(&'a str, &'a str)],
    id: &'a str,
}

/// The steps in the order the browser takes them: their keys are those of `assets/browser/src/receipt.js`.
pub(super) fn steps(words: &Words) -> [(&'static str, &'static str); 9] {
    [
        ("genesis", words.step_genesis),
        ("encoding", words.step_encoding),
        ("chain", words.step_chain),
        ("signature", words.step_signature),
        ("outcome", words.step_outcome),
        ("transaction_proof", words.step_transaction_proof),
        ("outcome_proof", words.step_outcome_proof),
        ("epochs", words.step_epochs),
        ("certificate", words.step_certificate),
    ]
}

fn verification(visit: &Visit, id: &str) -> Html {
    let words = visit.explorer_words();
    Html::of(&Verification {
        words,
        steps: &steps(words),
        id,
    })
}
