//! Registers an organisation, node operator or device that holds its own keys. Anyone may ask; it can act once a
//! quorum of node operators (devices: one) has endorsed it.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::{MemberKind, RegisterMember};
use interfaces::identity::RegisterOrganisation;
use interfaces::{Base64, Committed, Problem};
use ledger::{Commitment, DigestAlgorithm, Signature};

use crate::service::Identity;

pub(crate) async fn register_organisation(
    identity: Arc<Identity>,
    _call: Call,
    request: RegisterOrganisation,
) -> Result<Committed, Problem> {
    if matches!(
        request.kind,
        MemberKind::Patient | MemberKind::Doctor | MemberKind::Service
    ) {
        return Err(Problem::bad_input(
            "/kind",
            "an organisation, node operator or device; natural persons register as persons",
        ));
    }
    let salt = identity
        .attestation_key
        .derive_with(&request.ledger_id.0, b"medshare/identity/attestation/v1");
    let name = request.name.clone().unwrap_or_default();
    let command = RegisterMember {
        member: request.ledger_id,
        kind: request.kind,
        public_key: request.public_key,
        sealing_key: exactly(&request.sealing_key, "/sealing_key")?,
        possession: Signature(exactly(&request.possession, "/possession")?),
        attestation: Commitment::new(
            DigestAlgorithm::Sha256,
            salt.expose(),
            &[name.as_bytes(), &request.public_key.0],
        ),
        name: request.name,
        allowed: Vec::new(),
    };
    identity
        .desk
        .commit_signed(identity.registration(command), submission::no_facts())
        .await
}

fn exactly<const N: usize>(bytes: &Base64, field: &str) -> Result<[u8; N], Problem> {
    <[u8; N]>::try_from(bytes.0.as_slice())
        .map_err(|_| Problem::bad_input(field, format!("must have {N} bytes")))
}
