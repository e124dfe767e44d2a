//! A hospital's registration desk: who is invited to an account, and the hospital's clerks.

use contracts::membership::command::MemberKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::{Done, RegisteredPerson};
use crate::{Page, PageRequest, use_case};

/// Invites somebody who showed their identity document at the hospital to choose a login and a password. By the hospital, and
/// by its clerks for patients.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitePerson {
    /// What they will be.
    pub kind: InvitedKind,
    /// The real name, as on the identity document.
    pub real_name: String,
    /// The identity ID; of a clerk, the hospital's staff number.
    pub identity_id: String,
}
use_case!("identity", "invite_person", InvitePerson -> Invitation);

/// What somebody is invited to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitedKind {
    /// A patient.
    Patient,
    /// A clerk of the hospital that invites.
    Clerk,
}

impl InvitedKind {
    /// The name that accounts have it under.
    pub fn name(self) -> &'static str {
        match self {
            InvitedKind::Patient => MemberKind::Patient.name(),
            InvitedKind::Clerk => "Clerk",
        }
    }
}

/// What to hand to the one who is invited; it is kept nowhere.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Good once: whoever has it chooses login and password.
    pub code: String,
    /// Until when (RFC 3339).
    pub until: String,
}

/// Accepts an invitation. By whoever has its code.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// The code.
    pub code: String,
    /// The name to sign in with; unique.
    pub login: String,
    /// At least 12 characters.
    pub password: String,
}
use_case!("identity", "accept_invitation", AcceptInvitation -> RegisteredPerson);

/// The hospital's clerks. By the hospital.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListClerks {
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("identity", "list_clerks", ListClerks -> Page<ClerkSummary>);

/// A clerk of the hospital that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClerkSummary {
    /// The account.
    pub account: String,
    /// The real name.
    pub real_name: String,
    /// The hospital's staff number.
    pub staff_number: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// When the hospital ended it (RFC 3339).
    pub ended: Option<String>,
}

/// Ends a clerk's account and all its sessions. By the hospital.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndClerk {
    /// The account.
    pub account: String,
}
use_case!("identity", "end_clerk", EndClerk -> Done);
