//! Portal: the pages of every role, server-rendered, and the explorer.
//!
//! The portal decides nothing: it hands the session of the one who is signed in on inside sealed requests, and the service
//! that answers decides. It keeps nothing either: the session is in a sealed cookie, and what it holds in memory (records
//! just opened, commands that wait for a signature, forms just sent) may be lost without harm.
//!
//! Reading order:
//!
//! 1. `service`: configuration, what a request works with, how it runs.
//! 2. `guard`: what every request passes; `session`: the cookie; `visit`: one request and how a page is made for it.
//! 3. `words`: every text in every language; `design`: every component once.
//! 4. `pages`: one file a page or a few that belong together, one folder a role.
//! 5. `explorer`: the ledger to look into, for anyone.
//! 6. `live`: the ledger's blocks, as they come; `once`: a form is done once.

mod answer;
mod assets;
mod concern;
mod design;
mod explorer;
mod guard;
mod language;
mod listener;
mod live;
mod once;
mod pages;
mod service;
mod session;
mod tabs;
mod tries;
mod unsigned;
mod viewed;
mod visit;
mod words;

pub use explorer::{ExplorerConfig, fill_blocks};
pub use language::Currency;
pub use listener::WebTls;
pub use service::{Config, Display, Sessions, Web, run};
