//! What every service process has: configuration, telemetry, health, shutdown.
