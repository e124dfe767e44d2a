//! The explorer's tables: projections, all of them droppable.

/// All migrations, in order.
pub(super) const MIGRATIONS: &[store::Migration] = &[(
    1,
    "explorer",
    "
CREATE TABLE blocks (
    height BIGINT PRIMARY KEY,
    hash TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    transactions BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    system_events BIGINT NOT NULL,
    contracts TEXT NOT NULL,
    signers TEXT NOT NULL
);
CREATE INDEX blocks_by_time ON blocks (time_us);
CREATE INDEX blocks_with_transactions ON blocks (height) WHERE transactions > 0;
CREATE TABLE kinds (
    contract BIGINT NOT NULL,
    command BIGINT NOT NULL,
    name TEXT NOT NULL,
    accepted BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    PRIMARY KEY (contract, command)
);
CREATE TABLE block_kinds (
    contract BIGINT NOT NULL,
    command BIGINT NOT NULL,
    height BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    PRIMARY KEY (contract, command, height)
);
CREATE TABLE activity (
    step_us BIGINT NOT NULL,
    start_us BIGINT NOT NULL,
    contract BIGINT NOT NULL,
    transactions BIGINT NOT NULL,
    PRIMARY KEY (step_us, start_us, contract)
);
CREATE TABLE record_transactions (
    record TEXT NOT NULL,
    height BIGINT NOT NULL,
    place BIGINT NOT NULL,
    PRIMARY KEY (record, height, place)
);
CREATE TABLE organisations (
    member TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE TABLE votes (
    replica BIGINT PRIMARY KEY,
    height BIGINT NOT NULL,
    time_us BIGINT NOT NULL,
    votes BIGINT NOT NULL
);
",
)];

/// All tables, for a rebuild.
pub(super) const TABLES: [&str; 7] = [
    "blocks",
    "kinds",
    "block_kinds",
    "activity",
    "record_transactions",
    "organisations",
    "votes",
];
