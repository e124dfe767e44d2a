//! Certificates of members' keys, and the authority's own. A certificate says who holds a key; it admits nobody.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{Authority, GetAuthority, IssueCertificate, IssuedCertificate};
use keys::certificate::{LeafKey, LeafKind, LeafRequest, certificate_digest};
use ledger::{PublicKey, Timestamp};
use sqlx::Row;
use submission::row::{database, parse};

use crate::service::{Identity, now};

const DAY_US: u64 = 86_400_000_000;
const LEAF_DAYS: u64 = 30;
const LIST_DAYS: u64 = 1;

/// By an active member that holds the own key: certifies exactly the key the ledger knows.
pub(crate) async fn issue_certificate(
    identity: Arc<Identity>,
    call: Call,
    request: IssueCertificate,
) -> Result<IssuedCertificate, Problem> {
    let caller = identity.caller(&call).await?;
    let member = caller.member()?;
    let row = sqlx::query("SELECT kind, status, public_key FROM members WHERE member = $1")
        .bind(member.to_string())
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?
        .ok_or_else(|| Problem::not_found("no such member"))?;
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    if text(1)? != "active" {
        return Err(Problem::forbidden("the member is not active"));
    }
    let public_key: PublicKey = parse(&text(2)?)?;
    if request.public_key != public_key {
        return Err(Problem::bad_input(
            "/public_key",
            "this is not the member's current key on the ledger",
        ));
    }
    let kind = leaf_kind(
        MemberKind::from_name(&text(0)?)
            .ok_or_else(|| Problem::failure("a member row has an unknown kind"))?,
    );
    let not_after = Timestamp(now().0 + LEAF_DAYS * DAY_US);
    let issued = identity
        .authority
        .issue(&LeafRequest {
            kind,
            subject: member.to_string(),
            names: Vec::new(),
            not_before: now(),
            not_after,
            key: LeafKey::Held(public_key),
        })
        .map_err(|error| Problem::failure(error.to_string()))?;
    let fingerprint = certificate_digest(&issued.certificate_pem)
        .map_err(|error| Problem::failure(error.to_string()))?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("INSERT INTO certificates (serial, member, fingerprint, issued_us, not_after_us) VALUES ($1, $2, $3, $4, $5)")
        .bind(&issued.serial)
        .bind(member.to_string())
        .bind(fingerprint.to_string())
        .bind(now().0 as i64)
        .bind(not_after.0 as i64)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(IssuedCertificate {
        chain: issued.certificate_pem + identity.authority.certificate_pem(),
        fingerprint,
    })
}

fn leaf_kind(kind: MemberKind) -> LeafKind {
    match kind {
        MemberKind::Patient | MemberKind::Doctor => LeafKind::Person,
        MemberKind::Device => LeafKind::Device,
        MemberKind::Service => LeafKind::Service,
        _ => LeafKind::Organisation,
    }
}

/// For anyone. The revocation list names the certificates of revoked members, as the ledger has it now.
pub(crate) async fn get_authority(
    identity: Arc<Identity>,
    _call: Call,
    _request: GetAuthority,
) -> Result<Authority, Problem> {
    let rows = sqlx::query(
        "SELECT certificates.serial, members.revoked_us FROM certificates JOIN members ON members.member = certificates.member
         WHERE members.revoked_us IS NOT NULL ORDER BY certificates.serial",
    )
    .fetch_all(identity.store.reader())
    .await
    .map_err(database)?;
    let revoked = rows
        .iter()
        .map(|row| {
            Ok((
                row.try_get::<String, _>(0)?,
                Timestamp(row.try_get::<i64, _>(1)? as u64),
            ))
        })
        .collect::<Result<Vec<_>, sqlx::Error>>()
        .map_err(database)?;
    let next_update = Timestamp(now().0 + LIST_DAYS * DAY_US);
    let revocations = identity
        .authority
        .revocation_list(now().0 / 1_000_000, &revoked, now(), next_update)
        .map_err(|error| Problem::failure(error.to_string()))?;
    Ok(Authority {
        root: identity.root_pem.clone(),
        issuing: identity.authority.certificate_pem().to_owned(),
        revocations,
    })
}
