//! What four cores do together: primaries that do badly, the end of an epoch.

mod epochs;
mod network;
mod primaries;
mod spread;
mod tentative;
