//! A service's own database: connection, migrations, outbox, projections.
