-- Facts: what is not on the ledger. Backed up, never dropped. Everything personal is sealed or a keyed hash.

CREATE TABLE patients (
    token TEXT PRIMARY KEY,
    sealed_number BLOB NOT NULL,
    ledger_id TEXT,
    sealed_match BLOB
);
CREATE INDEX patients_ledger_id ON patients (ledger_id);

CREATE TABLE records (
    record TEXT PRIMARY KEY,
    patient_token TEXT NOT NULL,
    encounter_token TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    doctor_token TEXT,
    start_us BIGINT NOT NULL,
    class TEXT NOT NULL
);
CREATE INDEX records_patient ON records (patient_token);
CREATE INDEX records_start ON records (start_us, record);
CREATE INDEX records_doctor ON records (doctor_token, start_us, record);

CREATE TABLE versions (
    record TEXT NOT NULL,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    content_token TEXT NOT NULL,
    mapping_version BIGINT NOT NULL,
    canonical_version BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    transaction_id TEXT,
    attempt_until BIGINT NOT NULL DEFAULT 0,
    rejection TEXT,
    PRIMARY KEY (record, version)
);
CREATE INDEX versions_content ON versions (content_token);
CREATE INDEX versions_state ON versions (state);

CREATE TABLE diseases (
    token TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (token, record)
);
CREATE INDEX diseases_record ON diseases (record);

CREATE TABLE codes (
    public_key TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    holder BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    uses BIGINT NOT NULL,
    until BIGINT NOT NULL,
    located BIGINT NOT NULL
);
CREATE INDEX codes_record ON codes (record, holder);
CREATE INDEX codes_located ON codes (located);

CREATE TABLE claims (
    reference TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    version BIGINT NOT NULL,
    claim_token TEXT NOT NULL,
    sealed BLOB NOT NULL,
    attempt_until BIGINT NOT NULL DEFAULT 0,
    settled BIGINT NOT NULL DEFAULT 0,
    rejection TEXT,
    UNIQUE (record, claim_token)
);
CREATE INDEX claims_open ON claims (settled, attempt_until);

CREATE TABLE deliveries (
    item TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    version BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    attempt_until BIGINT NOT NULL DEFAULT 0
);


CREATE TABLE erasures (
    record TEXT PRIMARY KEY,
    attempt_until BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE emergencies (
    emergency TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
);
