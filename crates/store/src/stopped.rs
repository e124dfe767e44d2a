//! Members that may not act: suspended or revoked, as the ledger has it. Kept beside every service's projection, in the same
//! database transactions, so that a session ends with the block that stops its member.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use contracts::Event;
use contracts::membership::event::Event as Membership;
use ledger::LedgerId;
use sqlx::{Any, Row};

use crate::projections::ProjectedBlock;

/// The members that may not act. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct StoppedMembers {
    members: Arc<RwLock<BTreeSet<LedgerId>>>,
}

/// A change by one block.
pub(crate) enum Change {
    Stopped(LedgerId),
    MayGoOn(LedgerId),
}

impl StoppedMembers {
    /// Whether this one may not act.
    pub fn contains(&self, member: &LedgerId) -> bool {
        self.members
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(member)
    }

    /// Reads the rows.
    pub(crate) async fn load(
        transaction: &mut sqlx::Transaction<'_, Any>,
    ) -> anyhow::Result<StoppedMembers> {
        let stopped = StoppedMembers::default();
        stopped.reload(transaction).await?;
        Ok(stopped)
    }

    /// Reads the rows again.
    pub(crate) async fn reload(
        &self,
        transaction: &mut sqlx::Transaction<'_, Any>,
    ) -> anyhow::Result<()> {
        let rows = sqlx::query("SELECT member FROM stopped_members")
            .fetch_all(&mut **transaction)
            .await?;
        let members = rows
            .iter()
            .map(|row| Ok(row.try_get::<String, _>(0)?.parse()?))
            .collect::<anyhow::Result<BTreeSet<LedgerId>>>()?;
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
        Ok(())
    }

    /// What was committed counts from now on.
    pub(crate) fn take(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change {
                Change::Stopped(member) => drop(members.insert(*member)),
                Change::MayGoOn(member) => drop(members.remove(member)),
            }
        }
    }
}

/// What a block changes; written to the rows.
pub(crate) async fn apply(
    transaction: &mut sqlx::Transaction<'_, Any>,
    block: &ProjectedBlock,
) -> Result<Vec<Change>, sqlx::Error> {
    let mut changes = Vec::new();
    for event in &block.events {
        match &event.event {
            Event::Membership(
                Membership::MemberSuspended { member } | Membership::MemberRevoked { member },
            ) => {
                sqlx::query("INSERT INTO stopped_members (member) VALUES ($1) ON CONFLICT (member) DO NOTHING")
                    .bind(member.to_string())
                    .execute(&mut **transaction)
                    .await?;
                changes.push(Change::Stopped(*member));
            }
            Event::Membership(Membership::MemberReinstated { member }) => {
                sqlx::query("DELETE FROM stopped_members WHERE member = $1")
                    .bind(member.to_string())
                    .execute(&mut **transaction)
                    .await?;
                changes.push(Change::MayGoOn(*member));
            }
            _ => {}
        }
    }
    Ok(changes)
}
