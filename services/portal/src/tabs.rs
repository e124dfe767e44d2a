//! The navigation of each role: what is offered. What is permitted, the services decide.

use keys::token::Role;

use crate::design::frame::Tab;
use crate::session::SignedIn;
use crate::words::Words;

/// The tabs of whoever is signed in; none for strangers.
pub(crate) fn of<'a>(session: Option<&SignedIn>, words: &Words, path: &str) -> Vec<Tab<'a>> {
    let Some(session) = session else {
        return Vec::new();
    };
    let (patient, staff) = (words.patient, words.staff);
    let mut tabs: Vec<(&'a str, &'a str)> = Vec::new();
    if session.is(Role::Patient) {
        tabs.extend([
            ("/records", patient.tab_records),
            ("/requests", patient.tab_requests),
            ("/history", patient.tab_history),
            ("/views", patient.tab_views),
            ("/account", patient.tab_account),
            ("/devices", patient.tab_devices),
            ("/settings", patient.tab_settings),
        ]);
    }
    if session.is(Role::Doctor) {
        tabs.extend([
            ("/hospital/records", staff.tab_find),
            ("/hospital/write", staff.tab_write),
            ("/hospital/receive", staff.tab_receive),
            ("/hospital/emergency", staff.tab_emergency),
        ]);
    }
    if session.is(Role::Hospital) {
        tabs.extend([
            ("/hospital/requests", staff.tab_requests),
            ("/hospital/records", staff.tab_generated),
            ("/hospital/import", words.desk.tab_import),
            ("/hospital/people", staff.tab_people),
            ("/hospital/clerks", words.desk.tab_clerks),
            ("/hospital/integrity", staff.tab_integrity),
            ("/account", patient.tab_account),
        ]);
    }
    if session.is(Role::Clerk) {
        tabs.extend([
            ("/hospital/desk", words.desk.tab_desk),
            ("/hospital/write", staff.tab_write),
            ("/hospital/import", words.desk.tab_import),
            ("/hospital/records", staff.tab_generated),
            ("/hospital/requests", staff.tab_requests),
            ("/hospital/integrity", staff.tab_integrity),
        ]);
    }
    let organisations = words.organisations;
    if session.is(Role::ThirdParty) || session.is(Role::Insurer) {
        tabs.extend([
            ("/research/search", organisations.tab_search),
            ("/research/applications", organisations.tab_applications),
            ("/research/released", organisations.tab_released),
        ]);
    }
    if session.is(Role::Insurer) {
        tabs.extend([
            ("/insurance/claims", organisations.tab_claims),
            ("/insurance/audit", organisations.tab_audit),
            ("/insurance/rules", organisations.tab_rules),
            ("/insurance/coverage", organisations.tab_coverage),
        ]);
    }
    if session.is(Role::ThirdParty) || session.is(Role::Insurer) {
        tabs.push(("/account", patient.tab_account));
    }
    if session.is(Role::Regulator) || session.is(Role::NodeOperator) {
        tabs.push(("/members", organisations.tab_members));
    }
    if session.is(Role::Regulator) {
        tabs.extend([
            ("/reviews", organisations.tab_reviews),
            ("/use", organisations.tab_use),
            ("/anomalies", organisations.tab_anomalies),
            ("/sweep", organisations.tab_sweep),
        ]);
    }
    if session.is(Role::Treasurer) {
        tabs.push(("/treasury", organisations.tab_deposits));
    }
    let place = path.split('?').next().unwrap_or_default();
    tabs.into_iter()
        .map(|(path, name)| Tab {
            path,
            name,
            current: place == path || place.starts_with(&format!("{path}/")),
        })
        .collect()
}

/// Where a role's work begins.
pub(crate) fn home(session: &SignedIn) -> &'static str {
    if session.is(Role::Patient) {
        "/records"
    } else if session.is(Role::Doctor) {
        "/hospital/records"
    } else if session.is(Role::Hospital) {
        "/hospital/requests"
    } else if session.is(Role::Clerk) {
        "/hospital/desk"
    } else if session.is(Role::ThirdParty) {
        "/research/search"
    } else if session.is(Role::Insurer) {
        "/insurance/claims"
    } else if session.is(Role::Regulator) || session.is(Role::NodeOperator) {
        "/members"
    } else if session.is(Role::Treasurer) {
        "/treasury"
    } else {
        "/me"
    }
}
