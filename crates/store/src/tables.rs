//! The store's own tables, present in every service's database.

use crate::database::Migration;

/// Applied before the service's own.
pub(crate) const MIGRATIONS: &[Migration] = &[
    (
        1,
        "outbox",
        "CREATE TABLE outbox (
            transaction_id TEXT PRIMARY KEY,
            state TEXT NOT NULL,
            body BLOB NOT NULL,
            signed BLOB,
            valid_until BIGINT NOT NULL,
            receipt BLOB,
            failure_code BIGINT,
            failure TEXT
        );
        CREATE INDEX outbox_state ON outbox (state, valid_until);",
    ),
    (
        2,
        "projection",
        "CREATE TABLE projection (
            name TEXT PRIMARY KEY,
            version BIGINT NOT NULL,
            next_height BIGINT NOT NULL,
            position BLOB NOT NULL,
            reacted_height BIGINT NOT NULL
        );",
    ),
    (
        3,
        "stopped members",
        "CREATE TABLE stopped_members (member TEXT PRIMARY KEY);",
    ),
];
