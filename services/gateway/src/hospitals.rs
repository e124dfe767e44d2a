//! From a hospital's ledger id to its records service.
//!
//! The ledger (by way of identity) says which key a hospital has; the bus directory says which process acts under that
//! key. A hospital that joins while the gateway runs is found as soon as its operator has added it to the directory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::{Bus, Target};
use contracts::membership::command::MemberKind;
use interfaces::identity::{GetMember, ListMembers, MemberSummary};
use interfaces::{PageRequest, Problem};
use ledger::{LedgerId, PublicKey};
use serde::Serialize;
use utoipa::ToSchema;

/// Keys rotate seldom; after this long the answer is asked again.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
const REMEMBERED_MAX: usize = 4_096;

/// A hospital that takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Hospital {
    /// Its ledger id, as in `/v1/hospitals/{hospital}`.
    #[schema(value_type = String)]
    pub(crate) hospital: LedgerId,
    /// Its public name.
    pub(crate) name: Option<String>,
    /// Bus name of its records service, as in `UnsignedCommand.service`.
    pub(crate) service: String,
}

/// Finds records services, and remembers them for a minute.
#[derive(Debug)]
pub(crate) struct Hospitals {
    bus: Bus,
    remembered: Mutex<HashMap<LedgerId, (String, Instant)>>,
}

impl Hospitals {
    pub(crate) fn new(bus: Bus) -> Hospitals {
        Hospitals {
            bus,
            remembered: Mutex::default(),
        }
    }

    /// The records service of a hospital.
    ///
    /// # Errors
    /// 404 when there is no such hospital, or it has no records service (yet).
    pub(crate) async fn records_service(&self, hospital: LedgerId) -> Result<Target, Problem> {
        if let Some(name) = self.recall(&hospital) {
            return Ok(Target::records(&name));
        }
        let member = self
            .bus
            .request(
                &Target::of::<GetMember>(),
                None,
                &GetMember { member: hospital },
            )
            .await;
        let member = member.map_err(|problem| {
            if problem.status == 404 {
                unknown()
            } else {
                problem
            }
        })?;
        let name = self.service_of(&member).ok_or_else(unknown)?;
        self.remember(hospital, &name);
        Ok(Target::records(&name))
    }

    /// The active hospitals that have a records service, by ledger id.
    ///
    /// # Errors
    /// Those of identity.
    pub(crate) async fn list(&self) -> Result<Vec<Hospital>, Problem> {
        let mut found = Vec::new();
        for member in self.members().await? {
            if let Some(service) = self
                .service_of(&member)
                .filter(|_| member.status == "active")
            {
                found.push(Hospital {
                    hospital: member.member,
                    name: member.name,
                    service,
                });
            }
        }
        found.sort_by_key(|hospital| hospital.hospital);
        Ok(found)
    }

    async fn members(&self) -> Result<Vec<MemberSummary>, Problem> {
        let mut members = Vec::new();
        let mut after = None;
        loop {
            let page = PageRequest {
                after,
                limit: Some(500),
            };
            let request = ListMembers {
                kind: Some(MemberKind::Hospital),
                page,
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
        directory
            .names()
            .into_iter()
            .filter(|name| is_records_service(name))
            .find(|name| {
                directory
                    .get(name)
                    .is_some_and(|entry| entry.public_key == *key)
            })
    }

    fn recall(&self, hospital: &LedgerId) -> Option<String> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered
            .get(hospital)
            .filter(|(_, at)| at.elapsed() < REMEMBERED_FOR)
            .map(|(name, _)| name.clone())
    }

    fn remember(&self, hospital: LedgerId, name: &str) {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (_, at)| at.elapsed() < REMEMBERED_FOR);
        }
        remembered.insert(hospital, (name.to_owned(), Instant::now()));
    }
}

/// Whether a bus name is that of a hospital's records service.
pub(crate) fn is_records_service(name: &str) -> bool {
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
