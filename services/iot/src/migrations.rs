//! The tables of the iot service.
//!
//! Facts (backed up, never dropped): `packs`, `device_counters`, `batches`, `warning_details`, `limits`.
//! Projections (droppable): `device_members`, `bindings`, `shares`, `warnings`.

/// All migrations, in order.
pub const MIGRATIONS: &[store::Migration] = &[
    (
        1,
        "iot",
        "
CREATE TABLE packs (
    place BIGINT PRIMARY KEY,
    device TEXT NOT NULL,
    patient TEXT NOT NULL,
    received_us BIGINT NOT NULL,
    latest_us BIGINT NOT NULL,
    readings BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    batch BIGINT
);
CREATE INDEX packs_by_patient ON packs (patient, place);
CREATE INDEX packs_by_batch ON packs (batch, place);
CREATE TABLE device_counters (
    device TEXT PRIMARY KEY,
    last_sequence BIGINT NOT NULL,
    heard_us BIGINT NOT NULL,
    silent BIGINT NOT NULL
);
CREATE TABLE batches (
    batch BIGINT PRIMARY KEY,
    root TEXT NOT NULL,
    readings BIGINT NOT NULL,
    transaction_id TEXT NOT NULL
);
CREATE TABLE warning_details (
    warning TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
);
CREATE TABLE limits (
    patient TEXT NOT NULL,
    sign BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (patient, sign)
);
CREATE TABLE device_members (
    device TEXT PRIMARY KEY,
    public_key TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE TABLE bindings (
    device TEXT PRIMARY KEY,
    patient TEXT NOT NULL
);
CREATE TABLE shares (
    patient TEXT NOT NULL,
    hospital TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (patient, hospital)
);
CREATE TABLE warnings (
    warning TEXT PRIMARY KEY,
    place BIGINT NOT NULL UNIQUE,
    device TEXT NOT NULL,
    patient TEXT NOT NULL,
    level TEXT NOT NULL,
    cause TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    acknowledged BIGINT NOT NULL
);
CREATE INDEX warnings_by_patient ON warnings (patient, place);
",
    ),
    (
        2,
        "batches know that they are anchored",
        "ALTER TABLE batches ADD COLUMN anchored BIGINT NOT NULL DEFAULT 0;",
    ),
    (
        3,
        "devices may have several packs on their way",
        "ALTER TABLE device_counters ADD COLUMN had BIGINT NOT NULL DEFAULT -1;",
    ),
    (
        4,
        "reasons of warnings; devices of a patient",
        "
ALTER TABLE warning_details ADD COLUMN reasons BLOB;
CREATE INDEX bindings_by_patient ON bindings (patient, device);
",
    ),
];
