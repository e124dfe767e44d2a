-- Projection: folded from committed events; can be dropped and rebuilt at any time.

CREATE TABLE ledger_members (
    member TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    sealing_key TEXT
);

CREATE TABLE ledger_affiliations (
    doctor TEXT NOT NULL,
    hospital TEXT NOT NULL,
    from_time BIGINT NOT NULL,
    until_time BIGINT NOT NULL,
    PRIMARY KEY (doctor, hospital)
);

CREATE TABLE ledger_records (
    record TEXT PRIMARY KEY,
    patient TEXT NOT NULL,
    version BIGINT NOT NULL,
    erased BIGINT NOT NULL,
    certified BIGINT NOT NULL
);
CREATE INDEX ledger_records_patient ON ledger_records (patient);
CREATE INDEX ledger_records_erased ON ledger_records (erased, certified);

CREATE TABLE ledger_versions (
    record TEXT NOT NULL,
    version BIGINT NOT NULL,
    commitment BLOB NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (record, version)
);

CREATE TABLE ledger_codes (
    record TEXT NOT NULL,
    holder BIGINT NOT NULL,
    public_key TEXT NOT NULL,
    uses_left BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (record, holder)
);

CREATE TABLE ledger_views (
    height BIGINT NOT NULL,
    position BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    patient TEXT NOT NULL,
    viewer TEXT NOT NULL,
    basis TEXT NOT NULL,
    purpose BLOB NOT NULL,
    viewer_name BLOB NOT NULL,
    records BLOB NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (height, position)
);
CREATE INDEX ledger_views_patient ON ledger_views (patient, height, position);
CREATE INDEX ledger_views_transaction ON ledger_views (transaction_id);

CREATE TABLE ledger_emergencies (
    emergency TEXT PRIMARY KEY,
    patient TEXT NOT NULL,
    doctor TEXT NOT NULL,
    hospital TEXT NOT NULL,
    until BIGINT NOT NULL
);

CREATE TABLE ledger_applications (
    application TEXT PRIMARY KEY,
    purpose BLOB NOT NULL
);

CREATE TABLE ledger_items (
    item TEXT PRIMARY KEY,
    item_id BLOB NOT NULL,
    record TEXT NOT NULL,
    applicant TEXT NOT NULL,
    item_key TEXT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX ledger_items_state ON ledger_items (state);

CREATE TABLE ledger_claims (
    reference TEXT PRIMARY KEY
);

CREATE TABLE ledger_findings (
    record TEXT NOT NULL,
    version BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (record, version, kind)
);
