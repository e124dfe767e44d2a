//! Applications, decisions, grants, released records. The hospital's decision is at `/v1/hospitals/{hospital}/...`.

use interfaces::authorization::{
    ApplyForRecords, CollectReleased, DecideItemAsPatient, ItemSummary, ListItems, ListNotices,
    Notice, ReadReleased, WithdrawGrant, WithdrawItem,
};

use super::api::{Api, Route};

const TAG: &str = "applications";

pub(crate) fn routes(api: Api) -> Api {
    let get = |path, summary| Route::get(path, summary).tag(TAG);
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.schema::<ItemSummary>()
        .schema::<Notice>()
        .use_case::<ApplyForRecords>(
            post("/v1/applications", "Applies for records at a price")
                .by("Third parties and insurers; they sign with their own key."),
        )
        .use_case::<ListItems>(
            get("/v1/items", "Items that concern the caller")
                .by("Applicants, hospitals, and patients and guardians who may decide (only after the hospital has approved)."),
        )
        .use_case::<DecideItemAsPatient>(
            post(
                "/v1/applications/{application}/items/{index}/decision",
                "The patient's decision on an item that the hospital approved",
            )
            .by("The patient, and a guardian who may decide."),
        )
        .use_case::<WithdrawItem>(
            post(
                "/v1/applications/{application}/items/{index}/withdrawal",
                "Takes an item back",
            )
            .by("The applicant, who signs with the own key."),
        )
        .use_case::<WithdrawGrant>(
            post(
                "/v1/grants/{grant}/withdrawal",
                "Ends a grant; the next read is refused",
            )
            .by("The patient."),
        )
        .use_case::<ReadReleased>(
            post(
                "/v1/grants/{grant}/reads",
                "Prepares the view of what was released, for the applicant to sign",
            )
            .by("The applicant, who signs with the own key."),
        )
        .use_case::<CollectReleased>(
            get(
                "/v1/releases/{transaction}",
                "Collects released content within 30 s of the view's block time",
            )
            .by("The applicant.")
            .slow(),
        )
        .use_case::<ListNotices>(
            get(
                "/v1/notices",
                "Notices for the one who is signed in, newest first",
            )
            .by("Patients, hospitals, third parties and insurers."),
        )
}
