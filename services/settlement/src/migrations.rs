//! The tables of the settlement service: projections only, droppable; what is in flight is in the outbox.

/// All migrations, in order.
pub const MIGRATIONS: &[store::Migration] = &[
    (
        1,
        "settlement",
        "
CREATE TABLE balances (
    account TEXT PRIMARY KEY,
    balance BIGINT NOT NULL
);
CREATE TABLE statement (
    account TEXT NOT NULL,
    place BIGINT NOT NULL,
    time_us BIGINT NOT NULL,
    reason TEXT NOT NULL,
    amount BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (account, place)
);
CREATE TABLE plans (
    plan BIGINT PRIMARY KEY,
    insurer TEXT NOT NULL,
    version BIGINT NOT NULL,
    rules TEXT NOT NULL
);
CREATE TABLE coverages (
    insured TEXT NOT NULL,
    plan BIGINT NOT NULL,
    from_year BIGINT NOT NULL,
    until_year BIGINT NOT NULL,
    PRIMARY KEY (insured, plan)
);
CREATE TABLE claims (
    claim TEXT PRIMARY KEY,
    insured TEXT NOT NULL,
    hospital TEXT NOT NULL,
    plan BIGINT NOT NULL,
    state TEXT NOT NULL,
    charged BIGINT NOT NULL,
    benefit BIGINT NOT NULL,
    share BIGINT NOT NULL,
    rules_version BIGINT NOT NULL
);
CREATE INDEX claims_by_insured ON claims (insured, claim);
CREATE INDEX claims_by_hospital ON claims (hospital, claim);
CREATE INDEX claims_by_plan ON claims (plan, claim);
CREATE TABLE claim_transactions (
    claim TEXT NOT NULL,
    place BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (claim, place)
);
",
    ),
    (
        2,
        "versions of rules; what a claim is about, and why it waits",
        "
CREATE TABLE plan_rules (
    plan BIGINT NOT NULL,
    version BIGINT NOT NULL,
    place BIGINT NOT NULL,
    time_us BIGINT NOT NULL,
    rules TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (plan, version)
);
CREATE INDEX plans_by_insurer ON plans (insurer, plan);
ALTER TABLE claims ADD COLUMN category TEXT NOT NULL DEFAULT 'Other';
ALTER TABLE claims ADD COLUMN pended_because TEXT;
CREATE INDEX claims_alike ON claims (insured, hospital, category, charged);
CREATE INDEX claims_by_plan_and_state ON claims (plan, state, claim);
",
    ),
];
