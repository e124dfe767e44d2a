//! From a hospital's ledger id to its name and its records service.
//!
//! The ledger (by way of identity) says which key a hospital has; the bus directory says which process acts under that
//! key. A hospital that joins meanwhile is found as soon as its operator has added it to the directory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::{Bus, Target};
use contracts::membership::command::MemberKind;
use interfaces::identity::{GetMember, ListMembers, MemberSummary};
use interfaces::{PageRequest, Problem};
use ledger::{LedgerId, PublicKey};
use serde::Serialize;
use utoipa::ToSchema;

/// Keys rotate seldom; after this long the answer is asked again.
const SERVICE_REMEMBERED_FOR: Duration = Duration::from_secs(60);
const SERVICES_REMEMBERED_MAX: usize = 4_096;
/// Every page asks for names; one that joins is there a few seconds later.
const LIST_REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Members a question.
const PART: u32 = 500;

/// A hospital that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hospital {
    /// Its ledger id, as in `/v1/hospitals/{hospital}`.
    #[schema(value_type = String)]
    pub hospital: LedgerId,
    /// Its public name.
    pub name: Option<String>,
    /// Bus name of its records service, as in `UnsignedCommand.service`.
    pub service: String,
}

impl Hospital {
    /// Its public name; the bus name of its records service where it has none.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.service)
    }
}

type List = Arc<BTreeMap<LedgerId, Hospital>>;

/// Finds hospitals and their records services, and remembers them for a while.
#[derive(Debug)]
pub struct Hospitals {
    pub(crate) bus: Bus,
    services: Mutex<HashMap<LedgerId, (String, Instant)>>,
    list: Mutex<Option<(List, Instant)>>,
}

impl Hospitals {
    /// Finds them over this connection.
    pub fn new(bus: Bus) -> Hospitals {
        Hospitals {
            bus,
            services: Mutex::default(),
            list: Mutex::default(),
        }
    }

    /// The records service of a hospital.
    ///
    /// # Errors
    /// 404 when there is no such hospital, or it has no records service (yet).
    pub async fn records_service(&self, hospital: LedgerId) -> Result<Target, Problem> {
        if let Some(name) = self.recall(&hospital) {
            return Ok(Target::records(&name));
        }
        let asked = GetMember { member: hospital };
        let member = self
            .bus
            .request(&Target::of::<GetMember>(), None, &asked)
            .await;
        let member = member.map_err(|problem| match problem.status {
            404 => unknown(),
            _ => problem,
        })?;
        let name = self.service_of(&member).ok_or_else(unknown)?;
        self.remember(hospital, &name);
        Ok(Target::records(&name))
    }

    /// The active hospitals that have a records service, by ledger id.
    ///
    /// # Errors
    /// Those of identity.
    pub async fn all(&self) -> Result<List, Problem> {
        let remembered = self
            .list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((list, at)) = remembered
            && at.elapsed() < LIST_REMEMBERED_FOR
        {
            return Ok(list);
        }
        let mut found = BTreeMap::new();
        for member in self.members().await? {
            let is_active = member.status == "active";
            if let Some(service) = self.service_of(&member).filter(|_| is_active) {
                let hospital = Hospital {
                    hospital: member.member,
                    name: member.name,
                    service,
                };
                found.insert(member.member, hospital);
            }
        }
        let list = Arc::new(found);
        *self.list.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((list.clone(), Instant::now()));
        Ok(list)
    }

    /// Their names.
    ///
    /// # Errors
    /// Those of identity.
    pub async fn names(&self) -> Result<BTreeMap<LedgerId, String>, Problem> {
        let all = self.all().await?;
        Ok(all
            .iter()
            .map(|(id, hospital)| (*id, hospital.shown().to_owned()))
            .collect())
    }

    async fn members(&self) -> Result<Vec<MemberSummary>, Problem> {
        let mut members = Vec::new();
        let mut after = None;
        loop {
            let request = ListMembers {
                kind: Some(MemberKind::Hospital),
                page: PageRequest {
                    after,
                    limit: Some(PART),
                },
            };
            let page = self
                .bus
                .request(&Target::of::<ListMembers>(), None, &request)
                .await?;
            members.extend(page.entries);
            after = page.next;
            if after.is_none() {
                return Ok(members);
            }
        }
    }

    /// The bus name of the records service that acts under a hospital's key.
    fn service_of(&self, member: &MemberSummary) -> Option<String> {
        if member.kind != MemberKind::Hospital {
            return None;
        }
        self.name_with_key(&member.public_key).or_else(|| {
            self.bus.directory().refresh();
            self.name_with_key(&member.public_key)
        })
    }

    fn name_with_key(&self, key: &PublicKey) -> Option<String> {
        let directory = self.bus.directory();
        let names = directory.names().into_iter();
        names.filter(|name| is_records_service(name)).find(|name| {
            directory
                .get(name)
                .is_some_and(|entry| entry.public_key == *key)
        })
    }

    fn recall(&self, hospital: &LedgerId) -> Option<String> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services
            .get(hospital)
            .filter(|(_, at)| at.elapsed() < SERVICE_REMEMBERED_FOR)
            .map(|(name, _)| name.clone())
    }

    fn remember(&self, hospital: LedgerId, name: &str) {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if services.len() >= SERVICES_REMEMBERED_MAX {
            services.retain(|_, (_, at)| at.elapsed() < SERVICE_REMEMBERED_FOR);
        }
        services.insert(hospital, (name.to_owned(), Instant::now()));
    }
}

/// Whether a bus name is that of a hospital's records service.
pub fn is_records_service(name: &str) -> bool {
    name.strip_prefix("records-")
        .is_some_and(|slug| !slug.is_empty())
}

fn unknown() -> Problem {
    Problem::new(
        404,
        "unknown-hospital",
        "No such hospital",
        "no hospital with a records service has this ledger id",
    )
}

#[cfg(test)]
mod tests {
    use super::is_records_service;

    #[test]
    fn only_records_services_of_a_hospital_hold_records() {
        assert!(is_records_service("records-lakeside"));
        for other in ["records-", "records", "identity", "xrecords-lakeside"] {
            assert!(!is_records_service(other), "{other}");
        }
    }
}
