//! One list of what all hospitals hold of a patient, newest first, a page at a time.
//!
//! Every hospital pages in its own database. A page here asks each for as much as could be on it, merges, and remembers for
//! the next page where in each hospital's list the last shown entry stood; that goes through the address sealed.

use std::time::Duration;

use interfaces::identity::GetOwnAccount;
use interfaces::{Page, PageRequest, Problem, UseCase};
use ledger::LedgerId;
use serde::{Deserialize, Serialize};

use crate::answer::Refusal;
use crate::design::Html;
use crate::design::text;
use crate::pages::listing::PAGE;
use crate::visit::Visit;
use crate::words::fill;

/// How long one hospital is waited for.
const HOSPITAL_WITHIN: Duration = Duration::from_secs(5);
/// What a context of a patient's ledger ids is called at a hospital.
const CONTEXT_PREFIX: &str = "hospital:";
const SEALED_AS: &str = "medshare/portal/merged/v1";

/// Where a hospital's list goes on: the part, and how much of it was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    hospital: LedgerId,
    after: Option<String>,
    shown: usize,
}

/// What a hospital answered: what follows its place, and where its second part begins.
struct Part<T> {
    entries: Vec<T>,
    /// How many of the entries are of the part that the place names.
    of_first: usize,
    /// Where the part after that begins.
    second: Option<String>,
    /// Whether there is more than the entries.
    more: bool,
}

/// A page of a list of all hospitals.
pub(crate) struct Merged<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) next: Option<String>,
    /// Hospitals that did not answer.
    pub(crate) away: Vec<LedgerId>,
}

/// The hospitals where the patient has a ledger id, with that id.
pub(crate) async fn own_hospitals(visit: &Visit) -> Result<Vec<(LedgerId, LedgerId)>, Refusal> {
    visit.signed_in()?;
    let account = visit.ask(&GetOwnAccount {}).await?;
    Ok(account
        .ledger_ids
        .iter()
        .filter_map(|(context, id)| {
            Some((context.strip_prefix(CONTEXT_PREFIX)?.parse().ok()?, *id))
        })
        .collect())
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
    let places: Option<Vec<Place>> = visit
        .query("after")
        .and_then(|text| visit.opened(SEALED_AS, &text));
    let places = match places {
        Some(places) => places,
        None => {
            let hospitals = own_hospitals(visit).await?;
            let place = |(hospital, _)| Place {
                hospital,
                after: None,
                shown: 0,
            };
            hospitals.into_iter().map(place).collect()
        }
    };
    let asked = places.iter().map(|place| part(visit, place, &question));
    let answers = futures::future::join_all(asked).await;
    let (mut away, mut ahead, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for (place, answer) in places.into_iter().zip(answers) {
        match answer {
            Ok(Part {
                entries,
                of_first,
                second,
                more,
            }) => {
                let number = ahead.len();
                heads.extend(entries.into_iter().map(|entry| (number, entry)));
                ahead.push((place, of_first, second, more, 0_usize));
            }
            // The session ended meanwhile: that is no matter of this hospital.
            Err(problem) if problem.status == 401 => return Err(problem.into()),
            Err(problem) => {
                tracing::warn!(%problem, hospital = %place.hospital, "a hospital did not answer");
                away.push(place.hospital);
            }
        }
    }
    // Stable: what one hospital has in order stays so.
    heads.sort_by_key(|(_, entry)| std::cmp::Reverse(key(entry)));
    let left = heads.len().saturating_sub(PAGE as usize);
    heads.truncate(PAGE as usize);
    let mut entries = Vec::with_capacity(heads.len());
    for (number, entry) in heads {
        ahead[number].4 += 1;
        entries.push(entry);
    }
    let more = left > 0 || ahead.iter().any(|(_, _, _, more, _)| *more);
    let places: Vec<Place> = ahead
        .into_iter()
        .map(|(place, of_first, second, _, taken)| gone_on(place, of_first, second, taken))
        .collect();
    Ok(Merged {
        entries,
        next: more.then(|| visit.sealed(SEALED_AS, &places)),
        away,
    })
}

/// Where a hospital's list goes on once so many of its entries were taken.
fn gone_on(place: Place, of_first: usize, second: Option<String>, taken: usize) -> Place {
    match second {
        Some(second) if taken >= of_first => Place {
            hospital: place.hospital,
            after: Some(second),
            shown: taken - of_first,
        },
        _ => Place {
            shown: place.shown + taken,
            ..place
        },
    }
}

/// What follows a place of a hospital's list, at least a page where there is as much.
async fn part<Q, T>(
    visit: &Visit,
    place: &Place,
    question: &(impl Fn(PageRequest) -> Q + Sync),
) -> Result<Part<T>, Problem>
where
    Q: UseCase<Reply = Page<T>> + Sync,
{
    let first = ask(visit, place.hospital, place.after.clone(), question).await?;
    let mut entries: Vec<T> = first.entries.into_iter().skip(place.shown).collect();
    let (of_first, second) = (entries.len(), first.next);
    let mut more = second.is_some();
    if of_first < PAGE as usize
        && let Some(after) = &second
    {
        let page = ask(visit, place.hospital, Some(after.clone()), question).await?;
        more = page.next.is_some();
        entries.extend(page.entries);
    }
    Ok(Part {
        entries,
        of_first,
        second,
        more,
    })
}

async fn ask<Q: UseCase>(
    visit: &Visit,
    hospital: LedgerId,
    after: Option<String>,
    question: &(impl Fn(PageRequest) -> Q + Sync),
) -> Result<Q::Reply, Problem> {
    let target = visit.portal.hospitals.records_service(hospital).await?;
    let token = visit.session.as_ref().map(|session| session.token.as_str());
    let asked = question(PageRequest {
        after,
        limit: Some(PAGE),
    });
    visit
        .portal
        .bus
        .request_within(&target, token, &asked, HOSPITAL_WITHIN)
        .await
}

/// Says which hospitals did not answer.
pub(crate) async fn missing_part(visit: &Visit, away: &[LedgerId]) -> Html {
    if away.is_empty() {
        return Html::none();
    }
    let names = visit.hospital_names().await;
    let names: Vec<String> = away
        .iter()
        .map(|id| names.get(id).cloned().unwrap_or_else(|| id.to_string()))
        .collect();
    let words = visit.words.frame;
    let text = fill(words.unavailable, &[("names", &names.join(", "))]);
    text::warning(words.important, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_right_behind_what_was_shown_of_it() {
        let place = |after: Option<&str>, shown| Place {
            hospital: LedgerId([1; 16]),
            after: after.map(str::to_owned),
            shown,
        };
        let second = || Some("b".to_owned());
        assert_eq!(gone_on(place(None, 2), 23, second(), 0), place(None, 2));
        assert_eq!(gone_on(place(None, 2), 23, second(), 20), place(None, 22));
        assert_eq!(
            gone_on(place(None, 2), 23, second(), 23),
            place(Some("b"), 0)
        );
        assert_eq!(
            gone_on(place(None, 2), 23, second(), 25),
            place(Some("b"), 2)
        );
        assert_eq!(
            gone_on(place(Some("a"), 0), 7, None, 7),
            place(Some("a"), 7)
        );
    }
}
