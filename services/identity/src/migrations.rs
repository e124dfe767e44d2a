//! The tables of the identity service.
//!
//! Facts (backed up, never dropped): `accounts`, `ledger_ids`, `matches`, `certificates`, `sessions`, `second_factors`, `recovery_codes`, `passkeys`, `invitations`. In flight: `challenges`, `sign_in_attempts`. Projection (droppable): `members`, `endorsements`.

/// All migrations, in order.
pub const MIGRATIONS: &[store::Migration] = &[
    (
        1,
        "identity",
        "
CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    login TEXT NOT NULL UNIQUE,
    identity_hash TEXT NOT NULL UNIQUE,
    patient_id TEXT UNIQUE,
    sealed_person BLOB NOT NULL,
    custody_key TEXT NOT NULL,
    password_envelope TEXT NOT NULL,
    created_us BIGINT NOT NULL
);
CREATE TABLE ledger_ids (
    ledger_id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (account),
    context TEXT NOT NULL,
    public_key TEXT NOT NULL,
    sealing_key TEXT NOT NULL,
    sealed_seed BLOB NOT NULL,
    registration BLOB NOT NULL,
    submitted_us BIGINT NOT NULL,
    UNIQUE (account, context)
);
CREATE TABLE matches (
    hospital TEXT NOT NULL,
    patient_number_hash TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (account),
    undone BIGINT NOT NULL,
    PRIMARY KEY (hospital, patient_number_hash, account)
);
CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,
    member TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    issued_us BIGINT NOT NULL,
    not_after_us BIGINT NOT NULL
);
CREATE TABLE ended_sessions (
    session TEXT PRIMARY KEY,
    ended_us BIGINT NOT NULL
);
CREATE TABLE challenges (
    challenge TEXT PRIMARY KEY,
    member TEXT NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE TABLE members (
    member TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    name TEXT,
    public_key TEXT NOT NULL,
    sealing_key TEXT NOT NULL,
    operator BIGINT NOT NULL,
    endorsements BIGINT NOT NULL,
    revoked_us BIGINT
);
CREATE INDEX members_by_status ON members (status, member);
",
    ),
    (
        2,
        "sign_in_attempts",
        "
CREATE TABLE sign_in_attempts (
    login_hash TEXT PRIMARY KEY,
    wrong BIGINT NOT NULL,
    locked_until_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL
);
CREATE INDEX sign_in_attempts_by_age ON sign_in_attempts (last_us);
",
    ),
    (
        3,
        "certificates by request",
        "
ALTER TABLE certificates ADD COLUMN request TEXT;
ALTER TABLE certificates ADD COLUMN chain TEXT;
CREATE INDEX certificates_by_member ON certificates (member, not_after_us);
ALTER TABLE members ADD COLUMN suspended_us BIGINT;
ALTER TABLE members ADD COLUMN rotated_us BIGINT;
",
    ),
    (
        4,
        "sessions",
        "
CREATE TABLE sessions (
    session TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    began_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    method TEXT NOT NULL,
    through TEXT NOT NULL,
    ended_us BIGINT
);
CREATE INDEX sessions_by_subject ON sessions (subject, expires_us);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);
DROP TABLE ended_sessions;
",
    ),
    (
        5,
        "sign-in attempts by device and address",
        "
DROP TABLE sign_in_attempts;
CREATE TABLE sign_in_attempts (
    bucket TEXT PRIMARY KEY,
    wrong BIGINT NOT NULL,
    locked_until_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL
);
CREATE INDEX sign_in_attempts_by_age ON sign_in_attempts (last_us);
",
    ),
    (
        6,
        "second factors",
        "
CREATE TABLE second_factors (
    account TEXT PRIMARY KEY REFERENCES accounts (account),
    sealed_secret BLOB NOT NULL,
    confirmed_us BIGINT,
    last_step BIGINT NOT NULL
);
CREATE TABLE recovery_codes (
    account TEXT NOT NULL REFERENCES accounts (account),
    code_hash TEXT NOT NULL,
    PRIMARY KEY (account, code_hash)
);
CREATE TABLE passkeys (
    passkey TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (account),
    name TEXT NOT NULL,
    passkey_json TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_us BIGINT NOT NULL,
    used_us BIGINT
);
CREATE INDEX passkeys_by_account ON passkeys (account);
",
    ),
    (
        7,
        "clerks of hospitals; invitations; members by kind",
        "
ALTER TABLE accounts ADD COLUMN hospital TEXT;
ALTER TABLE accounts ADD COLUMN ended_us BIGINT;
CREATE INDEX accounts_by_hospital ON accounts (hospital, account);
CREATE TABLE invitations (
    code_hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    hospital TEXT NOT NULL,
    sealed_person BLOB NOT NULL,
    invited_by TEXT NOT NULL,
    until_us BIGINT NOT NULL,
    account TEXT
);
CREATE INDEX invitations_by_age ON invitations (until_us);
CREATE INDEX members_by_kind ON members (kind, member);
CREATE TABLE endorsements (
    member TEXT NOT NULL,
    operator TEXT NOT NULL,
    PRIMARY KEY (member, operator)
);
",
    ),
];
