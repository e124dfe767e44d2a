//! The history log's checkpoint: a page for people, the signed note for witnesses (C2SP tlog-checkpoint), and the proof
//! between any two sizes.

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bus::checkpoint::SignedCheckpoint;
use data_encoding::BASE64;
use interfaces::Problem;
use ledger::tlog;

use super::parts::{self, Figure};
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::text;
use crate::visit::Visit;
use crate::words::explorer::Explorer as Words;
use crate::words::fill;

fn size(visit: &Visit, name: &str) -> Result<Option<u64>, Problem> {
    let asked = visit.query(name);
    asked
        .map(|text| text.trim().parse())
        .transpose()
        .map_err(|_| Problem::bad_input(name, "expected an integer, 0 or above"))
}

/// `GET /checkpoint?size=`: the signed note.
pub(crate) async fn note(visit: Visit) -> Result<Response, Refusal> {
    let signed = ledger_view::checkpoint_note(&visit.portal.bus, size(&visit, "size")?).await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, signed.note()).into_response())
}

/// `GET /checkpoint/consistency?first=&second=`: the proof, as JSON.
pub(crate) async fn consistency(visit: Visit) -> Result<Response, Refusal> {
    let first = size(&visit, "first")?
        .ok_or_else(|| Problem::bad_input("first", "how many blocks the older one has"))?;
    let second = size(&visit, "second")?;
    let found = ledger_view::consistency(&visit.portal.bus, first, second).await?;
    Ok(axum::Json(found).into_response())
}

/// `GET /explorer/checkpoint`: the page.
pub(crate) async fn show(visit: Visit) -> Answer {
    let words = visit.explorer_words();
    let signed = ledger_view::checkpoint_note(&visit.portal.bus, None).await?;
    let names = visit.portal.explorer.organisations().await?;
    let epoch = visit.portal.bus.epoch();
    let signers = signed.lines.iter().map(|(replica, _)| {
        let operator = epoch.replica(*replica).map(|it| it.operator.to_string());
        let number = fill(words.replica, &[("number", &replica.0.to_string())]);
        operator
            .and_then(|it| names.get(&it).cloned())
            .unwrap_or(number)
    });
    let signers: Vec<String> = signers.collect();
    let size = visit.count(signed.checkpoint.size);
    let content = Html::join([
        text::lead(words.checkpoint_lead),
        parts::figures(&[
            Figure {
                id: "checkpoint-size",
                name: words.log_size,
                value: Html::text(size),
            },
            Figure {
                id: "checkpoint-signers",
                name: words.signed_by,
                value: text::span("explorer-figure-text", &signers.join(" · ")),
            },
        ]),
        parts::card(
            words.note,
            Html::none(),
            preformatted(words.note, &signed.note()),
        ),
        parts::card(
            words.consistency,
            Html::none(),
            prove(&visit, &signed).await,
        ),
        parts::card(words.verifier_keys, Html::none(), keys(&visit, &signed)),
        parts::card(words.endpoint, Html::none(), endpoints()),
    ]);
    Ok(visit.page(visit.explorer_page(words.checkpoint, "/explorer/checkpoint", content)))
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<pre class="explorer-pre" tabindex="0" role="region" aria-label="{{ label }}">{{ text }}</pre>"#
)]
struct Preformatted<'a> {
    label: &'a str,
    text: &'a str,
}

fn preformatted(label: &str, text: &str) -> Html {
    Html::of(&Preformatted { label, text })
}

/// The verifier keys of signed note, one a replica.
fn keys(visit: &Visit, signed: &SignedCheckpoint) -> Html {
    let origin = signed.checkpoint.origin();
    let epoch = visit.portal.bus.epoch();
    let keys = epoch.replicas.iter().map(|replica| {
        let key = [&[1][..], &replica.public_key.0].concat();
        let id = tlog::key_id(&origin, &replica.public_key);
        let id = data_encoding::HEXLOWER.encode(&id);
        format!("{origin}+{id}+{}\n", BASE64.encode(&key))
    });
    let keys: String = keys.collect();
    preformatted(visit.explorer_words().verifier_keys, &keys)
}

fn endpoints() -> Html {
    let lines = [
        "GET /checkpoint",
        "GET /checkpoint?size=SIZE",
        "GET /checkpoint/consistency?first=SIZE&second=SIZE",
    ];
    preformatted("HTTP", &(lines.join("\n") + "\n"))
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<p class="nhsuk-body">{{ words.consistency_text }}</p><form class="explorer-filter" action="/explorer/checkpoint"><div><label class="nhsuk-label" for="first">{{ words.consistency_size }}</label><input class="nhsuk-input nhsuk-input--width-10" id="first" name="first" inputmode="numeric" value="{{ first }}"></div><div><button class="nhsuk-button nhsuk-button--secondary nhsuk-button--small">{{ words.consistency_button }}</button></div></form>{{ answer }}"##
)]
struct Prove<'a> {
    words: &'a Words,
    first: &'a str,
    answer: &'a Html,
}

async fn prove(visit: &Visit, signed: &SignedCheckpoint) -> Html {
    let words = visit.explorer_words();
    let first = visit.query("first").unwrap_or_default();
    let answer = match first.trim().parse::<u64>() {
        _ if first.is_empty() => Html::none(),
        Ok(size) if size <= signed.checkpoint.size => {
            let second = Some(signed.checkpoint.size);
            match ledger_view::consistency(&visit.portal.bus, size, second).await {
                Ok(found) => proven(visit, &found),
                Err(problem) => text::inset(
                    visit.words.frame.information,
                    text::paragraph(&problem.to_string()),
                ),
            }
        }
        _ => text::inset(
            visit.words.frame.information,
            text::paragraph(words.consistency_bad),
        ),
    };
    Html::of(&Prove {
        words,
        first: &first,
        answer: &answer,
    })
}

fn proven(visit: &Visit, found: &ledger_view::ConsistencyView) -> Html {
    let words = visit.explorer_words();
    let holds = fill(
        words.consistency_holds,
        &[
            ("first", &visit.count(found.first)),
            ("second", &visit.count(found.second)),
        ],
    );
    let proof: String = found.proof.iter().map(|it| format!("{it}\n")).collect();
    let mut content = text::paragraph(&holds).and(text::paragraph_of(text::number(
        BASE64.encode(&found.first_root.0),
    )));
    if !proof.is_empty() {
        let proof = preformatted(words.consistency_proof, &proof);
        content = content.and(text::details(words.consistency_proof, proof));
    }
    text::inset(visit.words.frame.information, content)
}
