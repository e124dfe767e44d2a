//! Searching a disease: numbers, and brief, nameless facts to choose from.

use interfaces::PageRequest;
use interfaces::index::{BriefRecord, DiseaseSearchResult, SearchDisease};

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::pages::kinds;
use crate::visit::{Page, Visit};
use crate::words::fill;

/// `GET /research/search`
pub(super) async fn search(visit: Visit) -> Answer {
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
                limit: Some(50),
                ..visit.part()
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
