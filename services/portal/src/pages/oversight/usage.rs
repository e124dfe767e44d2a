//! Every view at a hospital, as the ledger has it.

use interfaces::records::ListViews;
use ledger::LedgerId;

use super::{chosen_hospital, hospital_form};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, error_summary};
use crate::design::lists::Card;
use crate::design::text::{self, Colour};
use crate::pages::kinds;
use crate::pages::listing::Listing;
use crate::visit::{Page, Visit};
use crate::words::fill;

/// `GET /use`: views at a hospital.
pub(super) async fn usage(visit: Visit) -> Answer {
    visit.signed_in()?;
    let (hospital, hospitals) = chosen_hospital(&visit).await?;
    let basis = visit.query("basis");
    let typed = visit.query("viewer").unwrap_or_default();
    let typed = typed.trim().to_ascii_lowercase();
    let viewer: Option<LedgerId> = typed.parse().ok();
    let (words, of_kinds) = (visit.words.organisations, visit.words.kinds);
    let mistaken = [("viewer", words.viewer_bad)];
    let errors: &[(&str, &str)] = match typed.is_empty() || viewer.is_some() {
        true => &[],
        false => &mistaken,
    };
    let asked = ListViews {
        basis: basis.clone(),
        viewer,
        page: visit.part(),
    };
    let page = visit.ask_hospital(hospital, &asked).await?;
    let bases = [
        ("", words.any_basis),
        ("emergency", of_kinds.basis_emergency),
        ("offline_emergency", of_kinds.basis_offline_emergency),
        ("own_hospital", of_kinds.basis_own_hospital),
        ("grant", of_kinds.basis_a_grant),
        ("patient_code", of_kinds.basis_a_patient_code),
        ("hospital_code", of_kinds.basis_a_hospital_code),
        ("owner", of_kinds.basis_owner),
    ];
    let bases = bases
        .map(|(value, name)| (value.to_owned(), name.to_owned()))
        .into();
    let of_basis = Field::new("basis", words.basis, Control::Select(bases))
        .value(basis.clone().unwrap_or_default());
    let of_viewer = Field::line("viewer", words.viewer)
        .width(30)
        .value(typed.clone())
        .error(errors);
    let form = hospital_form(
        &visit,
        "/use",
        hospital,
        hospitals,
        vec![of_basis, of_viewer],
    );
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|view| {
            let colour = match view.basis.as_str() {
                "emergency" | "offline_emergency" => Colour::Red,
                _ => Colour::Blue,
            };
            let receipt = format!("/receipts/{}", view.transaction);
            let title = match view.records.len() {
                1 => visit.words.patient.record_one.to_owned(),
                count => fill(
                    visit.words.patient.records_count,
                    &[("count", &count.to_string())],
                ),
            };
            Card {
                when: visit.locale.time(&view.time),
                title,
                tags: vec![text::tag(
                    colour,
                    &kinds::basis_of_others(&visit.words, &view.basis),
                )],
                text: Html::join([
                    text::paragraph(kinds::purpose(&visit.words, view.purpose)),
                    text::paragraph_of(text::number(view.viewer)),
                ]),
                side: text::link(&receipt, visit.words.frame.receipt),
                ..Card::default()
            }
        })
        .collect();
    let of_one = viewer.map_or_else(String::new, |viewer| format!("&viewer={viewer}"));
    let asked = format!(
        "hospital={hospital}&basis={}{of_one}",
        basis.unwrap_or_default()
    );
    let list = Listing {
        id: "use",
        contracts: "records",
        path: &format!("/use?{asked}"),
        empty: (words.no_use, words.no_use_text),
    };
    let file = |kind: &str, name: &str| text::link(&format!("/use/export/{kind}?{asked}"), name);
    let files = Html::text(words.export)
        .and(Html::text(" "))
        .and(file("views.csv", words.export_csv))
        .and(Html::text(" · "))
        .and(file("audit-events.ndjson", words.export_fhir));
    let content = Html::join([
        error_summary(visit.words.problems.check, errors),
        text::lead(words.use_lead),
        form,
        text::paragraph_of(files),
        list.html(&visit, &cards, page.next),
    ]);
    Ok(visit.page(Page::new(words.use_title, content)))
}
