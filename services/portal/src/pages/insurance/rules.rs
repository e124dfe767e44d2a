//! Reimbursement rules by version, what a claim would come to under them, and publishing the next version.

use axum::response::Response;
use contracts::settlement::adjudication::{benefit, is_within_bounds};
use contracts::settlement::command::{BenefitCategory, PlanId, ReimbursementRule};
use interfaces::settlement::{ListRules, PublishRules, PublishedRules};
use interfaces::{PageRequest, Problem};

use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists;
use crate::design::text::{self, Colour};
use crate::pages::account::minor_units;
use crate::pages::form_page::FormPage;
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::{kinds, sign};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

const LIST: &str = "/insurance/rules";
const PUBLISH: &str = "/insurance/rules/publish";

const CATEGORIES: [BenefitCategory; 6] = [
    BenefitCategory::Outpatient,
    BenefitCategory::Inpatient,
    BenefitCategory::Emergency,
    BenefitCategory::Preventive,
    BenefitCategory::Pharmacy,
    BenefitCategory::Other,
];

/// `GET /insurance/rules`
pub(super) async fn list(visit: Visit) -> Answer {
    visit.signed_in()?;
    let asked = ListRules {
        plan: None,
        page: visit.part(),
    };
    let page = visit.ask(&asked).await?;
    let words = visit.words.organisations;
    let newest = |plan: PlanId| page.entries.iter().find(|rules| rules.plan == plan);
    let mut versions: Vec<Html> = page
        .entries
        .iter()
        .map(|rules| {
            let current = newest(rules.plan) == Some(rules) && visit.query("after").is_none();
            version(&visit, rules, current)
        })
        .collect();
    if versions.is_empty() {
        versions.push(text::empty(words.no_rules, words.no_rules_text));
    }
    let listing = Listing {
        id: "rules",
        contracts: "settlement",
        path: LIST,
        empty: (words.no_rules, words.no_rules_text),
    };
    let calculator = match page.entries.is_empty() {
        true => Html::none(),
        false => calculator(&visit, &page.entries),
    };
    let content = Html::join([
        just_done(&visit, words.done),
        text::lead(words.rules_lead),
        calculator,
        text::section(words.rules_versions),
        listing.living(&visit, Html::join(versions)),
        listing.paging(&visit, page.next),
        text::action_link(PUBLISH, words.rules_publish),
    ]);
    Ok(visit.page(Page::new(words.rules, content)))
}

fn percent(basis_points: u16) -> String {
    let (whole, part) = (basis_points / 100, basis_points % 100);
    match part {
        0 => format!("{whole} %"),
        _ => format!("{whole}.{part:02} %"),
    }
}

fn version(visit: &Visit, published: &PublishedRules, current: bool) -> Html {
    let words = visit.words.organisations;
    let caption = fill(
        words.rules_version_of,
        &[
            ("plan", &published.plan.0.to_string()),
            ("version", &published.version.to_string()),
        ],
    );
    let rows: Vec<Vec<Html>> = published
        .rules
        .iter()
        .map(|rule| {
            vec![
                Html::text(kinds::category(&visit.words, rule.category)),
                Html::text(percent(rule.proportion_basis_points)),
                text::span("medshare-amount", &visit.locale.money(rule.copay)),
                text::span("medshare-amount", &visit.locale.money(rule.benefit_max)),
            ]
        })
        .collect();
    let head = [
        words.category,
        words.proportion,
        words.copay,
        words.benefit_max,
    ];
    let since = fill(
        words.rules_since,
        &[("time", &visit.locale.time(&published.time))],
    );
    let receipt = format!("/receipts/{}", published.transaction);
    let about =
        Html::text(format!("{since} · ")).and(text::link(&receipt, visit.words.frame.see_receipt));
    let table = text::paragraph_of(about).and(lists::table(&caption, &head, &rows));
    match current {
        true => text::paragraph_of(text::tag(Colour::Green, words.rules_current)).and(table),
        false => text::details(&caption, table),
    }
}

/// What a claim would come to under a version: the contract's own arithmetic.
fn calculator(visit: &Visit, published: &[PublishedRules]) -> Html {
    let words = visit.words.organisations;
    let name = |rules: &PublishedRules| format!("{}/{}", rules.plan.0, rules.version);
    let versions = published
        .iter()
        .map(|rules| {
            let shown = fill(
                words.rules_version_of,
                &[
                    ("plan", &rules.plan.0.to_string()),
                    ("version", &rules.version.to_string()),
                ],
            );
            (name(rules), shown)
        })
        .collect();
    let categories = CATEGORIES
        .map(|category| {
            let shown = kinds::category(&visit.words, category).to_owned();
            (format!("{category:?}"), shown)
        })
        .into();
    let chosen = visit
        .query("rules")
        .unwrap_or_else(|| published.first().map(name).unwrap_or_default());
    let category = visit
        .query("category")
        .unwrap_or_else(|| "Outpatient".to_owned());
    let charged = visit.query("charged").unwrap_or_default();
    let amount = minor_units(&charged);
    let errors: &[(&str, &str)] = match (charged.is_empty(), amount) {
        (false, None) => &[("charged", words.price_bad)],
        _ => &[],
    };
    let form = Form {
        asks: true,
        fields: vec![
            Field::new("rules", words.rules, Control::Select(versions)).value(&chosen),
            Field::new("category", words.category, Control::Select(categories)).value(&category),
            Field::line("charged", visit.words.patient.charged)
                .hint(words.price_hint)
                .width(10)
                .value(&charged)
                .error(errors),
        ],
        look: " nhsuk-button--secondary",
        ..Form::new(LIST, words.calculate)
    };
    let rules = published.iter().find(|rules| name(rules) == chosen);
    let result = match (rules, amount) {
        (Some(rules), Some(charged)) => outcome(visit, rules, &category, charged),
        _ => Html::none(),
    };
    Html::join([
        text::section(words.what_if),
        text::paragraph(words.what_if_lead),
        form.html(),
        result,
    ])
}

fn outcome(visit: &Visit, published: &PublishedRules, category: &str, charged: i64) -> Html {
    let (words, of_patient) = (visit.words.organisations, visit.words.patient);
    let rule = published
        .rules
        .iter()
        .find(|rule| format!("{:?}", rule.category) == category);
    let pays = rule.map_or(0, |rule| benefit(rule, charged));
    let figure = |amount: i64| text::span("medshare-figure", &visit.locale.money(amount));
    let figures = lists::panels(&[
        (words.benefit, figure(pays)),
        (words.patient_pays, figure(charged - pays)),
    ]);
    match rule {
        Some(_) => figures,
        None => text::inset(
            visit.words.frame.information,
            text::paragraph(words.category_not_covered),
        )
        .and(figures),
    }
    .and(text::aside(&format!(
        "{} {}",
        of_patient.charged,
        visit.locale.money(charged)
    )))
}

/// The newest version of a plan; none before the first.
async fn newest(visit: &Visit, plan: PlanId) -> Result<Option<PublishedRules>, Refusal> {
    let asked = ListRules {
        plan: Some(plan),
        page: PageRequest {
            after: None,
            limit: Some(1),
        },
    };
    Ok(visit.ask(&asked).await?.entries.into_iter().next())
}

/// `GET /insurance/rules/publish`: the newest version's numbers to start from.
pub(super) async fn ask(visit: Visit) -> Answer {
    visit.signed_in()?;
    let asked = ListRules {
        plan: visit
            .query("plan")
            .and_then(|text| text.parse().ok())
            .map(PlanId),
        page: PageRequest {
            after: None,
            limit: Some(1),
        },
    };
    let current = visit.ask(&asked).await?.entries.into_iter().next();
    let value = |field: &str| value_of(current.as_ref(), field);
    Ok(publish_page(&visit, &value, &[]))
}

fn field_name(category: BenefitCategory, what: &str) -> String {
    format!("{category:?}-{what}")
}

fn plain(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor % 100)
}

fn value_of(current: Option<&PublishedRules>, field: &str) -> String {
    let Some(current) = current else {
        return String::new();
    };
    if field == "plan" {
        return current.plan.0.to_string();
    }
    let rule = current
        .rules
        .iter()
        .find(|rule| field.starts_with(&format!("{:?}-", rule.category)));
    rule.map_or_else(String::new, |rule| {
        match field.rsplit('-').next().unwrap_or_default() {
            "percent" => plain(i64::from(rule.proportion_basis_points)),
            "copay" => plain(rule.copay),
            _ => plain(rule.benefit_max),
        }
    })
}

fn publish_page(
    visit: &Visit,
    value: &dyn Fn(&str) -> String,
    errors: &[(&str, &str)],
) -> Response {
    let words = visit.words.organisations;
    let parts = [
        ("percent", words.proportion),
        ("copay", words.copay),
        ("max", words.benefit_max),
    ];
    let names: Vec<(String, &str, &str)> = CATEGORIES
        .iter()
        .flat_map(|category| {
            let shown = kinds::category(&visit.words, *category);
            parts.map(|(part, label)| {
                let section = if part == "percent" { shown } else { "" };
                (field_name(*category, part), label, section)
            })
        })
        .collect();
    let mut fields = vec![
        Field::line("plan", words.plan)
            .width(5)
            .value(value("plan"))
            .error(errors),
    ];
    fields.extend(names.iter().map(|(name, label, section)| {
        Field::line(name, label)
            .section(section)
            .width(10)
            .value(value(name))
            .error(errors)
    }));
    let form = Form {
        hidden: visit.hidden(),
        fields,
        cancel: Some((LIST, visit.words.frame.cancel)),
        ..Form::new(PUBLISH, words.rules_publish)
    };
    FormPage {
        errors,
        below: Some((LIST, words.tab_rules)),
        ..FormPage::new(words.rules_publish, words.rules_publish_lead, form)
    }
    .answer(visit)
}

/// The rules of a form; a category that is left empty is not covered.
fn rules_of(form: &Submitted) -> Result<Vec<ReimbursementRule>, String> {
    let mut rules = Vec::new();
    for category in CATEGORIES {
        let names = ["percent", "copay", "max"].map(|part| field_name(category, part));
        if names.iter().all(|name| form.get(name).is_empty()) {
            continue;
        }
        let number = |name: &String| minor_units(form.get(name)).ok_or_else(|| name.clone());
        let rule = ReimbursementRule {
            category,
            proportion_basis_points: u16::try_from(number(&names[0])?)
                .map_err(|_| names[0].clone())?,
            copay: number(&names[1])?,
            benefit_max: number(&names[2])?,
        };
        if !is_within_bounds(&rule) {
            return Err(names[0].clone());
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// `POST /insurance/rules/publish`
pub(super) async fn publish(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.organisations;
    let plan = form.get("plan").parse::<u16>().ok();
    let rules = rules_of(&form);
    let mut errors = Vec::new();
    if plan.is_none() {
        errors.push(("plan", words.number_bad));
    }
    if let Err(field) = &rules {
        errors.push((field.as_str(), words.rule_bad));
    }
    let (Some(plan), Ok(rules)) = (plan.map(PlanId), &rules) else {
        let value = |name: &str| form.get(name).to_owned();
        return Ok(publish_page(visit, &value, &errors));
    };
    form.once(async {
        let version = match newest(visit, plan).await? {
            Some(current) => current
                .version
                .checked_add(1)
                .ok_or_else(|| Problem::conflict("no version is left"))?,
            None => 1,
        };
        let question = PublishRules {
            plan,
            version,
            rules: rules.clone(),
        };
        let reply = visit.ask(&question).await?;
        let what = fill(
            words.rules_publish_what,
            &[
                ("plan", &plan.0.to_string()),
                ("version", &version.to_string()),
            ],
        );
        sign::committed_or_sign(visit, reply, &what, LIST, LIST)
    })
    .await
}
