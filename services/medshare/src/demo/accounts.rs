//! With whom to sign in to the pages of a demo that keeps running: the made-up accounts, in a private file of its folder.

use serde::Serialize;

use super::story::Story;
use crate::consortium::{Consortium, Tls};

/// A made-up person's account.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Account {
    /// `Patient`, `Doctor` or `Clerk`.
    pub(super) role: &'static str,
    pub(super) login: String,
    pub(super) password: String,
    pub(super) name: String,
}

/// What the file holds.
#[derive(Serialize)]
struct Accounts<'a> {
    /// Where the pages are.
    portal: String,
    /// The file with a patient who has records at both hospitals first.
    people: Vec<&'a Account>,
    /// Patient IDs, by login.
    patient_ids: std::collections::BTreeMap<&'a str, &'a str>,
    /// Key files of organisations, by slug.
    keys: Vec<String>,
}

/// Writes `accounts.json` (mode 0600) and says where it is.
pub(super) fn write(story: &Story) -> anyhow::Result<()> {
    let layout = story.system.layout();
    let address = story.system.address("portal", "web");
    let consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    let scheme = match consortium.tls {
        Tls::Plain => "http",
        Tls::Mutual => "https",
    };
    let portal = address.map_or_else(String::new, |address| format!("{scheme}://{address}/"));
    let mut people: Vec<&Account> = Vec::new();
    if let Ok(first) = story.patient_of_both() {
        people.push(&first.account);
    }
    people.extend(story.patients.iter().map(|patient| &patient.account));
    people.extend(story.doctors.iter().map(|doctor| &doctor.account));
    people.extend(&story.clerks);
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(layout.root().join("organisations"))? {
        for name in ["member.json", "operator.json"] {
            let file = entry.as_ref().map(|entry| entry.path().join(name));
            if let Ok(file) = file
                && file.exists()
            {
                keys.push(file.display().to_string());
            }
        }
    }
    keys.sort();
    let accounts = Accounts {
        portal: portal.clone(),
        people,
        patient_ids: story
            .patients
            .iter()
            .map(|patient| (patient.account.login.as_str(), patient.patient_id.as_str()))
            .collect(),
        keys,
    };
    let file = layout.root().join("accounts.json");
    crate::files::write_private(&file, &serde_json::to_vec_pretty(&accounts)?)?;
    eprintln!(
        "demo: the pages are at {portal}; with whom to sign in stands in {}",
        file.display()
    );
    Ok(())
}
