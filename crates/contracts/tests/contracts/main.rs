//! The contracts' rules, each as given / when / then, and what holds for every sequence of commands.

mod random_commands;
mod scenario;

mod authorization;
mod authorization_endings;
mod authorization_properties;
mod documentation;
mod founding;
mod fuzz;
mod governance;
mod membership;
mod money_properties;
mod records;
mod records_care;
mod records_codes;
mod records_delegation;
mod records_offline;
mod settlement;
mod settlement_claims;
mod submission;
mod telemetry;
