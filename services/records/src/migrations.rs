//! The tables of the service's own database: facts and projection apart.

/// In order; a step that was applied is never changed.
pub const MIGRATIONS: &[store::Migration] = &[
    (1, "facts", include_str!("../migrations/0001_facts.sql")),
    (
        2,
        "projection",
        include_str!("../migrations/0002_projection.sql"),
    ),
    (
        3,
        "consents",
        include_str!("../migrations/0003_consents.sql"),
    ),
    (
        4,
        "wrong patient ids",
        "ALTER TABLE codes ADD COLUMN wrong_patient_ids BIGINT NOT NULL DEFAULT 0",
    ),
    (
        5,
        "emergency journal",
        "CREATE TABLE emergency_journal (
            number BIGINT PRIMARY KEY,
            emergency TEXT NOT NULL UNIQUE,
            entry BLOB NOT NULL,
            signature BLOB NOT NULL,
            attempt_until BIGINT NOT NULL DEFAULT 0
        )",
    ),
    (
        6,
        "reviews of emergencies; views by basis, viewer and time",
        "
ALTER TABLE ledger_emergencies ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_emergencies ADD COLUMN time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_emergencies ADD COLUMN transaction_id TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger_emergencies ADD COLUMN review BIGINT NOT NULL DEFAULT -1;
CREATE INDEX ledger_emergencies_by_place ON ledger_emergencies (place);
CREATE INDEX ledger_views_basis ON ledger_views (basis, height, position);
CREATE INDEX ledger_views_viewer ON ledger_views (viewer, height, position);
CREATE INDEX ledger_views_time ON ledger_views (time);
CREATE INDEX codes_wrong ON codes (wrong_patient_ids);
",
    ),
    (
        7,
        "journaled emergencies of one doctor; of entries that were journaled before, the doctor stands in the entry alone",
        "
ALTER TABLE emergency_journal ADD COLUMN doctor TEXT NOT NULL DEFAULT '';
CREATE INDEX emergency_journal_by_doctor ON emergency_journal (doctor, number);
",
    ),
    (
        8,
        "a patient's records by their start",
        "
DROP INDEX records_patient;
CREATE INDEX records_patient ON records (patient_token, start_us, record);
",
    ),
    (
        9,
        "delegations",
        "
CREATE TABLE ledger_delegations (
    patient TEXT NOT NULL,
    guardian TEXT NOT NULL,
    scope BIGINT NOT NULL,
    until BIGINT NOT NULL,
    patient_name BLOB NOT NULL,
    guardian_name BLOB NOT NULL,
    ended BIGINT NOT NULL,
    PRIMARY KEY (patient, guardian)
);
CREATE INDEX ledger_delegations_guardian ON ledger_delegations (guardian);
",
    ),
    (
        10,
        "a disease's records by their start; patients who have not enrolled by their token",
        "
ALTER TABLE diseases ADD COLUMN start_us BIGINT NOT NULL DEFAULT 0;
UPDATE diseases SET start_us = COALESCE((SELECT records.start_us FROM records WHERE records.record = diseases.record), 0);
CREATE INDEX diseases_start ON diseases (token, start_us, record);
DROP INDEX patients_ledger_id;
CREATE INDEX patients_ledger_id ON patients (ledger_id, token);
",
    ),
];
