//! The hospitals that take part: their names, and the records service of each.
//!
//! The ledger (by way of identity) says which key a hospital has; the bus directory says which process acts under that
//! key. A hospital that joins while the portal runs is found within half a minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::{Bus, Target};
use contracts::membership::command::MemberKind;
use interfaces::identity::{ListMembers, MemberSummary};
use interfaces::{PageRequest, Problem};
use ledger::LedgerId;

const REMEMBERED_FOR: Duration = Duration::from_secs(30);

/// A hospital that takes part.
#[derive(Clone, Debug)]
pub(crate) struct Hospital {
    pub(crate) name: String,
    /// The bus name of its records service.
    pub(crate) service: String,
}

type Found = Arc<BTreeMap<LedgerId, Hospital>>;

/// Finds hospitals, and remembers them for half a minute.
#[derive(Debug)]
pub(crate) struct Hospitals {
    bus: Bus,
    remembered: Mutex<Option<(Found, Instant)>>,
}

impl Hospitals {
    pub(crate) fn new(bus: Bus) -> Hospitals {
        Hospitals {
            bus,
            remembered: Mutex::default(),
        }
    }

    /// The active hospitals that have a records service.
    ///
    /// # Errors
    /// Those of identity.
    pub(crate) async fn all(&self) -> Result<Found, Problem> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((found, at)) = remembered
            && at.elapsed() < REMEMBERED_FOR
        {
            return Ok(found);
        }
        let found = Arc::new(self.ask().await?);
        *self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((found.clone(), Instant::now()));
        Ok(found)
    }

    /// Their names.
    ///
    /// # Errors
    /// Those of identity.
    pub(crate) async fn names(&self) -> Result<BTreeMap<LedgerId, String>, Problem> {
        let all = self.all().await?;
        Ok(all
            .iter()
            .map(|(id, hospital)| (*id, hospital.name.clone()))
            .collect())
    }

    /// The records service of a hospital.
    ///
    /// # Errors
    /// 404 when there is no such hospital.
    pub(crate) async fn records_service(&self, hospital: LedgerId) -> Result<Target, Problem> {
        let all = self.all().await?;
        all.get(&hospital)
            .map(|found| Target::records(&found.service))
            .ok_or_else(|| Problem::not_found("no hospital with a records service has this id"))
    }

    async fn ask(&self) -> Result<BTreeMap<LedgerId, Hospital>, Problem> {
        self.bus.directory().refresh();
        let mut found = BTreeMap::new();
        let mut after = None;
        loop {
            let request = ListMembers {
                kind: Some(MemberKind::Hospital),
                page: PageRequest {
                    after,
                    limit: Some(500),
                },
            };
            let page = self
                .bus
                .request(&Target::of::<ListMembers>(), None, &request)
                .await?;
            for member in page.entries {
                if let Some(service) = self.service_of(&member) {
                    let name = member.name.unwrap_or_else(|| service.clone());
                    found.insert(member.member, Hospital { name, service });
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// The bus name of the records service that acts under an active hospital's key.
    fn service_of(&self, member: &MemberSummary) -> Option<String> {
        let directory = self.bus.directory();
        let names = directory.names();
        let mut services = names.into_iter().filter(|name| {
            name.strip_prefix("records-")
                .is_some_and(|slug| !slug.is_empty())
        });
        services
            .find(|name| {
                directory
                    .get(name)
                    .is_some_and(|entry| entry.public_key == member.public_key)
            })
            .filter(|_| member.status == "active")
    }
}
