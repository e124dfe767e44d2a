//! Third parties: search, application for view, application history, released records.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use contracts::{ApplicationId, GrantId, ItemId, Purpose};
use interfaces::authorization::{
    ApplicationItem, ApplyForRecords, CollectReleased, ItemSummary, ListItems, ReadReleased,
    ReleasedContent, WithdrawItem,
};
use interfaces::index::{BriefRecord, DiseaseSearchResult, RecordHandle, SearchDisease};
use interfaces::{Base64, CommandReply, PageRequest, Problem};
use keys::token::Role;
use ledger::Digest;

use super::account::minor_units;
use super::patient::requests::{item_of, path_of};
use super::receipts::just_done;
use super::{kinds, sign, sign_in};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists::{self, Card};
use crate::design::text;
use crate::service::Portal;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

const DAYS_MAX: u32 = 3_650;

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/research/search", get(search))
        .route("/research/basket", post(basket))
        .route("/research/apply", post(apply))
        .route("/research/applications", get(applications))
        .route("/research/applications/withdraw", post(withdraw))
        .route("/research/released", get(released))
        .route("/research/released/read", post(read))
        .route("/research/released/{transaction}", get(opened))
}

/// `GET /research/search`
async fn search(visit: Visit) -> Answer {
    visit.signed_in()?;
    let words = visit.words.organisations;
    let asked = |name: &str| visit.query(name).unwrap_or_default();
    let disease = asked("disease");
    let form = Form {
        asks: true,
        fields: vec![
            Field::line("disease", words.disease)
                .hint(words.disease_hint)
                .value(&disease),
            Field::line("from", words.from_year)
                .width(4)
                .value(asked("from")),
            Field::line("until", words.until_year)
                .width(4)
                .value(asked("until")),
        ],
        ..Form::new("/research/search", words.search_button)
    };
    let result = if disease.is_empty() {
        Html::none()
    } else {
        let question = SearchDisease {
            disease: disease.clone(),
            from_year: asked("from").parse().ok(),
            until_year: asked("until").parse().ok(),
            page: PageRequest {
                after: visit.query("after"),
                limit: Some(50),
            },
        };
        match visit.ask(&question).await {
            Ok(found) => results(&visit, &disease, &found).await,
            Err(problem) if problem.status == 400 || problem.status == 404 => {
                text::empty(words.no_match, &problem.detail)
            }
            Err(problem) => return Err(problem.into()),
        }
    };
    let content = Html::join([text::lead(words.search_lead), form.html(), result]);
    Ok(visit.page(Page::new(words.search, content)))
}

async fn results(visit: &Visit, disease: &str, found: &DiseaseSearchResult) -> Html {
    let words = visit.words.organisations;
    if found.suppressed {
        return text::empty(words.suppressed, words.suppressed_text);
    }
    let names = visit.hospital_names().await;
    let hospital = |id: &str| {
        id.parse()
            .ok()
            .and_then(|id| names.get(&id).cloned())
            .unwrap_or_else(|| id.to_owned())
    };
    let rows: Vec<Vec<Html>> = found
        .cells
        .iter()
        .map(|cell| {
            let (dimension, value) = match cell.dimension.as_str() {
                "hospital" => (words.dimension_hospital, hospital(&cell.value)),
                "age_band" => (words.dimension_age, cell.value.clone()),
                "sex" => (words.dimension_sex, cell.value.clone()),
                _ => (words.dimension_years, cell.value.clone()),
            };
            let count = cell
                .patients
                .map_or_else(|| words.few.to_owned(), |count| visit.locale.number(count));
            vec![Html::text(dimension), Html::text(value), Html::text(count)]
        })
        .collect();
    let figure = found
        .patients
        .map_or_else(String::new, |count| visit.locale.number(count));
    let head = [words.breakdown, visit.words.clinical.value, words.patients];
    Html::join([
        text::section(&found.disease),
        lists::panels(&[(words.patients_found, text::span("medshare-figure", &figure))]),
        text::details(words.breakdown, lists::table(words.breakdown, &head, &rows)),
        choice(visit, disease, found, &hospital),
    ])
}

fn choice(
    visit: &Visit,
    disease: &str,
    found: &DiseaseSearchResult,
    hospital: &dyn Fn(&str) -> String,
) -> Html {
    let words = visit.words.organisations;
    let describe = |brief: &BriefRecord| {
        let place = brief.hospital.map(|id| hospital(&id.to_string()));
        let parts = [
            Some(kinds::class(&visit.words, &brief.class).to_owned()),
            brief.years.clone(),
            brief.age_band.clone(),
            brief.sex.clone(),
            place,
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    };
    let choices: Vec<(String, String, String)> = found
        .records
        .iter()
        .zip(1..)
        .map(|(brief, number): (_, u32)| {
            let name = fill(words.record, &[("number", &number.to_string())]);
            (brief.handle.to_string(), name, describe(brief))
        })
        .collect();
    if choices.is_empty() {
        return Html::none();
    }
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![Field::new(
            "handles",
            words.choose,
            Control::Checkboxes(choices),
        )],
        ..Form::new("/research/basket", words.add_to_basket)
    };
    let next = found.next.as_ref().map(|next| {
        let disease: String = form_urlencoded::byte_serialize(disease.as_bytes()).collect();
        format!("/research/search?disease={disease}&after={next}")
    });
    form.html().and(lists::paging(
        None,
        next.as_deref().map(|path| (path, visit.words.frame.more)),
    ))
}

/// `POST /research/basket`: the chosen records with price, purpose and period; nothing is done yet.
async fn basket(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let handles: Vec<&str> = form.all("handles").collect();
    let words = visit.words.organisations;
    if handles.is_empty() {
        let content = text::paragraph(words.choose_one).and(text::paragraph_of(text::link(
            "/research/search",
            words.tab_search,
        )));
        let page = Page::new(words.basket, content);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    }
    Ok(visit.page(basket_page(visit, &form, &handles, &[])))
}

fn basket_page(visit: &Visit, form: &Submitted, handles: &[&str], errors: &[(&str, &str)]) -> Page {
    let words = visit.words.organisations;
    let kinds = visit.words.kinds;
    let mut hidden = visit.hidden();
    hidden.extend(
        handles
            .iter()
            .map(|handle| ("handles", (*handle).to_owned())),
    );
    let insurer = visit.is(Role::Insurer);
    let purposes = if insurer {
        vec![("Payment", kinds.purpose_payment)]
    } else {
        vec![
            ("Research", kinds.purpose_research),
            ("PublicHealth", kinds.purpose_public_health),
        ]
    };
    let first = purposes[0].0;
    let purposes = purposes
        .into_iter()
        .map(|(value, name)| (value.to_owned(), name.to_owned(), String::new()))
        .collect();
    let or = |name: &str, otherwise: &str| match form.get(name) {
        "" => otherwise.to_owned(),
        value => value.to_owned(),
    };
    let application = Form {
        hidden,
        id: "item-keys",
        fields: vec![
            Field::new("purpose", words.purpose, Control::Radios(purposes))
                .value(or("purpose", first)),
            Field::new("statement", words.statement, Control::Text { rows: 5 })
                .hint(words.statement_hint)
                .value(form.get("statement"))
                .error(errors),
            Field::line("days", words.days)
                .width(5)
                .value(or("days", "365"))
                .error(errors),
            Field::line("price", words.price)
                .hint(words.price_hint)
                .width(10)
                .value(form.get("price"))
                .error(errors),
        ],
        busy: visit.words.authorization.approving,
        cancel: Some(("/research/search", visit.words.frame.cancel)),
        ..Form::new("/research/apply", words.apply)
    };
    let count = visit.locale.number(handles.len() as u64);
    Page {
        title: words.basket.to_owned(),
        scripts: vec!["keys.js"],
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            text::title(words.basket),
            text::lead(words.basket_lead),
            lists::summary(vec![(words.records, Html::text(count))]),
            application.html(),
        ]),
        ..Page::default()
    }
    .below("/research/search", words.tab_search)
}

/// `POST /research/apply`: the script on the page has added a key for each item.
async fn apply(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.organisations;
    let handles: Vec<&str> = form.all("handles").collect();
    let statement = form.get("statement");
    let days = form.get("days").parse::<u32>().ok();
    let days = days.filter(|days| (1..=DAYS_MAX).contains(days));
    let price = minor_units(form.get("price"));
    let mut errors = Vec::new();
    if statement.is_empty() {
        errors.push(("statement", words.statement_bad));
    }
    if days.is_none() {
        errors.push(("days", words.days_bad));
    }
    if price.is_none() {
        errors.push(("price", words.price_bad));
    }
    let (Some(days), Some(price)) = (days, price) else {
        let page = basket_page(visit, &form, &handles, &errors);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    };
    if !errors.is_empty() {
        let page = basket_page(visit, &form, &handles, &errors);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    }
    let items = items(&form, &handles, price)?;
    let purpose = match form.get("purpose") {
        "PublicHealth" => Purpose::PublicHealth,
        "Payment" => Purpose::Payment,
        _ => Purpose::Research,
    };
    let total = visit.locale.money(price.saturating_mul(items.len() as i64));
    let count = visit.locale.number(items.len() as u64);
    let what = fill(words.apply_what, &[("count", &count), ("total", &total)]);
    form.once(async {
        let question = ApplyForRecords {
            purpose,
            statement: statement.to_owned(),
            days,
            items,
        };
        let prepared = visit.ask(&question).await?;
        let reply = CommandReply::SignatureNeeded(prepared.unsigned);
        sign::committed_or_sign(
            visit,
            reply,
            &what,
            "/research/applications",
            "/research/search",
        )
    })
    .await
}

fn items(form: &Submitted, handles: &[&str], price: i64) -> Result<Vec<ApplicationItem>, Problem> {
    let keys: Vec<&str> = form.all("item_key").collect();
    if keys.len() != handles.len() {
        return Err(Problem::bad_input(
            "item_key",
            "one key is needed for each record",
        ));
    }
    let item = |(handle, key): (&&str, &&str)| {
        let handle: RecordHandle = handle
            .parse()
            .map_err(|_| Problem::bad_input("handles", "not a record's handle"))?;
        let key = data_encoding::BASE64URL_NOPAD
            .decode(key.as_bytes())
            .map_err(|_| Problem::bad_input("item_key", "not base64url"))?;
        Ok(ApplicationItem {
            handle,
            price,
            item_key: Base64(key),
        })
    };
    handles.iter().zip(keys.iter()).map(item).collect()
}

async fn items_of(visit: &Visit, released: bool) -> Result<interfaces::Page<ItemSummary>, Problem> {
    let asked = ListItems {
        waiting_for_me: released,
        application: None,
        page: PageRequest {
            after: visit.query("after"),
            limit: Some(25),
        },
    };
    visit.ask(&asked).await
}

/// `GET /research/applications`
async fn applications(visit: Visit) -> Answer {
    visit.signed_in()?;
    let page = items_of(&visit, false).await?;
    let words = visit.words.organisations;
    let names = visit.hospital_names().await;
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|item| Card {
            when: format!(
                "{}: {}",
                visit.words.authorization.deadline,
                visit.locale.time(&item.deadline)
            ),
            title: names.get(&item.hospital).cloned().unwrap_or_default(),
            path: None,
            tags: vec![kinds::item_state(
                &visit.words,
                &item.state,
                item.grant_withdrawn,
            )],
            text: text::paragraph(&item.statement),
            side: text::span("medshare-amount", &visit.locale.money(item.price))
                .and(take_back(&visit, item)),
        })
        .collect();
    let list = if cards.is_empty() {
        text::empty(words.no_applications, words.no_applications_text)
    } else {
        lists::cards(&cards)
    };
    let next = page
        .next
        .map(|next| format!("/research/applications?after={next}"));
    let content = Html::join([
        just_done(&visit, words.applied),
        text::lead(words.applications_lead),
        text::live(
            "applications",
            "authorization",
            &visit.path,
            visit.words.frame.live,
            list,
        ),
        lists::paging(
            None,
            next.as_deref().map(|path| (path, visit.words.frame.more)),
        ),
    ]);
    Ok(visit.page(Page::new(words.applications, content)))
}

fn take_back(visit: &Visit, item: &ItemSummary) -> Html {
    if !matches!(item.state.as_str(), "hospital_pending" | "patient_pending") {
        return Html::none();
    }
    let mut hidden = visit.hidden();
    hidden.push(("application", item.item.application.to_string()));
    hidden.push(("index", item.item.index.to_string()));
    Form {
        hidden,
        look: " nhsuk-button--secondary nhsuk-button--small",
        ..Form::new(
            "/research/applications/withdraw",
            visit.words.organisations.take_back,
        )
    }
    .html()
}

/// `POST /research/applications/withdraw`
async fn withdraw(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let application: ApplicationId = form.id("application")?;
    let item = ItemId {
        application,
        index: form.id("index")?,
    };
    form.once(async {
        let reply = visit.ask(&WithdrawItem { item }).await?;
        let list = "/research/applications";
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.organisations.take_back_what,
            list,
            list,
        )
    })
    .await
}

/// `GET /research/released`
async fn released(visit: Visit) -> Answer {
    visit.signed_in()?;
    let page = items_of(&visit, true).await?;
    let words = visit.words.organisations;
    let names = visit.hospital_names().await;
    let cards: Vec<Card> = page
        .entries
        .iter()
        .filter_map(|item| {
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
                title: names.get(&item.hospital).cloned().unwrap_or_default(),
                text: text::paragraph(kinds::purpose(&visit.words, item.purpose)),
                side,
                ..Card::default()
            })
        })
        .collect();
    let list = if cards.is_empty() {
        text::empty(words.no_released, words.no_released_text)
    } else {
        lists::cards(&cards)
    };
    let next = page
        .next
        .map(|next| format!("/research/released?after={next}"));
    let content = Html::join([
        text::lead(words.released_lead),
        text::live(
            "released",
            "authorization",
            &visit.path,
            visit.words.frame.live,
            list,
        ),
        lists::paging(
            None,
            next.as_deref().map(|path| (path, visit.words.frame.more)),
        ),
    ]);
    Ok(visit.page(Page::new(words.released, content)))
}

/// `POST /research/released/read`
async fn read(form: Submitted) -> Answer {
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
    source = r#"<div data-released data-member="{{ member }}" data-application="{{ application }}" data-index="{{ index }}" data-sealed-key="{{ sealed_key }}" data-ciphertext="{{ ciphertext }}" data-item-key="{{ item_key }}" data-algorithm="{{ algorithm }}" data-release="{{ release }}" data-opened="{{ opened }}"><p class="nhsuk-error-message" role="alert" data-problem></p><p data-status></p><pre class="medshare-number" data-content tabindex="0" role="region" aria-label="{{ label }}"></pre></div><noscript><p>{{ needs_script }}</p></noscript>"#
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
    label: &'a str,
    needs_script: &'a str,
}

/// `GET /research/released/{transaction}`
async fn opened(visit: Visit, Path(transaction): Path<String>) -> Answer {
    let session = visit.signed_in()?;
    let words = visit.words.organisations;
    let transaction: Digest = transaction
        .parse()
        .map_err(|_| Problem::not_found("no such reading"))?;
    let content: ReleasedContent = visit.ask(&CollectReleased { transaction }).await?;
    let application = content.item.application.to_string();
    let item = item_of(&visit, &application, &content.item.index.to_string()).await?;
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
