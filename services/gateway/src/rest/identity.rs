//! Members: registration, endorsement, sign-in, certificates.

use interfaces::identity::{
    ChangeMemberStatus, EndOtherSessions, EndSession, EndorseMember, GetAuthority, GetMember,
    GetOwnAccount, GetSignInChallenge, IssueCertificate, ListMembers, ListPendingMembers,
    ListSessions, MemberSummary, OpenSession, RegisterOrganisation, RegisterPerson,
    RequestCertificate, SignIn, SignInWithKey, SignOut,
};

use super::api::{Api, Route};

const TAG: &str = "members";
/// Sign-ins and registrations derive keys from passwords, and invite guessing.
const COSTLY: u32 = 10;

pub(crate) fn routes(api: Api) -> Api {
    let get = |path, summary| Route::get(path, summary).tag(TAG);
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.schema::<MemberSummary>()
        .schema::<OpenSession>()
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
