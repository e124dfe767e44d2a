//! Folding who is a member, and which doctor acts for which hospital.

use contracts::membership::event::Event as Membership;
use ledger::LedgerId;

use crate::facts::Connection;
use crate::service::time_us;

pub(super) async fn fold(connection: &mut Connection, decided: &Membership) -> anyhow::Result<()> {
    let (member, status) = match decided {
        Membership::MemberRegistered {
            member,
            kind,
            sealing_key,
            ..
        } => {
            return put_member(
                connection,
                member,
                kind.name(),
                "pending",
                Some(sealing_key),
            )
            .await;
        }
        Membership::FounderNamed { member, kind, .. } => {
            return put_member(connection, member, kind.name(), "active", None).await;
        }
        Membership::KeyRotated {
            member,
            sealing_key,
            ..
        } => {
            sqlx::query("UPDATE ledger_members SET sealing_key = $1 WHERE member = $2")
                .bind(data_encoding::HEXLOWER.encode(sealing_key))
                .bind(member.to_string())
                .execute(connection)
                .await?;
            return Ok(());
        }
        Membership::DoctorAffiliated {
            doctor,
            hospital,
            from,
            until,
        } => {
            sqlx::query(
                "INSERT INTO ledger_affiliations (doctor, hospital, from_time, until_time) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (doctor, hospital) DO UPDATE SET from_time = excluded.from_time, until_time = excluded.until_time",
            )
            .bind(doctor.to_string())
            .bind(hospital.to_string())
            .bind(time_us(*from))
            .bind(time_us(*until))
            .execute(connection)
            .await?;
            return Ok(());
        }
        Membership::AffiliationEnded { doctor, hospital } => {
            sqlx::query("DELETE FROM ledger_affiliations WHERE doctor = $1 AND hospital = $2")
                .bind(doctor.to_string())
                .bind(hospital.to_string())
                .execute(connection)
                .await?;
            return Ok(());
        }
        Membership::MemberEndorsed { .. } => return Ok(()),
        Membership::MemberActivated { member } | Membership::MemberReinstated { member } => {
            (member, "active")
        }
        Membership::MemberSuspended { member } => (member, "suspended"),
        Membership::MemberRevoked { member } => (member, "revoked"),
    };
    sqlx::query("UPDATE ledger_members SET status = $1 WHERE member = $2")
        .bind(status)
        .bind(member.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_member(
    connection: &mut Connection,
    member: &LedgerId,
    kind: &str,
    status: &'static str,
    sealing_key: Option<&[u8; 32]>,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO ledger_members (member, kind, status, sealing_key) VALUES ($1, $2, $3, $4) ON CONFLICT (member) DO NOTHING",
    )
    .bind(member.to_string())
    .bind(kind.to_owned())
    .bind(status)
    .bind(sealing_key.map(|key| data_encoding::HEXLOWER.encode(key)))
    .execute(connection)
    .await?;
    Ok(())
}
