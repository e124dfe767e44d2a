//! Released records: the list, reading one (which is recorded), and opening it in the browser.

use axum::extract::Path;
use contracts::GrantId;
use interfaces::authorization::{CollectReleased, ReadReleased, ReleasedContent};
use interfaces::{CommandReply, Problem};
use ledger::Digest;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::Card;
use crate::design::text;
use crate::pages::items::{Items, item_of, path_of};
use crate::pages::listing::Listing;
use crate::pages::sign;
use crate::visit::{Page, Submitted, Visit};
use crate::words::clinical::Clinical;
use crate::words::fill;

/// `GET /research/released`
pub(super) async fn list(visit: Visit) -> Answer {
    let items = Items::of(&visit, true, None).await?;
    let words = visit.words.organisations;
    let cards = items.cards(&visit, |usual, item| {
        let mut hidden = visit.hidden();
        hidden.push(("grant", item.grant?.to_string()));
        let side = Form {
            hidden,
            look: " nhsuk-button--small",
            about: &path_of("", &item.item),
            ..Form::new("/research/released/read", words.read)
        }
        .html();
        let until = visit.locale.day(&item.until);
        Some(Card {
            when: fill(words.read_until, &[("date", &until)]),
            tags: Vec::new(),
            side,
            ..usual
        })
    });
    let list = Listing {
        id: "released",
        contracts: "authorization",
        path: "/research/released",
        empty: (words.no_released, words.no_released_text),
    };
    let content = Html::join([
        text::lead(words.released_lead),
        list.html(&visit, &cards, items.next),
    ]);
    Ok(visit.page(Page::new(words.released, content)))
}

/// `POST /research/released/read`
pub(super) async fn read(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let grant: GrantId = form.id("grant")?;
    form.once(async {
        let unsigned = visit.ask(&ReadReleased { grant }).await?;
        let then = format!("/research/released/{}", unsigned.transaction);
        sign::committed_or_sign(
            visit,
            CommandReply::SignatureNeeded(unsigned),
            visit.words.organisations.read_what,
            &then,
            "/research/released",
        )
    })
    .await
}

/// What the page's script opens with the member's key.
#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<div data-released data-member="{{ member }}" data-application="{{ application }}" data-index="{{ index }}" data-sealed-key="{{ sealed_key }}" data-ciphertext="{{ ciphertext }}" data-item-key="{{ item_key }}" data-algorithm="{{ algorithm }}" data-release="{{ release }}" data-opened="{{ opened }}" data-words="{{ words }}"><p class="nhsuk-error-message" role="alert" data-problem></p><p data-status></p><div data-content></div><details class="nhsuk-details" hidden><summary class="nhsuk-details__summary"><span class="nhsuk-details__summary-text">{{ as_file }}</span></summary><div class="nhsuk-details__text"><pre class="medshare-number" data-file tabindex="0" role="region" aria-label="{{ label }}"></pre></div></details></div><noscript><p>{{ needs_script }}</p></noscript>"#
)]
struct Released<'a> {
    member: String,
    application: String,
    index: u16,
    sealed_key: String,
    ciphertext: String,
    item_key: String,
    algorithm: u8,
    release: String,
    opened: &'a str,
    words: String,
    as_file: &'a str,
    label: &'a str,
    needs_script: &'a str,
}

/// `GET /research/released/{transaction}`
pub(super) async fn opened(visit: Visit, Path(transaction): Path<String>) -> Answer {
    let session = visit.signed_in()?;
    let words = visit.words.organisations;
    let transaction: Digest = transaction
        .parse()
        .map_err(|_| Problem::not_found("no such reading"))?;
    let content: ReleasedContent = visit.ask(&CollectReleased { transaction }).await?;
    let application = content.item.application.to_string();
    let item = item_of(&visit, &application, &content.item.index.to_string(), None).await?;
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let released = Released {
        member: session
            .member()
            .map(|id| id.to_string())
            .unwrap_or_default(),
        application: content.item.application.to_string(),
        index: content.item.index,
        sealed_key: encode(&content.sealed_key.0),
        ciphertext: encode(&content.ciphertext.0),
        item_key: encode(&item.item_key.0),
        algorithm: content.release.algorithm as u8,
        release: content.release.value.to_string(),
        opened: words.opened_ok,
        words: words_of_content(visit.words.clinical),
        as_file: words.opened_file,
        label: words.opened,
        needs_script: visit.words.people.key_needs_script,
    };
    let content = text::lead(words.opened_lead).and(Html::of(&released));
    let mut page = Page::new(words.opened, content)
        .below("/research/released", words.tab_released)
        .wide();
    page.scripts.push("keys.js");
    Ok(visit.page(page))
}

/// The words with which the page's script shows what it opened: kinds of FHIR resources in their order, and columns.
fn words_of_content(words: &Clinical) -> String {
    let kinds = [
        ("Encounter", words.visit),
        ("AllergyIntolerance", words.allergies),
        ("Condition", words.conditions),
        ("Procedure", words.procedures),
        ("Observation", words.observations),
        ("DiagnosticReport", words.reports),
        ("MedicationRequest", words.medications),
        ("Immunization", words.immunizations),
        ("ImagingStudy", words.imaging),
        ("CarePlan", words.care_plans),
    ];
    let columns = [words.name, words.value, words.date];
    serde_json::json!({ "kinds": kinds, "columns": columns }).to_string()
}
