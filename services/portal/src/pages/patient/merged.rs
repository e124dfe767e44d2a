//! One list of what all hospitals hold of a patient (`hospitals::merged`); where it goes on stands in the address, sealed.

use hospitals::{Merged, Place};
use interfaces::{Page, PageRequest, Problem, UseCase};
use ledger::LedgerId;

use crate::answer::Refusal;
use crate::design::Html;
use crate::design::text;
use crate::pages::listing::PAGE;
use crate::visit::Visit;
use crate::words::fill;

const SEALED_AS: &str = "medshare/portal/merged/v1";

/// The hospitals where the patient has a ledger id, with that id.
pub(crate) async fn own_hospitals(visit: &Visit) -> Result<Vec<(LedgerId, LedgerId)>, Refusal> {
    let token = &visit.signed_in()?.token;
    Ok(visit.portal.hospitals.of_patient(token).await?)
}

/// The page of the list that the address names; `key` grows with what is newer.
pub(crate) async fn merged<Q, T, K: Ord>(
    visit: &Visit,
    question: impl Fn(PageRequest) -> Q + Sync,
    key: impl Fn(&T) -> K,
) -> Result<Merged<T>, Refusal>
where
    Q: UseCase<Reply = Page<T>> + Sync,
{
    let token = &visit.signed_in()?.token;
    let places: Option<Vec<Place>> = visit
        .query("after")
        .and_then(|text| visit.opened(SEALED_AS, &text));
    let hospitals = &visit.portal.hospitals;
    Ok(hospitals.merged(token, places, PAGE, question, key).await?)
}

/// What [`Listing::paging`](crate::pages::listing::Listing::paging) takes: where the list goes on, sealed.
pub(crate) fn sealed_next<T>(visit: &Visit, page: &Merged<T>) -> Option<String> {
    let places = page.next.as_ref()?;
    Some(visit.sealed(SEALED_AS, places))
}

/// Says which hospitals did not answer.
pub(crate) async fn missing_part(visit: &Visit, away: &[(LedgerId, Problem)]) -> Html {
    if away.is_empty() {
        return Html::none();
    }
    let names = visit.hospital_names().await;
    let names: Vec<String> = away
        .iter()
        .map(|(id, _)| names.get(id).cloned().unwrap_or_else(|| id.to_string()))
        .collect();
    let words = visit.words.frame;
    let text = fill(words.unavailable, &[("names", &names.join(", "))]);
    text::warning(words.important, &text)
}
