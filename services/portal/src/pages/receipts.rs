//! Receipts: what was recorded, in words, and as a file that verifies offline.

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use contracts::{Command, Contract, Rejection};
use interfaces::{Problem, time_text};
use ledger::{Digest, Receipt};

use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::lists;
use crate::design::text::{self, Colour};
use crate::visit::{Page, Visit};
use crate::words::fill;

/// What was just done, with its receipt; nothing where the path names none.
pub(crate) fn just_done(visit: &Visit, what: &str) -> Html {
    let Some(transaction) = visit
        .query("done")
        .and_then(|text| text.parse::<Digest>().ok())
    else {
        return Html::none();
    };
    let words = visit.words.frame;
    let page = format!("/receipts/{transaction}");
    let links = text::link(&page, words.see_receipt)
        .and(Html::text(" · "))
        .and(text::link(&format!("{page}/file"), words.download_receipt));
    Html::of(&Done {
        title: words.done,
        what,
        links: &links,
    })
}

#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<div class="medshare-receipt" role="status"><h2>{{ title }}</h2><p>{{ what }}</p><p>{{ links }}</p></div>"#
)]
struct Done<'a> {
    title: &'a str,
    what: &'a str,
    links: &'a Html,
}

/// `GET /receipts/{transaction}`
pub(crate) async fn show(visit: Visit, Path(transaction): Path<String>) -> Answer {
    let receipt = receipt(&visit, &transaction).await?;
    let words = visit.words.frame;
    let header = &receipt.header;
    let body = &receipt.transaction.body;
    let outcome = match Rejection::from_outcome(receipt.leaf.outcome) {
        None => text::tag(Colour::Green, words.accepted),
        Some(rejection) => Html::text(fill(words.rejected, &[("reason", &rejection.to_string())])),
    };
    let contract = Contract::from_id(body.contract).map_or_else(
        || body.contract.to_string(),
        |contract| format!("{contract:?}"),
    );
    let command = Command::from_bytes(body.contract, &body.command)
        .map(|command| command_name(&command))
        .unwrap_or_default();
    let signers: Vec<String> = receipt
        .certificate
        .votes
        .iter()
        .map(|(replica, _)| replica.0.to_string())
        .collect();
    let facts = lists::summary(vec![
        (words.outcome, outcome),
        (words.command, Html::text(command)),
        (words.contract, Html::text(contract)),
        (
            words.time,
            Html::text(visit.locale.time(&time_text(header.time))),
        ),
        (
            words.block,
            Html::text(visit.locale.number(header.height.0)),
        ),
        (words.signed_by, Html::text(signers.join(", "))),
        (words.submitter, text::number(body.submitter)),
        (words.transaction, text::number(receipt.transaction.id())),
    ]);
    let file = format!("/receipts/{transaction}/file");
    let content = Html::join([
        text::lead(words.receipt_lead),
        facts,
        text::button(&file, words.download_receipt),
    ]);
    Ok(visit.page(Page::new(words.receipt, content)))
}

/// `GET /receipts/{transaction}/file`
pub(crate) async fn download(visit: Visit, Path(transaction): Path<String>) -> Answer {
    let receipt = receipt(&visit, &transaction).await?;
    let name = format!(
        "attachment; filename=\"receipt-{}.json\"",
        receipt.transaction.id()
    );
    let mut response = (
        [(header::CONTENT_TYPE, "application/json")],
        receipt.to_file(),
    )
        .into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The receipt of a transaction.
///
/// # Errors
/// 404 when there is none (yet).
pub(crate) async fn receipt(visit: &Visit, transaction: &str) -> Result<Receipt, Refusal> {
    let unknown = || Problem::not_found("no transaction with this id is on the ledger (yet)");
    let id: Digest = transaction.parse().map_err(|_| unknown())?;
    match visit.portal.bus.receipt(&id).await {
        Ok(Some(receipt)) => Ok(receipt),
        Ok(None) => Err(unknown().into()),
        Err(error) => Err(Problem::busy(error.to_string()).into()),
    }
}

/// The command's name, such as `RegisterRecord`.
pub(crate) fn command_name(command: &Command) -> String {
    let shown = match command {
        Command::Membership(inner) => format!("{inner:?}"),
        Command::Records(inner) => format!("{inner:?}"),
        Command::Authorization(inner) => format!("{inner:?}"),
        Command::Settlement(inner) => format!("{inner:?}"),
        Command::Telemetry(inner) => format!("{inner:?}"),
        Command::Governance(inner) => format!("{inner:?}"),
    };
    shown
        .split(|character: char| !character.is_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_owned()
}
