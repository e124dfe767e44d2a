//! The members, folded from the membership contract's events.

use std::sync::OnceLock;

use chassis::metrics::{Gauge, gauge};
use contracts::Event;
use contracts::membership::event::Event as Membership;
use ledger::{Digest, LedgerId};
use store::projections::ProjectionTransaction;
use store::{ProjectedBlock, Projection};

/// The projection `members`.
pub(crate) struct Members;

impl Projection for Members {
    const NAME: &'static str = "members";
    const VERSION: i64 = 3;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        for event in &block.events {
            if let Event::Membership(membership) = &event.event {
                fold(transaction, membership, block.header.time.0 as i64).await?;
            }
        }
        revocations_as_of().set((block.header.time.0 / 1_000_000) as i64);
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for statement in ["DELETE FROM members", "DELETE FROM endorsements"] {
            sqlx::query(statement).execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

/// How fresh the revocation list and the answers by OCSP are: there is a block at least every ten seconds.
fn revocations_as_of() -> &'static Gauge {
    static GAUGE: OnceLock<Gauge> = OnceLock::new();
    GAUGE.get_or_init(|| {
        gauge(
            "revocations_as_of_unix_seconds",
            "Time of the newest block that revocation list and OCSP answers know of",
        )
    })
}

async fn fold(
    transaction: &mut ProjectionTransaction<'_>,
    event: &Membership,
    time_us: i64,
) -> Result<(), sqlx::Error> {
    match event {
        Membership::FounderNamed {
            member,
            kind,
            public_key,
            name,
            operator,
            ..
        } => {
            let row = Row {
                member,
                kind: kind.name(),
                status: "active",
                name: name.as_deref(),
                operator: *operator,
            };
            insert(transaction, row, public_key.to_string(), Digest::default()).await
        }
        Membership::MemberRegistered {
            member,
            kind,
            public_key,
            sealing_key,
            name,
            ..
        } => {
            let row = Row {
                member,
                kind: kind.name(),
                status: "pending",
                name: name.as_deref(),
                operator: false,
            };
            insert(
                transaction,
                row,
                public_key.to_string(),
                Digest(*sealing_key),
            )
            .await
        }
        Membership::MemberEndorsed {
            member,
            operator,
            endorsements,
            ..
        } => {
            sqlx::query("INSERT INTO endorsements (member, operator) VALUES ($1, $2)")
                .bind(member.to_string())
                .bind(operator.to_string())
                .execute(&mut **transaction)
                .await?;
            sqlx::query("UPDATE members SET endorsements = $1 WHERE member = $2")
                .bind(i64::from(*endorsements))
                .bind(member.to_string())
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        }
        Membership::MemberActivated { member } | Membership::MemberReinstated { member } => {
            set_status(transaction, member, "active").await
        }
        Membership::MemberSuspended { member } => {
            set_status(transaction, member, "suspended").await?;
            sqlx::query("UPDATE members SET suspended_us = $1 WHERE member = $2")
                .bind(time_us)
                .bind(member.to_string())
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        }
        Membership::MemberRevoked { member } => {
            set_status(transaction, member, "revoked").await?;
            sqlx::query("UPDATE members SET revoked_us = $1 WHERE member = $2")
                .bind(time_us)
                .bind(member.to_string())
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        }
        Membership::KeyRotated {
            member,
            public_key,
            sealing_key,
        } => sqlx::query("UPDATE members SET public_key = $1, sealing_key = $2, rotated_us = $3 WHERE member = $4")
            .bind(public_key.to_string())
            .bind(Digest(*sealing_key).to_string())
            .bind(time_us)
            .bind(member.to_string())
            .execute(&mut **transaction)
            .await
            .map(|_| ()),
        Membership::DoctorAffiliated { .. } | Membership::AffiliationEnded { .. } => Ok(()),
    }
}

struct Row<'a> {
    member: &'a LedgerId,
    kind: &'a str,
    status: &'a str,
    name: Option<&'a str>,
    operator: bool,
}

async fn insert(
    transaction: &mut ProjectionTransaction<'_>,
    row: Row<'_>,
    public_key: String,
    sealing_key: Digest,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO members (member, kind, status, name, public_key, sealing_key, operator, endorsements)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
    )
    .bind(row.member.to_string())
    .bind(row.kind)
    .bind(row.status)
    .bind(row.name)
    .bind(public_key)
    .bind(sealing_key.to_string())
    .bind(i64::from(row.operator))
    .execute(&mut **transaction)
    .await
    .map(|_| ())
}

async fn set_status(
    transaction: &mut ProjectionTransaction<'_>,
    member: &LedgerId,
    status: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE members SET status = $1 WHERE member = $2")
        .bind(status)
        .bind(member.to_string())
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}
