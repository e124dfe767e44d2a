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
    /// Whether the node operator who asks for those that wait is among them.
    #[serde(default)]
    pub endorsed_by_me: bool,
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
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The login.
    pub login: String,
    /// The password.
    pub password: String,
    /// What an earlier sign-in on the same device gave as `device`. Wrong passwords that are typed elsewhere do not lock it out.
    #[serde(default)]
    pub device: Option<String>,
    /// The code that the authenticator app shows, or a recovery code; needed where the account has a second factor.
    #[serde(default)]
    pub second_factor: Option<String>,
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
    /// How its owner signed in: `password`, `passkey` or `key`.
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

/// Which second factor the account of the one who is signed in has.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetSecondFactor {}
use_case!("identity", "get_second_factor", GetSecondFactor -> SecondFactor);

/// The second factor of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecondFactor {
    /// Whether signing in needs a code of an authenticator app, besides the password.
    pub authenticator_app: bool,
    /// Recovery codes that were not used yet.
    pub recovery_codes_left: u32,
}

/// Draws a secret for an authenticator app (TOTP, RFC 6238). It counts once it is confirmed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginSecondFactor {
    /// The password, again.
    pub password: String,
}
use_case!("identity", "begin_second_factor", BeginSecondFactor -> SecondFactorSecret);

/// What an authenticator app is told; shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SecondFactorSecret {
    /// The secret in base32, for typing it in.
    pub secret: String,
    /// The same for scanning it: `otpauth://totp/...`.
    pub uri: String,
}

/// Switches the second factor on, by a code that the app shows. All other sessions end.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSecondFactor {
    /// The password, again.
    pub password: String,
    /// The code.
    pub code: String,
}
use_case!("identity", "confirm_second_factor", ConfirmSecondFactor -> RecoveryCodes);

/// Codes that each stand in once for the authenticator app; shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten codes of 24 characters.
    pub codes: Vec<String>,
}

/// Draws new recovery codes; the old ones count no more.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRecoveryCodes {
    /// The password, again.
    pub password: String,
    /// A code of the app, or a recovery code.
    #[serde(default)]
    pub second_factor: Option<String>,
}
use_case!("identity", "renew_recovery_codes", RenewRecoveryCodes -> RecoveryCodes);

/// Switches the second factor off. All other sessions end.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSecondFactor {
    /// The password, again.
    pub password: String,
    /// A code of the app, or a recovery code.
    #[serde(default)]
    pub second_factor: Option<String>,
}
use_case!("identity", "end_second_factor", EndSecondFactor -> Done);

/// Changes the password. All other sessions end; the keys stay as they are.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present password.
    pub password: String,
    /// The next one: at least 12 characters, and not easily guessed.
    pub new_password: String,
    /// A code of the app, or a recovery code, where the account has a second factor.
    #[serde(default)]
    pub second_factor: Option<String>,
}
use_case!("identity", "change_password", ChangePassword -> Done);

/// Shows again who one is: a new session takes the place of the present one, and for 15 minutes it is good for approvals and codes.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// The password, again.
    pub password: String,
    /// A code of the app, or a recovery code, where the account has a second factor.
    #[serde(default)]
    pub second_factor: Option<String>,
}
use_case!("identity", "step_up", StepUp -> Session);

/// Begins to add a passkey to the account of the one who is signed in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginPasskey {
    /// The password, again.
    pub password: String,
    /// A code of the app, or a recovery code, where the account has a second factor.
    #[serde(default)]
    pub second_factor: Option<String>,
}
use_case!("identity", "begin_passkey", BeginPasskey -> PasskeyOptions);

/// What a browser is to ask its authenticators for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PasskeyOptions {
    /// Names the ceremony; good once and for five minutes.
    pub ceremony: String,
    /// The options of WebAuthn, `{"publicKey": ...}`, bytes as base64url.
    pub options: serde_json::Value,
    /// What the PRF extension is to be evaluated for.
    #[schema(value_type = String)]
    pub salt: Base64,
}

/// Adds the passkey that was made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// The ceremony.
    pub ceremony: String,
    /// The credential, as `PublicKeyCredential.toJSON()` gives it.
    pub credential: serde_json::Value,
    /// What the PRF extension gave, 32 bytes: wraps the account's keys.
    #[schema(value_type = String)]
    pub secret: Base64,
    /// What its owner calls it.
    pub name: String,
}
use_case!("identity", "add_passkey", AddPasskey -> PasskeySummary);

/// The passkeys of the one who is signed in, the newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPasskeys {}
use_case!("identity", "list_passkeys", ListPasskeys -> Vec<PasskeySummary>);

/// A passkey, for its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeySummary {
    /// Its id, base64url.
    pub passkey: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was added, RFC 3339.
    pub created: String,
    /// When it last signed in, RFC 3339.
    pub used: Option<String>,
}

/// Removes a passkey.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovePasskey {
    /// Its id.
    pub passkey: String,
    /// The password, again.
    pub password: String,
    /// A code of the app, or a recovery code, where the account has a second factor.
    #[serde(default)]
    pub second_factor: Option<String>,
}
use_case!("identity", "remove_passkey", RemovePasskey -> Done);

/// Begins to sign in with a passkey.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginPasskeySignIn {}
use_case!("identity", "begin_passkey_sign_in", BeginPasskeySignIn -> PasskeyOptions);

/// Signs a person in by what a passkey signed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInWithPasskey {
    /// The ceremony.
    pub ceremony: String,
    /// The credential, as `PublicKeyCredential.toJSON()` gives it.
    pub credential: serde_json::Value,
    /// What the PRF extension gave, 32 bytes: unwraps the account's keys.
    #[schema(value_type = String)]
    pub secret: Base64,
}
use_case!("identity", "sign_in_with_passkey", SignInWithPasskey -> PasskeySession);

/// A session, and whose it is.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasskeySession {
    /// The session.
    pub session: Session,
    /// The account's login.
    pub login: String,
}

/// Asks about certificates by OCSP (RFC 6960). Over REST it is the bytes of the protocol alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnswerOcsp {
    /// The request, DER.
    pub request: Base64,
}
use_case!("identity", "answer_ocsp", AnswerOcsp -> OcspAnswer);

/// The authority's signed answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OcspAnswer {
    /// DER.
    pub answer: Base64,
}

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
    /// What it is; of a clerk, what they act for: a hospital.
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

/// The ledger id under which a person acts as guardian for one ledger id of the patient who is signed in; made on first
/// asking. For hospitals' records services, with the patient's token.
#[derive(Clone, Serialize, Deserialize)]
pub struct MakeGuardianId {
    /// The hospital that asks.
    pub hospital: LedgerId,
    /// The patient's ledger id at the hospital that asks.
    pub patient: LedgerId,
    /// The guardian's patient ID.
    pub patient_id: String,
    /// The guardian's name: a wrong one is answered as an unknown patient ID is.
    pub name: String,
}
use_case!("identity", "make_guardian_id", MakeGuardianId -> GuardianId);

/// A guardian's ledger id; the ledger has it, endorsed or not.
#[derive(Clone, Serialize, Deserialize)]
pub struct GuardianId {
    /// The ledger id.
    pub guardian: LedgerId,
    /// Its sealing key.
    pub sealing_key: Base64,
    /// The guardian's name.
    pub name: String,
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
