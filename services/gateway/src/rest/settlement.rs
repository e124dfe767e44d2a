//! Accounts, coverage, claims.

use interfaces::settlement::{
    ClaimSummary, Deposit, GetBalances, GetStatement, ListClaims, ListRules, PayShare,
    PublishRules, PublishedRules, RegisterCoverage, ResolveClaim, StatementLine, Withdraw,
};

use super::api::{Api, Route};

const TAG: &str = "settlement";

pub(crate) fn routes(api: Api) -> Api {
    let get = |path, summary| Route::get(path, summary).tag(TAG);
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.schema::<StatementLine>()
        .schema::<ClaimSummary>()
        .schema::<PublishedRules>()
        .use_case::<Deposit>(
            post("/v1/deposits", "Brings money in")
                .by("The treasurer, who signs with the own key."),
        )
        .use_case::<Withdraw>(
            post(
                "/v1/withdrawals",
                "Takes money out to the caller's bank account",
            )
            .by("Whoever holds the account."),
        )
        .use_case::<GetBalances>(
            get("/v1/balances", "Balances of the caller's accounts")
                .by("Whoever holds an account."),
        )
        .use_case::<GetStatement>(
            get("/v1/statement", "The caller's statement, newest first")
                .by("Whoever holds an account."),
        )
        .use_case::<PublishRules>(
            post(
                "/v1/plans/{plan}/rules",
                "Publishes a version of a plan's rules",
            )
            .by("Insurers; they sign with their own key."),
        )
        .use_case::<ListRules>(
            get(
                "/v1/rules",
                "Published rules of the caller's plans, newest first",
            )
            .by("Insurers."),
        )
        .use_case::<RegisterCoverage>(
            post("/v1/coverages", "Covers an insured")
                .by("Insurers; they sign with their own key."),
        )
        .use_case::<ListClaims>(
            get("/v1/claims", "Claims that concern the caller")
                .by("The insured, hospitals and insurers."),
        )
        .use_case::<PayShare>(
            post(
                "/v1/claims/{claim}/share",
                "Pays the caller's share of a claim",
            )
            .by("The insured."),
        )
        .use_case::<ResolveClaim>(
            post(
                "/v1/claims/{claim}/resolution",
                "Decides a pended claim by hand",
            )
            .by("The plan's insurer, who signs with the own key."),
        )
}
