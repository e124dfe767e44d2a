//! What four cores do together: requests for the primary, primaries that do badly, the end of an epoch.

mod addressed;
mod epochs;
mod network;
mod primaries;
mod spread;
mod tentative;
