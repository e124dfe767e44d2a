//! Requirements that the story of the demo does not drive, each on a system of its own. Each test names the requirements
//! (A-numbers) it shows, and after "Fault:" the one-line fault that would make it fail.

#[path = "requirements/authority.rs"]
mod authority;
#[path = "requirements/codes.rs"]
mod codes;
#[path = "requirements/databases.rs"]
mod databases;
#[path = "requirements/erasure.rs"]
mod erasure;
#[path = "requirements/finding.rs"]
mod finding;
#[path = "requirements/node_certificates.rs"]
mod node_certificates;
#[path = "requirements/programs.rs"]
mod programs;
