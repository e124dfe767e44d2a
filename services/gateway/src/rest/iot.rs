//! Devices, readings, warnings. Readings themselves come in over MQTT.

use interfaces::iot::{
    AcknowledgeWarning, BoundDevice, GetReadingsKey, ListDevices, ListReadings, ListWarnings,
    ReadingObservation, RegisterDevice, SetLimit, ShareWarnings, UnregisterDevice, WarningReason,
    WarningSummary,
};

use super::api::{Api, Route};

const TAG: &str = "devices";

pub(crate) fn routes(api: Api) -> Api {
    let get = |path, summary| Route::get(path, summary).tag(TAG);
    let put = |path, summary| Route::put(path, summary).tag(TAG).by("The patient.");
    api.schema::<ReadingObservation>()
        .schema::<WarningSummary>()
        .schema::<WarningReason>()
        .schema::<BoundDevice>()
        .use_case::<ListDevices>(
            get("/v1/devices", "The devices that are bound to the caller").by("The patient."),
        )
        .use_case::<RegisterDevice>(put(
            "/v1/devices/{device}",
            "Binds an endorsed device to the caller",
        ))
        .use_case::<UnregisterDevice>(
            Route::delete("/v1/devices/{device}", "Ends a device's binding")
                .tag(TAG)
                .by("The patient."),
        )
        .use_case::<GetReadingsKey>(
            Route::get(
                "/v1/readings/key",
                "The key to which devices seal their readings",
            )
            .tag(TAG)
            .by_anyone(),
        )
        .use_case::<SetLimit>(put(
            "/v1/limits/{loinc}",
            "Sets the caller's limits for one vital sign",
        ))
        .use_case::<ListReadings>(
            get(
                "/v1/readings",
                "Readings as FHIR R4 vital-signs Observations, newest first",
            )
            .by("The patient."),
        )
        .use_case::<ListWarnings>(
            get("/v1/warnings", "Warnings for the caller, newest first")
                .by("The patient, and hospitals that warnings are shared with."),
        )
        .use_case::<ShareWarnings>(put(
            "/v1/warnings/shares/{hospital}",
            "Lets a hospital receive the caller's warnings, or ends it (0 days)",
        ))
        .use_case::<AcknowledgeWarning>(
            Route::post(
                "/v1/warnings/{warning}/acknowledgement",
                "Says that a warning was seen",
            )
            .tag(TAG)
            .by("The patient, and hospitals that it is shared with."),
        )
}
