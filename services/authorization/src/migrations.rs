//! The tables of the authorization service.
//!
//! Facts (backed up, never dropped): `statements`, `deliveries`. Projections (droppable): the rest.

/// All migrations, in order.
pub const MIGRATIONS: &[store::Migration] = &[
    (
    1,
    "authorization",
    "
CREATE TABLE statements (
    application TEXT PRIMARY KEY,
    statement TEXT NOT NULL,
    salt TEXT NOT NULL
);
CREATE TABLE deliveries (
    application TEXT NOT NULL,
    item_index BIGINT NOT NULL,
    digest TEXT NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (application, item_index, digest)
);
CREATE TABLE organisations (
    member TEXT PRIMARY KEY,
    name TEXT NOT NULL
);
CREATE TABLE applications (
    application TEXT PRIMARY KEY,
    applicant TEXT NOT NULL,
    purpose TEXT NOT NULL,
    until_us BIGINT NOT NULL
);
CREATE TABLE items (
    application TEXT NOT NULL,
    item_index BIGINT NOT NULL,
    place BIGINT NOT NULL UNIQUE,
    record TEXT NOT NULL,
    hospital TEXT NOT NULL,
    patient TEXT NOT NULL,
    applicant TEXT NOT NULL,
    price BIGINT NOT NULL,
    item_key TEXT NOT NULL,
    state TEXT NOT NULL,
    hospital_approved BIGINT NOT NULL,
    deadline_us BIGINT NOT NULL,
    ciphertext TEXT,
    release_commitment TEXT,
    grant_id TEXT UNIQUE,
    grant_withdrawn BIGINT NOT NULL,
    sealed_key BLOB,
    PRIMARY KEY (application, item_index)
);
CREATE INDEX items_by_applicant ON items (applicant, place);
CREATE INDEX items_by_hospital ON items (hospital, place);
CREATE INDEX items_by_patient ON items (patient, place);
CREATE TABLE item_transactions (
    application TEXT NOT NULL,
    item_index BIGINT NOT NULL,
    place BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (application, item_index, place)
);
CREATE TABLE notices (
    recipient TEXT NOT NULL,
    place BIGINT NOT NULL,
    kind TEXT NOT NULL,
    application TEXT NOT NULL,
    item_index BIGINT NOT NULL,
    time_us BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (recipient, place)
);
CREATE TABLE grant_views (
    transaction_id TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL,
    viewer TEXT NOT NULL,
    time_us BIGINT NOT NULL
);
",
    ),
    (
        2,
        "items that wait for somebody, without a walk through all that do not",
        "
CREATE INDEX items_that_wait_for_hospitals ON items (hospital, place) WHERE state = 'hospital_pending';
CREATE INDEX items_that_wait_for_patients ON items (patient, place) WHERE state = 'patient_pending';
CREATE INDEX items_that_are_released ON items (applicant, place) WHERE state = 'released' AND grant_withdrawn = 0;
",
    ),
    (
        3,
        "guardians, and what they decided",
        "
CREATE TABLE delegations (
    patient TEXT NOT NULL,
    guardian TEXT NOT NULL,
    decides BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    PRIMARY KEY (patient, guardian)
);
CREATE INDEX delegations_by_guardian ON delegations (guardian);
ALTER TABLE items ADD COLUMN guardian TEXT;
",
    ),
];
