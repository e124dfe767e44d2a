//! Prepares the log entry of a read under a grant, for the applicant to sign: a view is committed before data leaves (A47).

use std::sync::Arc;

use bus::Call;
use contracts::Sealed;
use contracts::records::command::{Basis, Command};
use interfaces::authorization::ReadReleased;
use interfaces::identity::{GetMember, GetViewerName};
use interfaces::{Base64, Problem, UnsignedCommand};
use keys::seal::SealingPublicKey;
use keys::token::Role;

use crate::service::Authorization;

pub(crate) async fn read_released(
    authorization: Arc<Authorization>,
    call: Call,
    request: ReadReleased,
) -> Result<UnsignedCommand, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    caller.require_any(&[Role::ThirdParty, Role::Insurer])?;
    let applicant = caller.member()?;
    let grant = request.grant;
    let item = authorization
        .item_of_grant(&grant.to_string())
        .await?
        .filter(|item| item.summary.applicant == applicant);
    let item = item.ok_or_else(|| Problem::forbidden("you hold no such grant"))?;
    let viewer = authorization
        .ask_identity(Some(&caller), &GetViewerName {})
        .await?;
    let patient = authorization
        .ask_identity(
            None,
            &GetMember {
                member: item.patient,
            },
        )
        .await?;
    let sealed = keys::viewer_name::seal(
        &viewer.name,
        &sealing_key(&patient.sealing_key)?,
        &sealing_key(&viewer.regulator_sealing_key)?,
    )
    .map_err(|error| Problem::failure(error.to_string()))?;
    let command = Command::LogAccess {
        records: vec![item.summary.record],
        basis: Basis::Grant { grant },
        purpose: item.purpose,
        viewer: Sealed(sealed),
    };
    authorization
        .desk
        .prepare(applicant, command, submission::no_facts())
        .await
}

fn sealing_key(bytes: &Base64) -> Result<SealingPublicKey, Problem> {
    <[u8; 32]>::try_from(bytes.0.as_slice())
        .map(SealingPublicKey)
        .map_err(|_| Problem::failure("identity gave a malformed key"))
}
