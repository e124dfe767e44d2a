//! Identity: registration, endorsement, sign-in, custody, matching, certificates.

use std::collections::BTreeMap;

use contracts::membership::command::MemberKind;
use ledger::{Digest, LedgerId, PublicKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Base64, CommandReply, Committed, Page, PageRequest, use_case};

/// Registers a natural person, with custodial keys. Anyone may ask; the person can act once node operators have endorsed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterPerson {
    /// `Patient` or `Doctor`.
    #[schema(value_type = String)]
    pub kind: MemberKind,
    /// The real name, as on the identity document.
    pub real_name: String,
    /// The identity ID; two enrolments with the same one are refused.
    pub identity_id: String,
    /// The name to sign in with; unique.
    pub login: String,
    /// At least 12 characters.
    pub password: String,
}
use_case!("identity", "register_person", RegisterPerson -> RegisteredPerson);

/// A person who waits for endorsement.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegisteredPerson {
    /// The account.
    pub account: String,
    /// The patient ID to show together with an authorization code (patients only).
    pub patient_id: Option<String>,
    /// The ledger ids by context: `insurance` and `devices` for patients (one per hospital follows on first care), `practice` for doctors.
    #[schema(value_type = BTreeMap<String, String>)]
    pub ledger_ids: BTreeMap<String, LedgerId>,
    /// The registrations' receipts.
    pub registrations: Vec<Committed>,
}

/// Registers an organisation, node operator or device that holds its own keys. It can act once endorsed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterOrganisation {
    /// What it is.
    #[schema(value_type = String)]
    pub kind: MemberKind,
    /// Its public name (devices: none).
    pub name: Option<String>,
    /// Its ledger id, drawn at random by itself.
    #[schema(value_type = String)]
    pub ledger_id: LedgerId,
    /// Its signing key.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// Its sealing key (X25519, 32 bytes).
    #[schema(value_type = String)]
    pub sealing_key: Base64,
    /// Proof of possession of the signing key, 64 bytes.
    #[schema(value_type = String)]
    pub possession: Base64,
}
use_case!("identity", "register_organisation", RegisterOrganisation -> Committed);

/// Members that wait for endorsement. For node operators and regulators.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPendingMembers {
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("identity", "list_pending_members", ListPendingMembers -> Page<MemberSummary>);

/// All members. For regulators.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListMembers {
    /// Only these.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub kind: Option<MemberKind>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("identity", "list_members", ListMembers -> Page<MemberSummary>);

/// One member, as the ledger knows it. Anyone who is signed in, and every service.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetMember {
    /// The member.
    #[schema(value_type = String)]
    pub member: LedgerId,
}
use_case!("identity", "get_member", GetMember -> MemberSummary);

/// A member, as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberSummary {
    /// The member.
    #[schema(value_type = String)]
    pub member: LedgerId,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: MemberKind,
    /// `pending`, `active`, `suspended` or `revoked`.
    pub status: String,
    /// Public name of an organisation.
    pub name: Option<String>,
    /// Current signing key.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// Current sealing key.
    #[schema(value_type = String)]
    pub sealing_key: Base64,
    /// Endorsements so far.
    pub endorsements: u32,
}

/// Endorses a member. By a node operator (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndorseMember {
    /// The member.
    #[schema(value_type = String)]
    pub member: LedgerId,
}
use_case!("identity", "endorse_member", EndorseMember -> CommandReply);

/// Suspends, reinstates or revokes a member. By a regulator (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMemberStatus {
    /// The member.
    #[schema(value_type = String)]
    pub member: LedgerId,
    /// To what.
    pub change: MemberStatusChange,
}
use_case!("identity", "change_member_status", ChangeMemberStatus -> CommandReply);

/// A change of a member's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberStatusChange {
    /// Stop it for now.
    Suspend,
    /// Let it act again.
    Reinstate,
    /// End it for good.
    Revoke,
}

/// Signs a person in with login and password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The login.
    pub login: String,
    /// The password.
    pub password: String,
    /// What an earlier sign-in on the same device gave as `device`. Wrong passwords that are typed elsewhere do not lock it out.
    #[serde(default)]
    pub device: Option<String>,
}
use_case!("identity", "sign_in", SignIn -> Session);

/// Asks for a challenge to sign, for members that hold their own key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetSignInChallenge {
    /// The member.
    #[schema(value_type = String)]
    pub member: LedgerId,
}
use_case!("identity", "get_sign_in_challenge", GetSignInChallenge -> SignInChallenge);

/// What to sign (domain [`SIGN_IN_DOMAIN`]), once, within a minute.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInChallenge {
    /// The bytes.
    #[schema(value_type = String)]
    pub challenge: Base64,
}

/// Signature domain of a sign-in challenge.
pub const SIGN_IN_DOMAIN: &str = "medshare/sign-in/v1";

/// Signs a member in who holds the own key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInWithKey {
    /// The member.
    #[schema(value_type = String)]
    pub member: LedgerId,
    /// The challenge.
    #[schema(value_type = String)]
    pub challenge: Base64,
    /// Its signature, 64 bytes.
    #[schema(value_type = String)]
    pub signature: Base64,
}
use_case!("identity", "sign_in_with_key", SignInWithKey -> Session);

/// A session.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Bearer token for every further request.
    pub token: String,
    /// End, RFC 3339.
    pub expires: String,
    /// For the next sign-in with a password on this device; opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// Ends the session of the token that comes with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignOut {}
use_case!("identity", "sign_out", SignOut -> Done);

/// The sessions of the one who is signed in that are open, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListSessions {}
use_case!("identity", "list_sessions", ListSessions -> Vec<OpenSession>);

/// An open session, for its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenSession {
    /// Its id; it opens nothing.
    pub session: String,
    /// Whether the list was asked for in it.
    pub current: bool,
    /// Beginning, RFC 3339.
    pub started: String,
    /// End if nobody ends it before, RFC 3339.
    pub expires: String,
    /// How its owner signed in: `password` or `key`.
    pub method: String,
    /// Through which process: `portal`, `gateway`.
    pub through: String,
}

/// Ends one of the own sessions, everywhere within seconds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSession {
    /// The session.
    pub session: String,
}
use_case!("identity", "end_session", EndSession -> Done);

/// Ends all own sessions but the one of the token that comes with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndOtherSessions {}
use_case!("identity", "end_other_sessions", EndOtherSessions -> Done);

/// Done; nothing more to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {}

/// The one who is signed in: ids of the account, for themselves.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetOwnAccount {}
use_case!("identity", "get_own_account", GetOwnAccount -> OwnAccount);

/// An account, for its owner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnAccount {
    /// The account.
    pub account: String,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: MemberKind,
    /// The patient ID to show together with an authorization code.
    pub patient_id: Option<String>,
    /// Ledger ids by context.
    #[schema(value_type = BTreeMap<String, String>)]
    pub ledger_ids: BTreeMap<String, LedgerId>,
}

/// Signs a transaction with a custodial key of the one who is signed in. For services, with the member's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignTransaction {
    /// Canonical bytes of the body; its submitter must be a ledger id of the token's account. Its public key is
    /// replaced by the submitter's current one before signing, so the caller need not know it.
    pub unsigned: Base64,
}
use_case!("identity", "sign_transaction", SignTransaction -> TransactionSignature);

/// A custodial signature.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransactionSignature {
    /// The submitter's current key, which the body names.
    pub public_key: PublicKey,
    /// 64 bytes.
    pub signature: Base64,
}

/// Finds the members behind a hospital's patient numbers, making their ledger ids for this hospital where needed. For hospitals' records services.
#[derive(Clone, Serialize, Deserialize)]
pub struct MatchPatients {
    /// The hospital.
    pub hospital: LedgerId,
    /// Its patients.
    pub patients: Vec<PatientToMatch>,
}
use_case!("identity", "match_patients", MatchPatients -> MatchedPatients);

/// A patient of a hospital.
#[derive(Clone, Serialize, Deserialize)]
pub struct PatientToMatch {
    /// The hospital's own number.
    pub patient_number: String,
    /// The identity ID in the hospital's database.
    pub identity_id: String,
}

/// Matches, in the order asked; none for those who have not enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchedPatients {
    /// One a patient asked for.
    pub matches: Vec<Option<PatientMatch>>,
}

/// The member behind a patient number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientMatch {
    /// The ledger id for this hospital; active on the ledger.
    pub patient: LedgerId,
    /// Its sealing key.
    pub sealing_key: Base64,
    /// The ledger id in the insurance context.
    pub insured: LedgerId,
    /// Keyed hash that is the same for this person at every hospital: lets the index count patients, and goes nowhere else.
    pub person: Digest,
}

/// Undoes a wrong match; the patient number waits again. For hospitals' records services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UndoMatch {
    /// The hospital.
    pub hospital: LedgerId,
    /// Its number.
    pub patient_number: String,
}
use_case!("identity", "undo_match", UndoMatch -> Done);

/// Whether a patient ID belongs to a ledger id. For hospitals' records services; constant time.
#[derive(Clone, Serialize, Deserialize)]
pub struct CheckPatientId {
    /// The ledger id.
    pub patient: LedgerId,
    /// The patient ID that was shown.
    pub patient_id: String,
}
use_case!("identity", "check_patient_id", CheckPatientId -> PatientIdCheck);

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientIdCheck {
    /// Whether it belongs.
    pub belongs: bool,
}

/// The name to seal into a view's trace: the token owner's. For services, with the member's token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GetViewerName {}
use_case!("identity", "get_viewer_name", GetViewerName -> ViewerName);

/// A viewer's real name; sealed at once by whoever asked.
#[derive(Clone, Serialize, Deserialize)]
pub struct ViewerName {
    /// The name.
    pub name: String,
    /// Sealing key of the regulator, to whom it is sealed as well as to the patient.
    pub regulator_sealing_key: Base64,
}

/// Opens sealed viewers' names that were sealed to the one who is signed in. For services, with the member's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenSealed {
    /// The ledger id they were sealed to; one of the token's account.
    pub member: LedgerId,
    /// The sealed bytes.
    pub sealed: Vec<Base64>,
}
use_case!("identity", "open_sealed", OpenSealed -> OpenedSealed);

/// Opened bytes, in order; none where it does not open.
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenedSealed {
    /// One a sealed value.
    pub opened: Vec<Option<Base64>>,
}

/// Issues a certificate for a member's key. By the member; the member must be active on the ledger.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCertificate {
    /// The key to certify: the member's current one.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
}
use_case!("identity", "issue_certificate", IssueCertificate -> IssuedCertificate);

/// Issues a certificate for a key that its holder made where it is used: a device's, or a partner system's. No session is needed: the request is signed with that key, and its digest with the key that the ledger has of the member.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestCertificate {
    /// The member; active on the ledger.
    #[schema(value_type = String)]
    pub member: LedgerId,
    /// The certificate request (PKCS #10, PEM); its key is Ed25519 or P-256. What else it says does not count.
    pub request: String,
    /// By the member's current key, domain `medshare/certificate-request/v1`, over chain id, member and the SHA-256 of the request's DER; 64 bytes.
    #[schema(value_type = String)]
    pub signature: Base64,
}
use_case!("identity", "request_certificate", RequestCertificate -> IssuedCertificate);

/// Signature domain of [`certificate_request_message`].
pub const CERTIFICATE_REQUEST_DOMAIN: &str = "medshare/certificate-request/v1";

/// What a member signs to ask for a certificate: chain id, member, SHA-256 of the request's DER.
pub fn certificate_request_message(chain: &Digest, member: &LedgerId, request: &Digest) -> Vec<u8> {
    [&chain.0[..], &member.0[..], &request.0[..]].concat()
}

/// Issues the next certificate of a process on the bus, with the kind and names of its current one. For that process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewCertificate {
    /// The certificate request (PKCS #10, PEM).
    pub request: String,
    /// The current certificate and its issuer, PEM.
    pub current: String,
}
use_case!("identity", "renew_certificate", RenewCertificate -> RenewedCertificate);

/// A process's next certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RenewedCertificate {
    /// Leaf, then issuing CA, PEM.
    pub chain: String,
}

/// A certificate with its chain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedCertificate {
    /// Leaf, then issuing CA, PEM.
    pub chain: String,
    /// SHA-256 of the leaf's DER.
    #[schema(value_type = String)]
    pub fingerprint: Digest,
}

/// The certificate authority's certificates. Anyone.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetAuthority {}
use_case!("identity", "get_authority", GetAuthority -> Authority);

/// The authority's certificates and revocations.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Authority {
    /// Root, PEM.
    pub root: String,
    /// Issuing CA, PEM.
    pub issuing: String,
    /// Certificate revocation list (RFC 5280), PEM.
    pub revocations: String,
}
