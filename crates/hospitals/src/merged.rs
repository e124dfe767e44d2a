//! One list of what all hospitals hold of a patient, newest first, a page at a time.
//!
//! Every hospital pages in its own database. A page here asks each for as much as could be on it, merges, and says for the
//! next page where in each hospital's list the last entry of this one stood.

use std::time::Duration;

use contracts::membership::command::MemberKind;
use interfaces::identity::GetOwnAccount;
use interfaces::{Page, PageRequest, Problem, UseCase};
use ledger::LedgerId;
use serde::{Deserialize, Serialize};

use crate::lookup::Hospitals;

/// How long one hospital is waited for.
const HOSPITAL_WITHIN: Duration = Duration::from_secs(5);
/// What a context of a patient's ledger ids is called at a hospital.
const CONTEXT_PREFIX: &str = "hospital:";

/// Where a hospital's list goes on: the part, and how much of it was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    hospital: LedgerId,
    after: Option<String>,
    shown: usize,
}

/// A page of a list of all hospitals.
#[derive(Debug)]
pub struct Merged<T> {
    /// The entries, newest first.
    pub entries: Vec<T>,
    /// Where the next page begins; none at the end.
    pub next: Option<Vec<Place>>,
    /// Hospitals that did not answer, whose part is missing, and why. A later page asks them again.
    pub away: Vec<(LedgerId, Problem)>,
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

/// A hospital's place, and how much of its answer is on the page.
struct Taken {
    place: Place,
    of_first: usize,
    second: Option<String>,
    more: bool,
    taken: usize,
}

impl Hospitals {
    /// The hospitals where the patient who is signed in has a ledger id, with that id.
    ///
    /// # Errors
    /// Those of identity; 403 for whoever is no patient.
    pub async fn of_patient(&self, token: &str) -> Result<Vec<(LedgerId, LedgerId)>, Problem> {
        let target = bus::Target::of::<GetOwnAccount>();
        let account = self
            .bus
            .request(&target, Some(token), &GetOwnAccount {})
            .await?;
        if account.kind != MemberKind::Patient {
            return Err(Problem::forbidden(
                "this is not for the role you are signed in with",
            ));
        }
        let ids = account.ledger_ids.iter();
        Ok(ids
            .filter_map(|(context, id)| {
                Some((context.strip_prefix(CONTEXT_PREFIX)?.parse().ok()?, *id))
            })
            .collect())
    }

    /// A page of at most `limit` entries of the lists of all hospitals where the patient has a ledger id, from `places` on
    /// or from the beginning; `key` grows with what is newer.
    ///
    /// # Errors
    /// 401 when the session has ended; those of identity.
    pub async fn merged<Q, T, K: Ord>(
        &self,
        token: &str,
        places: Option<Vec<Place>>,
        limit: u32,
        question: impl Fn(PageRequest) -> Q + Sync,
        key: impl Fn(&T) -> K,
    ) -> Result<Merged<T>, Problem>
    where
        Q: UseCase<Reply = Page<T>> + Sync,
    {
        let places = match places {
            Some(places) => places,
            None => {
                let hospitals = self.of_patient(token).await?.into_iter();
                hospitals
                    .map(|(hospital, _)| Place::first(hospital))
                    .collect()
            }
        };
        let asked = places
            .iter()
            .map(|place| self.part(token, place, limit, &question));
        let answers = futures::future::join_all(asked).await;
        let (mut away, mut stay, mut ahead, mut heads) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (place, answer) in places.into_iter().zip(answers) {
            match answer {
                Ok(part) => {
                    let number = ahead.len();
                    heads.extend(part.entries.into_iter().map(|entry| (number, entry)));
                    ahead.push(Taken {
                        place,
                        of_first: part.of_first,
                        second: part.second,
                        more: part.more,
                        taken: 0,
                    });
                }
                // The session ended meanwhile: that is no matter of this hospital.
                Err(problem) if problem.status == 401 => return Err(problem),
                Err(problem) => {
                    tracing::warn!(%problem, hospital = %place.hospital, "a hospital did not answer");
                    away.push((place.hospital, problem));
                    stay.push(place);
                }
            }
        }
        // Stable: what one hospital has in order stays so.
        heads.sort_by_key(|(_, entry)| std::cmp::Reverse(key(entry)));
        let left = heads.len() > limit as usize;
        heads.truncate(limit as usize);
        let mut entries = Vec::with_capacity(heads.len());
        for (number, entry) in heads {
            ahead[number].taken += 1;
            entries.push(entry);
        }
        let more = left || ahead.iter().any(|taken| taken.more);
        stay.extend(ahead.into_iter().map(Taken::gone_on));
        Ok(Merged {
            entries,
            next: more.then_some(stay),
            away,
        })
    }

    /// What follows a place of a hospital's list, at least a page where there is as much.
    async fn part<Q, T>(
        &self,
        token: &str,
        place: &Place,
        limit: u32,
        question: &(impl Fn(PageRequest) -> Q + Sync),
    ) -> Result<Part<T>, Problem>
    where
        Q: UseCase<Reply = Page<T>> + Sync,
    {
        let target = self.records_service(place.hospital).await?;
        let ask = async |after| {
            let asked = question(PageRequest {
                after,
                limit: Some(limit),
            });
            self.bus
                .request_within(&target, Some(token), &asked, HOSPITAL_WITHIN)
                .await
        };
        let first = ask(place.after.clone()).await?;
        let mut entries: Vec<T> = first.entries.into_iter().skip(place.shown).collect();
        let (of_first, second) = (entries.len(), first.next);
        let mut more = second.is_some();
        if of_first < limit as usize
            && let Some(after) = &second
        {
            let page = ask(Some(after.clone())).await?;
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
}

impl Place {
    fn first(hospital: LedgerId) -> Place {
        Place {
            hospital,
            after: None,
            shown: 0,
        }
    }
}

impl Taken {
    /// Where the hospital's list goes on.
    fn gone_on(self) -> Place {
        match self.second {
            Some(second) if self.taken >= self.of_first => Place {
                hospital: self.place.hospital,
                after: Some(second),
                shown: self.taken - self.of_first,
            },
            _ => Place {
                shown: self.place.shown + self.taken,
                ..self.place
            },
        }
    }
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
        let gone_on = |place, of_first, second: Option<&str>, taken| {
            let taken = Taken {
                place,
                of_first,
                second: second.map(str::to_owned),
                more: false,
                taken,
            };
            taken.gone_on()
        };
        let second = Some("b");
        assert_eq!(gone_on(place(None, 2), 23, second, 0), place(None, 2));
        assert_eq!(gone_on(place(None, 2), 23, second, 20), place(None, 22));
        assert_eq!(gone_on(place(None, 2), 23, second, 23), place(second, 0));
        assert_eq!(gone_on(place(None, 2), 23, second, 25), place(second, 2));
        assert_eq!(
            gone_on(place(Some("a"), 0), 7, None, 7),
            place(Some("a"), 7)
        );
    }
}
