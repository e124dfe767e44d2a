//! Records of one hospital. `{hospital}` is the hospital's ledger id; its own records service answers.

use axum::extract::{Request, State};
use hospitals::Hospital;
use interfaces::records::{
    AffiliateDoctor, AmendRecord, ChangeCode, CollectView, DecideItemAsHospital, Delegation,
    EmergencySummary, EndDelegation, EraseRecord, FindRecords, GetConsent, ImportBundle,
    ListAnomalies, ListDelegations, ListEmergencies, ListOfflineEmergencies, ListOwnRecords,
    ListViews, ListViewsOfOwnRecords, ListWaitingPatients, NameGuardian, OfflineEmergency,
    OpenEmergency, RecordSummary, RedeemCode, ReviewEmergency, SetConsent, ShowCode,
    SweepIntegrity, UndoPatientMatch, ViewInOfflineEmergency, ViewRecords, ViewTrace,
    WaitingPatient, WithdrawCode, WriteRecord,
};

use super::answer::Answer;
use super::api::{Api, Route, Shared, answer, take_apart};
use super::document::{json_response, own_operation};

const TAG: &str = "records";
/// Codes invite guessing.
const GUESSABLE: u32 = 10;

const LIST: Route = Route::get("/v1/hospitals", "The hospitals that take part")
    .tag(TAG)
    .by_anyone();

pub(crate) fn routes(api: Api) -> Api {
    let operation = own_operation(&LIST, "list_hospitals").response(
        "200",
        json_response::<Vec<Hospital>>("Active hospitals with a records service."),
    );
    let api = api
        .schema::<Hospital>()
        .own(LIST, operation, list_hospitals);
    let api = written(api);
    let api = viewed(api);
    let api = codes(api);
    let api = delegations(api);
    administered(api)
}

async fn list_hospitals(State(gateway): State<Shared>, request: Request) -> Answer<Vec<Hospital>> {
    take_apart(&gateway, &LIST, request).await?;
    let all = gateway.hospitals.all().await?;
    answer(all.values().cloned().collect())
}

fn written(api: Api) -> Api {
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.schema::<RecordSummary>()
        .schema::<ViewTrace>()
        .use_case::<ImportBundle>(
            post(
                "/v1/hospitals/{hospital}/records/import",
                "Takes a FHIR R4 Bundle and registers each encounter as a record; may be run again",
            )
            .by("The hospital and its clerks.")
            .slow()
            .large(),
        )
        .use_case::<WriteRecord>(
            post(
                "/v1/hospitals/{hospital}/records",
                "Writes one encounter as a record",
            )
            .by("Doctors of the hospital and its clerks.")
            .slow()
            .large(),
        )
        .use_case::<AmendRecord>(
            post(
                "/v1/hospitals/{hospital}/records/{record}/versions",
                "Writes a new version of a record",
            )
            .by("The hospital, its clerks, and doctors affiliated with it.")
            .slow()
            .large(),
        )
        .use_case::<EraseRecord>(
            Route::delete(
                "/v1/hospitals/{hospital}/records/{record}",
                "Erases a record: content, salts and keys are destroyed",
            )
            .tag(TAG)
            .by("The patient."),
        )
}

fn viewed(api: Api) -> Api {
    let get = |path, summary| Route::get(path, summary).tag(TAG);
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.use_case::<FindRecords>(post("/v1/hospitals/{hospital}/records/search", "Finds records of this hospital by doctor, patient, date, class and disease: metadata only").by("The hospital, its doctors and its clerks (who are not told what a record is about)."))
        .use_case::<ListOwnRecords>(get("/v1/hospitals/{hospital}/records/own", "The patient's own records at this hospital: metadata only").by("The patient, and a guardian who may read."))
        .use_case::<ViewRecords>(post("/v1/hospitals/{hospital}/records/views", "Views records; the view is committed before the content leaves").by("The patient, a guardian who may read, doctors of the hospital, and a doctor with an opened emergency.").slow())
        .use_case::<CollectView>(get("/v1/hospitals/{hospital}/records/views/{transaction}", "Collects the content of a view that was signed with the caller's own key, within 30 s").by("Whoever signed the view."))
        .use_case::<ListViewsOfOwnRecords>(get("/v1/hospitals/{hospital}/records/views/own", "Who viewed the patient's records at this hospital").by("The patient, and a guardian who may read."))
        .use_case::<ListViews>(get("/v1/hospitals/{hospital}/records/views", "All views of this hospital's records, newest first").by("The hospital and regulators."))
        .use_case::<OpenEmergency>(post("/v1/hospitals/{hospital}/emergencies", "Opens emergency access to one patient; patient and regulator are told at once").by("Doctors."))
        .schema::<EmergencySummary>()
        .use_case::<ListEmergencies>(get("/v1/hospitals/{hospital}/emergencies", "Emergencies that were opened at this hospital, newest first").by("The hospital and regulators."))
        .use_case::<ReviewEmergency>(post("/v1/hospitals/{hospital}/emergencies/{emergency}/review", "Closes the review of an emergency").by("Regulators; they sign with their own key."))
        .use_case::<ListAnomalies>(get("/v1/hospitals/{hospital}/anomalies", "What stands out in the use of this hospital's records").by("The hospital and regulators."))
        .use_case::<ViewInOfflineEmergency>(post("/v1/hospitals/{hospital}/emergencies/offline", "Views records in an emergency while the ledger cannot be reached; journaled first, told to the ledger later, always reviewed").by("Doctors.").slow())
        .schema::<OfflineEmergency>()
        .use_case::<ListOfflineEmergencies>(get("/v1/hospitals/{hospital}/emergencies/offline", "The hospital's journal of emergencies without the ledger, newest first, and whether the ledger has each yet").by("Doctors their own; the hospital and regulators all."))
}

fn codes(api: Api) -> Api {
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.use_case::<ShowCode>(Route::get("/v1/hospitals/{hospital}/records/{record}/code", "Shows an authorization code to its holder").tag(TAG).by("The patient (patient's code), the hospital (hospital's code)."))
        .use_case::<ChangeCode>(post("/v1/hospitals/{hospital}/records/{record}/code", "Changes an authorization code; the old one stops working").by("Its holder."))
        .use_case::<WithdrawCode>(Route::delete("/v1/hospitals/{hospital}/records/{record}/code", "Withdraws an authorization code").tag(TAG).by("Its holder."))
        .use_case::<RedeemCode>(post("/v1/hospitals/{hospital}/records/redemptions", "Opens one record of a known hospital by an authorization code and the patient ID; see `/v1/codes/redeem`").by("Doctors, third parties and insurers.").cost(GUESSABLE))
        .use_case::<GetConsent>(Route::get("/v1/hospitals/{hospital}/consent", "The patient's standing consents at this hospital").tag(TAG).by("The patient."))
        .use_case::<SetConsent>(Route::put("/v1/hospitals/{hospital}/consent", "Sets the patient's standing consents at this hospital").tag(TAG).by("The patient."))
}

fn delegations(api: Api) -> Api {
    api.schema::<Delegation>()
        .use_case::<NameGuardian>(
            Route::post(
                "/v1/hospitals/{hospital}/delegations",
                "Names a guardian for the patient's records at this hospital, with scope and end",
            )
            .tag(TAG)
            .by("The patient.")
            .cost(GUESSABLE)
            .slow(),
        )
        .use_case::<ListDelegations>(
            Route::get(
                "/v1/hospitals/{hospital}/delegations",
                "Guardians whom the caller named here, and patients for whom the caller may act",
            )
            .tag(TAG)
            .by("Patients."),
        )
        .use_case::<EndDelegation>(
            Route::post(
                "/v1/hospitals/{hospital}/delegations/end",
                "Ends a delegation: the guardian's next act is refused",
            )
            .tag(TAG)
            .by("The patient, and the guardian."),
        )
}

fn administered(api: Api) -> Api {
    let post = |path, summary| Route::post(path, summary).tag(TAG);
    api.use_case::<DecideItemAsHospital>(
        post(
            "/v1/hospitals/{hospital}/applications/{application}/items/{index}/decision",
            "The hospital's decision on an item of an application",
        )
        .by("The hospital and its clerks.")
        .slow(),
    )
    .use_case::<AffiliateDoctor>(
        Route::put(
            "/v1/hospitals/{hospital}/doctors/{doctor}",
            "Lets a doctor act for this hospital, or ends it (0 days)",
        )
        .tag(TAG)
        .by("The hospital."),
    )
    .schema::<WaitingPatient>()
    .use_case::<ListWaitingPatients>(
        Route::get(
            "/v1/hospitals/{hospital}/patients/waiting",
            "Patients whose records wait for their enrolment",
        )
        .tag(TAG)
        .by("The hospital and its clerks."),
    )
    .use_case::<UndoPatientMatch>(
        post(
            "/v1/hospitals/{hospital}/patients/unmatch",
            "Undoes a wrong match of a patient number",
        )
        .by("The hospital."),
    )
    .use_case::<SweepIntegrity>(
        post(
            "/v1/hospitals/{hospital}/integrity/sweeps",
            "Re-hashes every record of this hospital and reports what does not match",
        )
        .by("The hospital, its clerks and regulators.")
        .slow(),
    )
}
