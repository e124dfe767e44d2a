//! Members: registration, endorsement, sign-in, certificates.

use interfaces::identity::{
    AddPasskey, BeginPasskey, BeginPasskeySignIn, BeginSecondFactor, ChangeMemberStatus,
    ChangePassword, ConfirmSecondFactor, EndOtherSessions, EndSecondFactor, EndSession,
    EndorseMember, GetAuthority, GetMember, GetOwnAccount, GetSecondFactor, GetSignInChallenge,
    IssueCertificate, ListMembers, ListPasskeys, ListPendingMembers, ListSessions, MemberSummary,
    OpenSession, PasskeySummary, RegisterOrganisation, RegisterPerson, RemovePasskey,
    RenewRecoveryCodes, RequestCertificate, SignIn, SignInWithKey, SignInWithPasskey, SignOut,
    StepUp,
};

use interfaces::staff::{AcceptInvitation, ClerkSummary, EndClerk, InvitePerson, ListClerks};

use super::api::{Api, Route};

const TAG: &str = "members";
/// Sign-ins and registrations derive keys from passwords, and invite guessing.
const COSTLY: u32 = 10;
const PERSONS: &str = "Natural persons, for themselves; with their password.";

pub(crate) fn routes(api: Api) -> Api {
    let api = staff(api);
    let get = |path, summary| Route::get(path, summary).tag(TAG);
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.schema::<MemberSummary>()
        .schema::<OpenSession>()
        .schema::<PasskeySummary>()
        .use_case::<RegisterPerson>(
            post(
                "/v1/persons",
                "Registers a patient or doctor, with custodial keys",
            )
            .by_anyone()
            .slow()
            .cost(COSTLY),
        )
        .use_case::<RegisterOrganisation>(
            post(
                "/v1/organisations",
                "Registers an organisation, node operator or device that holds its own keys",
            )
            .by_anyone()
            .cost(COSTLY),
        )
        .use_case::<ListMembers>(
            get("/v1/members", "All members")
                .by("Regulators; hospitals are listed for anyone at `/v1/hospitals`."),
        )
        .use_case::<ListPendingMembers>(
            get("/v1/members/pending", "Members that wait for endorsement")
                .by("Node operators and regulators."),
        )
        .use_case::<GetMember>(
            get("/v1/members/{member}", "One member, as the ledger knows it").by_anyone(),
        )
        .use_case::<EndorseMember>(
            post("/v1/members/{member}/endorsements", "Endorses a member")
                .by("Node operators; they sign with their own key."),
        )
        .use_case::<ChangeMemberStatus>(
            post(
                "/v1/members/{member}/status",
                "Suspends, reinstates or revokes a member",
            )
            .by("Regulators; they sign with their own key."),
        )
        .use_case::<SignIn>(
            post("/v1/sessions", "Signs a person in with login and password")
                .by_anyone()
                .cost(COSTLY),
        )
        .use_case::<GetSignInChallenge>(
            post(
                "/v1/sessions/challenge",
                "Gives a challenge to sign, to a member that holds its own key",
            )
            .by_anyone(),
        )
        .use_case::<SignInWithKey>(
            post(
                "/v1/sessions/key",
                "Signs a member in who holds the own key",
            )
            .by_anyone(),
        )
        .use_case::<SignOut>(
            Route::delete("/v1/sessions/current", "Ends the session")
                .tag(TAG)
                .by("Whoever is signed in."),
        )
        .use_case::<ListSessions>(
            get(
                "/v1/sessions",
                "The open sessions of the one who is signed in",
            )
            .by("Whoever is signed in."),
        )
        .use_case::<EndSession>(
            Route::delete("/v1/sessions/{session}", "Ends one of the own sessions")
                .tag(TAG)
                .by("Whoever is signed in, for their own."),
        )
        .use_case::<EndOtherSessions>(
            Route::delete("/v1/sessions", "Ends all own sessions but this one")
                .tag(TAG)
                .by("Whoever is signed in."),
        )
        .use_case::<GetSecondFactor>(
            get(
                "/v1/me/second-factor",
                "Which second factor the account has",
            )
            .by(PERSONS),
        )
        .use_case::<BeginSecondFactor>(
            post(
                "/v1/me/second-factor",
                "Draws a secret for an authenticator app (TOTP)",
            )
            .by(PERSONS)
            .cost(COSTLY),
        )
        .use_case::<ConfirmSecondFactor>(
            post(
                "/v1/me/second-factor/confirmation",
                "Switches the second factor on; gives the recovery codes",
            )
            .by(PERSONS)
            .cost(COSTLY),
        )
        .use_case::<EndSecondFactor>(
            post(
                "/v1/me/second-factor/removal",
                "Switches the second factor off",
            )
            .by(PERSONS)
            .cost(COSTLY),
        )
        .use_case::<RenewRecoveryCodes>(
            post("/v1/me/recovery-codes", "Draws new recovery codes")
                .by(PERSONS)
                .cost(COSTLY),
        )
        .use_case::<ChangePassword>(
            Route::put("/v1/me/password", "Changes the password")
                .tag(TAG)
                .by(PERSONS)
                .cost(COSTLY),
        )
        .use_case::<ListPasskeys>(get("/v1/me/passkeys", "The passkeys of the account").by(PERSONS))
        .use_case::<BeginPasskey>(
            post(
                "/v1/me/passkeys/challenge",
                "Begins to add a passkey (WebAuthn)",
            )
            .by(PERSONS)
            .cost(COSTLY),
        )
        .use_case::<AddPasskey>(
            post("/v1/me/passkeys", "Adds the passkey that was made")
                .by(PERSONS)
                .cost(COSTLY),
        )
        .use_case::<RemovePasskey>(
            post("/v1/me/passkeys/removal", "Removes a passkey")
                .by(PERSONS)
                .cost(COSTLY),
        )
        .use_case::<BeginPasskeySignIn>(
            post(
                "/v1/sessions/passkey/challenge",
                "Begins to sign in with a passkey",
            )
            .by_anyone()
            .cost(COSTLY),
        )
        .use_case::<SignInWithPasskey>(
            post("/v1/sessions/passkey", "Signs in by what a passkey signed")
                .by_anyone()
                .cost(COSTLY),
        )
        .use_case::<StepUp>(
            post(
                "/v1/sessions/step-up",
                "Shows again who one is, for approvals and codes",
            )
            .by(PERSONS)
            .cost(COSTLY),
        )
        .use_case::<GetOwnAccount>(
            get("/v1/me", "The account of the one who is signed in").by("Whoever is signed in."),
        )
        .use_case::<IssueCertificate>(
            post(
                "/v1/certificates",
                "Issues a certificate for the caller's current key",
            )
            .by("Members that are active on the ledger."),
        )
        .use_case::<RequestCertificate>(
            post(
                "/v1/certificates/requests",
                "Issues a certificate for a key that its holder made, such as a device's",
            )
            .by_anyone()
            .cost(COSTLY),
        )
        .use_case::<GetAuthority>(
            get(
                "/v1/certificates/authority",
                "The certificate authority's certificates and revocations",
            )
            .by_anyone(),
        )
}

/// A hospital's registration desk and its clerks.
fn staff(api: Api) -> Api {
    let get = |path, summary| Route::get(path, summary).tag(TAG);
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.schema::<ClerkSummary>()
        .use_case::<InvitePerson>(
            post(
                "/v1/invitations",
                "Invites somebody whose identity document the hospital has seen",
            )
            .by("Hospitals; their clerks, for patients."),
        )
        .use_case::<AcceptInvitation>(
            post(
                "/v1/invitations/acceptance",
                "Accepts an invitation: chooses login and password",
            )
            .by_anyone()
            .slow()
            .cost(COSTLY),
        )
        .use_case::<ListClerks>(get("/v1/clerks", "The clerks of the hospital").by("Hospitals."))
        .use_case::<EndClerk>(
            Route::delete(
                "/v1/clerks/{account}",
                "Ends a clerk's account and all its sessions",
            )
            .tag(TAG)
            .by("Hospitals, for their own clerks."),
        )
}
