//! An application for view: the chosen records with price, purpose and period, and handing it in.

use contracts::Purpose;
use interfaces::authorization::{ApplicationItem, ApplyForRecords};
use interfaces::index::RecordHandle;
use interfaces::{Base64, CommandReply, Problem};
use keys::token::Role;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists;
use crate::design::text;
use crate::pages::account::minor_units;
use crate::pages::{sign, sign_in};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

const DAYS_MAX: u32 = 3_650;

/// `POST /research/basket`: the chosen records with price, purpose and period; nothing is done yet.
pub(super) async fn basket(form: Submitted) -> Answer {
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
pub(super) async fn apply(form: Submitted) -> Answer {
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
