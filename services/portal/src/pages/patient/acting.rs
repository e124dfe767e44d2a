//! Acting for a patient as their guardian: their records, who viewed them, requests to decide. Each page asks the hospital
//! first whether the delegation still stands.

use axum::extract::Path;
use interfaces::Problem;
use interfaces::records::{Delegation, ListDelegations, ListOwnRecords, ListViewsOfOwnRecords};
use ledger::LedgerId;

use super::{records, requests, views};
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::text;
use crate::pages::listing::Listing;
use crate::pages::viewed;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// A patient for whom the person who is signed in acts now.
pub(crate) struct Acting {
    pub(crate) hospital: LedgerId,
    delegation: Delegation,
}

impl Acting {
    /// The delegation that a path names.
    ///
    /// # Errors
    /// 403 when it does not stand (any more).
    pub(crate) async fn of(
        visit: &Visit,
        hospital: &str,
        patient: &str,
    ) -> Result<Acting, Refusal> {
        visit.signed_in()?;
        let unknown = || Problem::not_found("no such patient");
        let hospital: LedgerId = hospital.parse().map_err(|_| unknown())?;
        let patient: LedgerId = patient.parse().map_err(|_| unknown())?;
        let listed = visit.ask_hospital(hospital, &ListDelegations {}).await?;
        let held = listed.held.into_iter();
        let delegation = held
            .filter(|held| held.patient == patient)
            .max_by_key(|held| held.scope)
            .ok_or_else(|| Problem::forbidden("you do not act for this patient"))?;
        Ok(Acting {
            hospital,
            delegation,
        })
    }

    /// The patient's ledger id at the hospital.
    pub(crate) fn patient(&self) -> LedgerId {
        self.delegation.patient
    }

    /// Whether the delegation covers reading.
    pub(crate) fn reads(&self) -> bool {
        self.delegation.scope.reads()
    }

    /// A page below this patient's.
    pub(crate) fn path(&self, list: &str) -> String {
        path_of(self.hospital, self.patient(), list)
    }

    /// The patient's name.
    fn name<'a>(&'a self, visit: &'a Visit) -> &'a str {
        let unnamed = visit.words.delegation.somebody;
        self.delegation.name.as_deref().unwrap_or(unnamed)
    }

    /// Says on every page for whom one acts, and leads between its pages.
    pub(crate) fn banner(&self, visit: &Visit) -> Html {
        let words = visit.words.delegation;
        let name = [("name", self.name(visit))];
        let mut links = Vec::new();
        if self.delegation.scope.reads() {
            links.push(text::link(&self.path("records"), words.to_records));
            links.push(text::link(&self.path("views"), words.to_views));
        }
        if self.delegation.scope.decides() {
            links.push(text::link(&self.path("requests"), words.to_requests));
        }
        links.push(text::link("/guardians", words.stop));
        let mut line = Html::none();
        for (place, link) in links.into_iter().enumerate() {
            let joint = if place == 0 { "" } else { " · " };
            line = line.and(Html::text(joint)).and(link);
        }
        text::warning_of(
            &fill(words.acting, &name),
            text::paragraph(&fill(words.acting_text, &name)).and(text::paragraph_of(line)),
        )
    }

    /// A page about this patient.
    pub(crate) fn page(&self, visit: &Visit, title: &str, content: Html) -> Page {
        let words = visit.words.delegation;
        Page::new(title, self.banner(visit).and(content)).below("/guardians", words.title)
    }

    /// A title that names the patient.
    pub(crate) fn titled(&self, visit: &Visit, title: &str) -> String {
        fill(title, &[("name", self.name(visit))])
    }
}

/// A page below a patient's for whom one acts.
pub(crate) fn path_of(hospital: LedgerId, patient: LedgerId, list: &str) -> String {
    format!("/acting/{hospital}/{patient}/{list}")
}

/// `GET /acting/{hospital}/{patient}/records`
pub(crate) async fn list_records(
    visit: Visit,
    Path((hospital, patient)): Path<(String, String)>,
) -> Answer {
    let acting = Acting::of(&visit, &hospital, &patient).await?;
    let asked = ListOwnRecords {
        acting_for: Some(acting.patient()),
        page: visit.part(),
    };
    let page = visit.ask_hospital(acting.hospital, &asked).await?;
    let words = visit.words.patient;
    let path = acting.path("records");
    let list = Listing {
        id: "records",
        contracts: "records",
        path: &path,
        empty: (words.no_records, words.no_records_text),
    };
    let shown = records::shown(&visit, &page.entries, Some(acting.patient())).await;
    let content = list
        .living(&visit, shown)
        .and(list.paging(&visit, page.next));
    let title = acting.titled(&visit, visit.words.delegation.records);
    Ok(visit.page(acting.page(&visit, &title, content)))
}

/// `POST /acting/open`
pub(crate) async fn open(form: Submitted) -> Answer {
    form.visit.signed_in()?;
    let patient: LedgerId = form.id("patient")?;
    records::open_for(form, Some(patient)).await
}

/// `GET /acting/{hospital}/{patient}/viewed/{hospital}/{transaction}`
pub(crate) async fn show_viewed(
    visit: Visit,
    Path((_, _, hospital, transaction)): Path<(String, String, String, String)>,
) -> Answer {
    viewed::show(visit, Path((hospital, transaction))).await
}

/// `GET /acting/{hospital}/{patient}/viewed/{hospital}/{transaction}/{record}/proof`
pub(crate) async fn proof(
    visit: Visit,
    Path((_, _, hospital, transaction, record)): Path<(String, String, String, String, String)>,
) -> Answer {
    viewed::proof(visit, Path((hospital, transaction, record))).await
}

/// `GET /acting/{hospital}/{patient}/viewed/{hospital}/{transaction}/{record}/file`
pub(crate) async fn download(
    visit: Visit,
    Path((_, _, hospital, transaction, record)): Path<(String, String, String, String, String)>,
) -> Answer {
    viewed::download(visit, Path((hospital, transaction, record))).await
}

/// `GET /acting/{hospital}/{patient}/views`
pub(crate) async fn list_views(
    visit: Visit,
    Path((hospital, patient)): Path<(String, String)>,
) -> Answer {
    let acting = Acting::of(&visit, &hospital, &patient).await?;
    let asked = ListViewsOfOwnRecords {
        acting_for: Some(acting.patient()),
        by_others: false,
        page: visit.part(),
    };
    let page = visit.ask_hospital(acting.hospital, &asked).await?;
    let words = visit.words.patient;
    let path = acting.path("views");
    let list = Listing {
        id: "views",
        contracts: "records",
        path: &path,
        empty: (words.no_views, words.no_views_text),
    };
    let own = acting.delegation.guardian;
    let cards: Vec<_> = page
        .entries
        .iter()
        .map(|view| views::card_for_guardian(&visit, view, own))
        .collect();
    let content = list.html(&visit, &cards, page.next);
    let title = acting.titled(&visit, visit.words.delegation.views);
    Ok(visit.page(acting.page(&visit, &title, content)))
}

/// `GET /acting/{hospital}/{patient}/requests`
pub(crate) async fn list_requests(
    visit: Visit,
    Path((hospital, patient)): Path<(String, String)>,
) -> Answer {
    let acting = Acting::of(&visit, &hospital, &patient).await?;
    requests::list_for(&visit, Some(&acting)).await
}

/// `GET /acting/{hospital}/{patient}/requests/{application}/{index}`
pub(crate) async fn show_request(
    visit: Visit,
    Path((hospital, patient, application, index)): Path<(String, String, String, String)>,
) -> Answer {
    let acting = Acting::of(&visit, &hospital, &patient).await?;
    requests::show_for(&visit, &application, &index, Some(&acting)).await
}

/// `GET /acting/{hospital}/{patient}/requests/{application}/{index}/refuse`
pub(crate) async fn refuse_request(
    visit: Visit,
    Path((hospital, patient, application, index)): Path<(String, String, String, String)>,
) -> Answer {
    let acting = Acting::of(&visit, &hospital, &patient).await?;
    requests::refuse_for(&visit, &application, &index, Some(&acting)).await
}
