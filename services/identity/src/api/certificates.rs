//! Certificates of members' keys and of processes, and the authority's own. A certificate says who holds a key; it admits
//! nobody.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{
    Authority, CERTIFICATE_REQUEST_DOMAIN, GetAuthority, IssueCertificate, IssuedCertificate,
    RenewCertificate, RenewedCertificate, RequestCertificate, certificate_request_message,
};
use keys::certificate::{
    LeafKey, LeafKind, LeafRequest, Reason, Revoked, certificate_digest, request_digest,
};
use keys::certificate_check::{TrustedRoot, kind_of};
use ledger::{Digest, LedgerId, PublicKey, Signature, Timestamp};
use sqlx::Row;
use submission::row::{database, parse};

use crate::service::{Identity, now};

/// How long a revocation list counts: where it ends without a newer one, nobody is let in.
pub(crate) const LIST_LIFE_US: u64 = 3_600_000_000;
/// Certificates that a member may hold at a time.
const LIVE_CERTIFICATES_MAX: i64 = 16;
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// By an active member that holds the own key: certifies exactly the key the ledger knows.
pub(crate) async fn issue_certificate(
    identity: Arc<Identity>,
    call: Call,
    request: IssueCertificate,
) -> Result<IssuedCertificate, Problem> {
    let caller = identity.caller(&call).await?;
    let member = caller.member()?;
    let (kind, public_key) = active_member(&identity, &member)
        .await?
        .ok_or_else(|| Problem::forbidden("the member is not active"))?;
    if request.public_key != public_key {
        return Err(Problem::bad_input(
            "/public_key",
            "this is not the member's current key on the ledger",
        ));
    }
    issue(&identity, &member, kind, LeafKey::Held(public_key), None).await
}

/// By anyone who hands in a request that an active member has signed; the same request gives the same certificate.
pub(crate) async fn request_certificate(
    identity: Arc<Identity>,
    _call: Call,
    request: RequestCertificate,
) -> Result<IssuedCertificate, Problem> {
    if request.request.len() > REQUEST_BYTES_MAX {
        return Err(Problem::bad_input("/request", "must have at most 8 KiB"));
    }
    let digest = request_digest(&request.request)
        .map_err(|error| Problem::bad_input("/request", error.to_string()))?;
    let signature = <[u8; 64]>::try_from(request.signature.0.as_slice())
        .map_err(|_| Problem::bad_input("/signature", "must have 64 bytes"))?;
    // An unknown member and a wrong signature are told alike.
    let refused =
        || Problem::forbidden("the request is not signed by an active member's current key");
    let (kind, public_key) = active_member(&identity, &request.member)
        .await?
        .ok_or_else(refused)?;
    let message = certificate_request_message(&identity.desk.chain(), &request.member, &digest);
    public_key
        .verify(CERTIFICATE_REQUEST_DOMAIN, &message, &Signature(signature))
        .map_err(|_| refused())?;
    if let Some(issued) = issued_before(&identity, &request.member, &digest).await? {
        return Ok(issued);
    }
    issue(
        &identity,
        &request.member,
        kind,
        LeafKey::Requested(request.request),
        Some(digest),
    )
    .await
}

/// By a process on the bus, for itself: the next certificate is of the same kind, with the same names.
pub(crate) async fn renew_certificate(
    identity: Arc<Identity>,
    call: Call,
    request: RenewCertificate,
) -> Result<RenewedCertificate, Problem> {
    let refused = |reason: String| Problem::bad_input("/current", reason);
    let kind = kind_of(&request.current).map_err(|error| refused(error.to_string()))?;
    if !matches!(
        kind,
        LeafKind::Service | LeafKind::Replica | LeafKind::Server
    ) {
        return Err(refused("this is no process's certificate".to_owned()));
    }
    let trusted = TrustedRoot {
        root_pem: &identity.root_pem,
        intermediates_pem: &request.current,
        revocation_list_pem: None,
    };
    let current = trusted
        .verify(&request.current, kind, now())
        .map_err(|error| refused(error.to_string()))?;
    if current.subject != call.caller {
        return Err(Problem::forbidden("this is another process's certificate"));
    }
    let member = member_behind(&identity, &call.caller).await?;
    let not_after = Timestamp(now().0 + identity.certificate_us);
    let issued = identity
        .authority
        .issue(&LeafRequest {
            kind,
            subject: current.subject,
            names: current.names,
            not_before: now(),
            not_after,
            key: LeafKey::Requested(request.request),
        })
        .map_err(|error| Problem::bad_input("/request", error.to_string()))?;
    let holder = member.map_or_else(|| call.caller.clone(), |member| member.to_string());
    let chain = issued.certificate_pem + identity.authority.certificate_pem();
    keep(&identity, &issued.serial, &holder, &chain, not_after, None).await?;
    Ok(RenewedCertificate { chain })
}

/// The member as which a process acts, if it is one; refuses (403) when that may not act.
async fn member_behind(identity: &Identity, process: &str) -> Result<Option<LedgerId>, Problem> {
    let entry = identity.bus.directory().get(process);
    let key = entry.map_or(PublicKey([0; 32]), |entry| entry.public_key);
    let row = sqlx::query("SELECT member, status FROM members WHERE public_key = $1")
        .bind(key.to_string())
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?;
    let Some(row) = row else { return Ok(None) };
    let status: String = row.try_get(1).map_err(database)?;
    // A hospital that joins has its process before it is endorsed.
    if matches!(status.as_str(), "active" | "pending") {
        let member: String = row.try_get(0).map_err(database)?;
        return parse(&member).map(Some);
    }
    Err(Problem::forbidden(
        "the member behind this process may not act",
    ))
}

async fn active_member(
    identity: &Identity,
    member: &LedgerId,
) -> Result<Option<(LeafKind, PublicKey)>, Problem> {
    let row = sqlx::query("SELECT kind, status, public_key FROM members WHERE member = $1")
        .bind(member.to_string())
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?;
    let Some(row) = row else { return Ok(None) };
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    if text(1)? != "active" {
        return Ok(None);
    }
    let kind = MemberKind::from_name(&text(0)?)
        .ok_or_else(|| Problem::failure("a member row has an unknown kind"))?;
    Ok(Some((leaf_kind(kind), parse(&text(2)?)?)))
}

/// What was issued for this very request, if it counts for some time still.
async fn issued_before(
    identity: &Identity,
    member: &LedgerId,
    request: &Digest,
) -> Result<Option<IssuedCertificate>, Problem> {
    let row = sqlx::query(
        "SELECT chain, fingerprint FROM certificates WHERE member = $1 AND request = $2 AND not_after_us > $3",
    )
    .bind(member.to_string())
    .bind(request.to_string())
    .bind((now().0 + identity.certificate_us / 2) as i64)
    .fetch_optional(identity.store.reader())
    .await
    .map_err(database)?;
    let Some(row) = row else { return Ok(None) };
    let fingerprint: String = row.try_get(1).map_err(database)?;
    Ok(Some(IssuedCertificate {
        chain: row.try_get(0).map_err(database)?,
        fingerprint: parse(&fingerprint)?,
    }))
}

async fn issue(
    identity: &Identity,
    member: &LedgerId,
    kind: LeafKind,
    key: LeafKey,
    request: Option<Digest>,
) -> Result<IssuedCertificate, Problem> {
    let (live,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM certificates WHERE member = $1 AND not_after_us > $2")
            .bind(member.to_string())
            .bind(now().0 as i64)
            .fetch_one(identity.store.reader())
            .await
            .map_err(database)?;
    if live >= LIVE_CERTIFICATES_MAX {
        return Err(Problem::new(
            429,
            "too-many-certificates",
            "Too many certificates",
            "the member holds as many certificates as are issued at a time; wait until one ends",
        ));
    }
    let not_after = Timestamp(now().0 + identity.certificate_us);
    let issued = identity
        .authority
        .issue(&LeafRequest {
            kind,
            subject: member.to_string(),
            names: Vec::new(),
            not_before: now(),
            not_after,
            key,
        })
        .map_err(|error| Problem::bad_input("/request", error.to_string()))?;
    let chain = issued.certificate_pem + identity.authority.certificate_pem();
    let holder = member.to_string();
    let fingerprint = keep(
        identity,
        &issued.serial,
        &holder,
        &chain,
        not_after,
        request,
    )
    .await?;
    Ok(IssuedCertificate { chain, fingerprint })
}

/// Keeps what was issued, so that it can be revoked; gives its fingerprint.
async fn keep(
    identity: &Identity,
    serial: &str,
    holder: &str,
    chain: &str,
    not_after: Timestamp,
    request: Option<Digest>,
) -> Result<Digest, Problem> {
    let fingerprint =
        certificate_digest(chain).map_err(|error| Problem::failure(error.to_string()))?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query(
        "INSERT INTO certificates (serial, member, fingerprint, issued_us, not_after_us, request, chain)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(serial)
    .bind(holder)
    .bind(fingerprint.to_string())
    .bind(now().0 as i64)
    .bind(not_after.0 as i64)
    .bind(request.map(|request| request.to_string()))
    .bind(chain)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(fingerprint)
}

fn leaf_kind(kind: MemberKind) -> LeafKind {
    match kind {
        MemberKind::Patient | MemberKind::Doctor => LeafKind::Person,
        MemberKind::Device => LeafKind::Device,
        MemberKind::Service => LeafKind::Service,
        _ => LeafKind::Organisation,
    }
}

/// For anyone. The revocation list names the certificates, not over yet, of members that the ledger has as revoked or
/// suspended now, and those issued under a key that was replaced.
pub(crate) async fn get_authority(
    identity: Arc<Identity>,
    _call: Call,
    _request: GetAuthority,
) -> Result<Authority, Problem> {
    identity.enter_issued_elsewhere().await?;
    let revoked = identity.revoked().await?;
    let next_update = Timestamp(now().0 + LIST_LIFE_US);
    let revocations = identity
        .authority
        .revocation_list(now().0 / 1_000, &revoked, now(), next_update)
        .map_err(|error| Problem::failure(error.to_string()))?;
    Ok(Authority {
        root: identity.root_pem.clone(),
        issuing: identity.authority.certificate_pem().to_owned(),
        revocations,
    })
}

impl Identity {
    /// The certificates that count no more, though they are not over yet.
    pub(crate) async fn revoked(&self) -> Result<Vec<Revoked>, Problem> {
        let rows = sqlx::query(
            "SELECT certificates.serial, members.status, members.revoked_us, members.suspended_us, members.rotated_us
             FROM certificates JOIN members ON members.member = certificates.member
             WHERE certificates.not_after_us > $1
               AND (members.status IN ('revoked', 'suspended') OR members.rotated_us > certificates.issued_us)
             ORDER BY certificates.serial",
        )
        .bind(now().0 as i64)
        .fetch_all(self.store.reader())
        .await
        .map_err(database)?;
        rows.iter()
            .map(|row| {
                let status: String = row.try_get(1)?;
                let (reason, column) = match status.as_str() {
                    "revoked" => (Reason::MembershipEnded, 2),
                    "suspended" => (Reason::MembershipSuspended, 3),
                    _ => (Reason::KeyReplaced, 4),
                };
                let since: Option<i64> = row.try_get(column)?;
                Ok(Revoked {
                    serial: row.try_get(0)?,
                    since: Timestamp(since.unwrap_or_default() as u64),
                    reason,
                })
            })
            .collect::<Result<Vec<_>, sqlx::Error>>()
            .map_err(database)
    }
}
