//! Pages of regulators and node operators: members, use of records and what stands out in it, reviews of emergencies,
//! integrity sweeps.

mod anomalies;
mod export;
mod members;
mod reviews;
mod sweep;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use interfaces::Problem;
use ledger::LedgerId;

use crate::answer::Refusal;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::service::Portal;
use crate::visit::Visit;

pub(crate) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/members", get(members::members))
        .route("/members/endorse", post(members::endorse))
        .route("/members/change", post(members::change))
        .route("/members/{member}/revoke", get(members::ask_to_revoke))
        .route("/use", get(usage::usage))
        .route("/use/export/{file}", get(export::export))
        .route("/anomalies", get(anomalies::list))
        .route("/reviews", get(reviews::list))
        .route("/reviews/close", post(reviews::close))
        .route("/sweep", get(sweep::ask_to_sweep).post(sweep::sweep))
}

/// The hospital in the query, else the first.
pub(crate) async fn chosen_hospital(
    visit: &Visit,
) -> Result<(LedgerId, Vec<(String, String)>), Refusal> {
    let names = visit.portal.hospitals.names().await?;
    let asked = visit
        .query("hospital")
        .and_then(|text| text.parse().ok())
        .filter(|id| names.contains_key(id));
    let chosen = asked
        .or_else(|| names.keys().next().copied())
        .ok_or_else(|| Problem::not_found("no hospital takes part"))?;
    let choices = names
        .into_iter()
        .map(|(id, name)| (id.to_string(), name))
        .collect();
    Ok((chosen, choices))
}

/// The choice of a hospital, and perhaps of more, that the page below is about.
fn hospital_form(
    visit: &Visit,
    action: &str,
    hospital: LedgerId,
    hospitals: Vec<(String, String)>,
    more: Vec<Field<'_>>,
) -> Html {
    let words = visit.words.organisations;
    let mut fields = vec![
        Field::new(
            "hospital",
            words.dimension_hospital,
            Control::Select(hospitals),
        )
        .value(hospital.to_string()),
    ];
    fields.extend(more);
    Form {
        asks: true,
        fields,
        look: " nhsuk-button--secondary",
        ..Form::new(action, words.show)
    }
    .html()
}
