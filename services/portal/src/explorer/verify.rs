//! Verifying receipts in the browser: the page, the genesis file, and the page that needs no server.

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::transaction::steps;
use crate::answer::{Answer, Refusal};
use crate::assets;
use crate::design::Html;
use crate::design::text;
use crate::visit::Visit;
use crate::words::explorer::Explorer as Words;

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<div class="verify verify--files" data-genesis="/explorer/genesis" data-holds="{{ words.holds }}" data-fails="{{ words.fails }}"><div class="verify__drop"><p class="nhsuk-body">{{ words.drop }}</p><div class="explorer-filter"><div><label class="nhsuk-label" for="receipt">{{ words.choose_receipt }}</label><input class="nhsuk-file-upload" type="file" id="receipt" accept=".json,application/json"></div><div><label class="nhsuk-label" for="genesis">{{ words.choose_genesis }}</label><div class="nhsuk-hint" id="genesis-hint">{{ words.genesis_hint }}</div><input class="nhsuk-file-upload" type="file" id="genesis" accept=".json,application/json" aria-describedby="genesis-hint"></div></div></div><p class="verify__verdict" role="status">{{ words.verdict_here }}</p><ol class="verify__steps">{% for (key, title) in steps %}<li data-step="{{ key }}"><span class="verify__title">{{ title }}</span><span class="verify__detail"></span></li>{% endfor %}</ol><dl class="explorer-fields verify__says" hidden></dl><noscript><p>{{ words.verify_needs_script }}</p></noscript></div>"##
)]
struct Files<'a> {
    words: &'a Words,
    steps: &'a [(&'a str, &'a str)],
}

/// `GET /verify`
pub(crate) async fn show(visit: Visit) -> Answer {
    let words = visit.explorer_words();
    let files = Html::of(&Files {
        words,
        steps: &steps(words),
    });
    let buttons = text::secondary_button("/verify/page", words.offline_button)
        .and(Html::text(" "))
        .and(text::secondary_button(
            "/explorer/genesis?download=yes",
            words.genesis_button,
        ));
    let content = Html::join([
        text::lead(words.verify_lead),
        text::paragraph(words.offline_text),
        text::paragraph_of(buttons),
        files,
    ]);
    let mut page = visit.explorer_page(words.verify, "/verify", content);
    page.scripts.push("browser/verify.js");
    Ok(visit.page(page))
}

/// `GET /explorer/genesis`: the genesis file; `?download=yes` as a file to keep.
pub(crate) async fn genesis(visit: Visit) -> Result<Response, Refusal> {
    let text = visit.portal.bus.genesis().to_json();
    let kind = (header::CONTENT_TYPE, "application/json");
    Ok(match visit.query("download") {
        None => ([kind], text).into_response(),
        Some(_) => {
            let file = "attachment; filename=\"genesis.json\"";
            ([kind, (header::CONTENT_DISPOSITION, file)], text).into_response()
        }
    })
}

/// `GET /verify/page`: one self-contained file that verifies without a network.
pub(crate) async fn download() -> Result<Response, Refusal> {
    let page = assets::content("verify.html")?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"medshare-verify.html\"",
        ),
    ];
    Ok((headers, page).into_response())
}
