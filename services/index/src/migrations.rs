//! The tables of the index service.
//!
//! Facts (backed up, never dropped): `index_rows`, `code_locators`, `searches`. Projections (droppable): the rest.

/// All migrations, in order.
pub const MIGRATIONS: &[store::Migration] = &[
    (
        1,
        "index",
        "
CREATE TABLE index_rows (
    record TEXT NOT NULL,
    version BIGINT NOT NULL,
    row_json TEXT NOT NULL,
    PRIMARY KEY (record, version)
);
CREATE TABLE code_locators (
    locator TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    holder TEXT NOT NULL,
    service TEXT NOT NULL,
    UNIQUE (record, holder)
);
CREATE TABLE handles (
    handle TEXT PRIMARY KEY,
    applicant TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE TABLE heads (
    record TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    patient TEXT NOT NULL,
    commitment TEXT NOT NULL,
    erased BIGINT NOT NULL
);
CREATE INDEX heads_by_patient ON heads (patient);
CREATE TABLE research_refusals (
    patient TEXT PRIMARY KEY
);
CREATE TABLE parameters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
",
    ),
    (
        2,
        "handles are pseudonyms and need not be remembered",
        "DROP TABLE handles;",
    ),
    (
        3,
        "searches that were answered",
        "
CREATE TABLE searches (
    applicant TEXT NOT NULL,
    asked_json TEXT NOT NULL,
    answered_us BIGINT NOT NULL,
    PRIMARY KEY (applicant, asked_json)
);
",
    ),
];
