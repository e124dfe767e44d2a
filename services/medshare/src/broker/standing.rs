//! Who may connect, as the ledger says: followed block by block, each verified, so that no one but the consortium's
//! replicas can shut a member out or let a device in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, BusConfig, Position};
use contracts::Event;
use contracts::membership::command::MemberKind;
use contracts::membership::event::Event as Membership;
use ledger::{CertifiedBlock, LEDGER_CONTRACT, LedgerId, PublicKey};
use serde::{Deserialize, Serialize};

/// Between two attempts to follow.
const PAUSE: Duration = Duration::from_secs(1);
/// The file is written at least once in so many blocks, and at each change.
const BLOCKS_PER_WRITE: u64 = 1_000;

/// What the broker knows of members. Patients and doctors never connect to it, and are not kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Standing {
    /// Canonical bytes of the position.
    position: Option<Vec<u8>>,
    /// Devices that are active.
    devices: BTreeSet<LedgerId>,
    /// Devices that are registered, active or not.
    registered: BTreeSet<LedgerId>,
    /// Every key that an organisation or service has had.
    keys: BTreeMap<String, LedgerId>,
    /// Members that are suspended or revoked.
    stopped: BTreeSet<LedgerId>,
}

impl Standing {
    /// The active devices' names.
    pub(super) fn devices(&self) -> impl Iterator<Item = String> {
        self.devices.iter().map(LedgerId::to_string)
    }

    /// Whether this is the name of a device that may not act.
    pub(super) fn is_stopped(&self, name: &str) -> bool {
        name.parse().is_ok_and(|id| self.stopped.contains(&id))
    }

    /// Whether the member with this key may not act.
    pub(super) fn is_key_stopped(&self, key: &PublicKey) -> bool {
        self.keys
            .get(&key.to_string())
            .is_some_and(|member| self.stopped.contains(member))
    }

    /// Takes an event; whether it changes who may connect.
    fn fold(&mut self, event: &Membership) -> bool {
        match event {
            Membership::FounderNamed {
                member,
                kind,
                public_key,
                ..
            }
            | Membership::MemberRegistered {
                member,
                kind,
                public_key,
                ..
            } => {
                match kind {
                    MemberKind::Patient | MemberKind::Doctor => {}
                    MemberKind::Device => drop(self.registered.insert(*member)),
                    _ => drop(self.keys.insert(public_key.to_string(), *member)),
                }
                false
            }
            Membership::MemberActivated { member } | Membership::MemberReinstated { member } => {
                let let_in = self.registered.contains(member) && self.devices.insert(*member);
                self.stopped.remove(member) || let_in
            }
            Membership::MemberSuspended { member } | Membership::MemberRevoked { member } => {
                let connects = self.registered.contains(member)
                    || self.keys.values().any(|known| known == member);
                self.devices.remove(member);
                connects && self.stopped.insert(*member)
            }
            Membership::KeyRotated {
                member, public_key, ..
            } => {
                if self.keys.values().any(|known| known == member) {
                    self.keys.insert(public_key.to_string(), *member);
                }
                false
            }
            _ => false,
        }
    }

    fn take(&mut self, block: &CertifiedBlock) -> bool {
        let mut changed = false;
        for leaf in &block.block.outcomes {
            for recorded in &leaf.events {
                if recorded.contract == LEDGER_CONTRACT {
                    continue;
                }
                if let Ok(Event::Membership(event)) =
                    Event::from_bytes(recorded.contract, &recorded.bytes)
                {
                    changed |= self.fold(&event);
                }
            }
        }
        self.position = Some(Position::after(block).to_bytes());
        changed
    }
}

/// The standing, shared with the one who follows; kept in a file so that a start need not read the whole ledger.
#[derive(Clone)]
pub(super) struct Standings {
    file: PathBuf,
    current: Arc<Mutex<Standing>>,
    version: Arc<AtomicU64>,
}

impl Standings {
    /// As it was when the file was written; an unreadable file is read from the ledger anew.
    pub(super) fn load(file: &Path) -> Standings {
        let current = crate::files::read_json(file).unwrap_or_default();
        Standings {
            file: file.to_owned(),
            current: Arc::new(Mutex::new(current)),
            version: Arc::default(),
        }
    }

    /// Grows when who may connect changes.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The standing now.
    pub(super) fn now(&self) -> Standing {
        self.lock().clone()
    }

    /// Follows the ledger for as long as the process lives.
    pub(super) async fn follow(self, config: BusConfig) {
        loop {
            if let Err(error) = self.follow_once(&config).await {
                tracing::warn!(%error, "the ledger cannot be followed; it is tried again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow_once(&self, config: &BusConfig) -> anyhow::Result<()> {
        let bus = Bus::connect(config).await?;
        let position = {
            let current = self.lock();
            let bytes = current.position.as_deref();
            bytes
                .and_then(Position::from_bytes)
                .unwrap_or(Position::START)
        };
        let mut blocks = bus.follow_from(position).await?;
        let mut unwritten = 0;
        while let Some(followed) = blocks.next().await {
            let changed = self.lock().take(&followed.block);
            unwritten += 1;
            if changed || unwritten >= BLOCKS_PER_WRITE {
                crate::files::write_json(&self.file, &self.now())?;
                unwritten = 0;
            }
            if changed {
                self.version.fetch_add(1, Ordering::AcqRel);
            }
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: LedgerId = LedgerId([7; 16]);
    const HOSPITAL: LedgerId = LedgerId([8; 16]);

    fn registered(member: LedgerId, kind: MemberKind, key: u8) -> Membership {
        Membership::FounderNamed {
            member,
            kind,
            public_key: PublicKey([key; 32]),
            name: None,
            allowed: Vec::new(),
            operator: false,
        }
    }

    #[test]
    fn a_device_connects_from_its_activation_until_it_is_suspended_and_again_after_that() {
        let mut standing = Standing::default();
        standing.fold(&registered(DEVICE, MemberKind::Device, 1));
        assert_eq!(standing.devices().count(), 0);
        for (event, connects) in [
            (Membership::MemberActivated { member: DEVICE }, true),
            (Membership::MemberSuspended { member: DEVICE }, false),
            (Membership::MemberReinstated { member: DEVICE }, true),
            (Membership::MemberRevoked { member: DEVICE }, false),
        ] {
            assert!(standing.fold(&event), "{event:?} changes who may connect");
            assert_eq!(
                standing.devices().any(|name| name == DEVICE.to_string()),
                connects
            );
            assert_eq!(standing.is_stopped(&DEVICE.to_string()), !connects);
        }
    }

    #[test]
    fn a_stopped_hospital_is_known_by_every_key_it_has_had() {
        let mut standing = Standing::default();
        standing.fold(&registered(HOSPITAL, MemberKind::Hospital, 1));
        standing.fold(&Membership::KeyRotated {
            member: HOSPITAL,
            public_key: PublicKey([2; 32]),
            sealing_key: [0; 32],
        });
        standing.fold(&Membership::MemberSuspended { member: HOSPITAL });
        assert!(standing.is_key_stopped(&PublicKey([1; 32])));
        assert!(standing.is_key_stopped(&PublicKey([2; 32])));
        assert!(!standing.is_key_stopped(&PublicKey([3; 32])));
    }
}
