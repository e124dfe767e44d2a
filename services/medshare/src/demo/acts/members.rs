//! Patients, doctors, a research institution and an insurer register; node operators endorse them, each with its own key.

use anyhow::Context as _;
use client::Client;
use contracts::membership::command::MemberKind;
use futures::{StreamExt as _, TryStreamExt as _};
use interfaces::Committed;
use interfaces::identity::{RegisterPerson, RegisteredPerson};
use interfaces::staff::{AcceptInvitation, Invitation, InvitePerson, InvitedKind};
use keys::{MemberKey, Secret};
use serde_json::json;

use crate::demo::accounts::Account;
use crate::demo::story::{Doctor, Patient, Story, refused, wait_for};

/// Registrations at once: each derives a key from a password, which takes a processor a while.
const AT_ONCE: usize = 4;
const YEARS_OF_AFFILIATION_DAYS: u32 = 730;

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    a_stranger_may_not_act(story).await?;
    let institution = organisation(
        story,
        MemberKind::ThirdParty,
        "Institute for Airway Research",
        "institute",
    )
    .await?;
    story.institution = Some(institution);
    organisation(
        story,
        MemberKind::Insurer,
        "Second Health Insurance",
        "second",
    )
    .await?;
    patients(story).await?;
    for place in 0..story.hospitals.len() {
        let doctor = doctor(story, place).await?;
        story.doctors.push(doctor);
        let clerk = clerk(story, place).await?;
        story.clerks.push(clerk);
    }
    Ok(())
}

/// Nobody uses the platform before nodes have endorsed them.
async fn a_stranger_may_not_act(story: &Story) -> anyhow::Result<()> {
    let key = MemberKey::random();
    let commit = story
        .register(&key, MemberKind::ThirdParty, Some("Nobody Knows Them Ltd"))
        .await?;
    story.committed("a stranger registered", &commit)?;
    let how = refused(
        "a stranger's sign-in",
        story.client.sign_in_with_key(key).await,
        &[401, 403],
    )?;
    story.tell(&format!("without endorsement its sign-in is {how}"));
    Ok(())
}

async fn organisation(
    story: &Story,
    kind: MemberKind,
    name: &str,
    slug: &str,
) -> anyhow::Result<client::Member> {
    let key = MemberKey::random();
    let id = key.ledger_id();
    let folder = story.system.layout().organisation(slug);
    crate::files::make_private_folder(&folder)?;
    key.save(&folder.join("member.json"))?;
    let commit = story.register(&key, kind, Some(name)).await?;
    story.committed(&format!("{name} registered"), &commit)?;
    story.endorse_by_quorum(&id, name).await?;
    story
        .client
        .sign_in_with_key(key)
        .await
        .context(name.to_owned())
}

async fn patients(story: &mut Story) -> anyhow::Result<()> {
    let people = story.population.people.iter().enumerate();
    let asked: Vec<(usize, RegisterPerson)> = people
        .map(|(number, person)| {
            let request = request(
                MemberKind::Patient,
                &person.real_name,
                &person.identity_id,
                &format!("patient-{number}"),
            );
            (number, request)
        })
        .collect();
    let client = story.client.clone();
    let done = futures::stream::iter(asked)
        .map(|(number, request)| patient(&client, number, request))
        .buffered(AT_ONCE);
    let done: Vec<(Patient, Vec<Committed>)> = done.try_collect().await?;
    let mut last = None;
    for (patient, registrations) in done {
        for committed in registrations {
            let commit = story.client.receipts().verify(&committed)?;
            story.keep_receipt(&commit)?;
            last = Some(commit);
        }
        story.patients.push(patient);
    }
    if let Some(last) = last {
        story.committed(
            &format!(
                "{} patients registered and endorsed, the last",
                story.patients.len()
            ),
            &last,
        )?;
    }
    Ok(())
}

async fn patient(
    client: &Client,
    number: usize,
    request: RegisterPerson,
) -> anyhow::Result<(Patient, Vec<Committed>)> {
    let registered: RegisteredPerson = client
        .post("/v1/persons", &request)
        .await
        .context("a patient's registration")?;
    let member = signed_in(client, &request).await?;
    let insured = *registered
        .ledger_ids
        .get("insurance")
        .context("a patient without insurance id")?;
    let patient_id = registered
        .patient_id
        .context("a patient without patient ID")?;
    Ok((
        Patient {
            person: number,
            patient_id,
            insured,
            member,
            account: account_of(&request),
        },
        registered.registrations,
    ))
}

/// Registers a doctor and lets them act for a hospital.
pub(super) async fn doctor(story: &Story, place: usize) -> anyhow::Result<Doctor> {
    let hospital = &story.hospitals[place];
    let login = format!("doctor-{}", hospital.slug);
    let request = request(
        MemberKind::Doctor,
        &format!("Dr. Canary {place}"),
        &format!("D-{login}"),
        &login,
    );
    let registered: RegisteredPerson = story
        .client
        .post("/v1/persons", &request)
        .await
        .context("a doctor's registration")?;
    let id = *registered
        .ledger_ids
        .get("self")
        .context("a doctor without ledger id")?;
    let member = signed_in(&story.client, &request).await?;
    let path = hospital.path(&format!("doctors/{id}"));
    let committed: Committed = hospital
        .member
        .put(&path, &json!({ "days": YEARS_OF_AFFILIATION_DAYS }))
        .await?;
    story.verified(&format!("a doctor acts for {}", hospital.slug), &committed)?;
    let account = account_of(&request);
    Ok(Doctor { member, account })
}

/// A hospital invites a clerk, who chooses login and password and signs in: no node endorses them, the hospital vouches.
async fn clerk(story: &Story, place: usize) -> anyhow::Result<Account> {
    let hospital = &story.hospitals[place];
    let login = format!("clerk-{}", hospital.slug);
    let name = format!("Canary Clerk {place}");
    let asked = InvitePerson {
        kind: InvitedKind::Clerk,
        real_name: name.clone(),
        identity_id: format!("S-{login}"),
    };
    let invitation: Invitation = hospital.member.post("/v1/invitations", &asked).await?;
    let password = Secret::random().expose_hex().to_string();
    let accepting = AcceptInvitation {
        code: invitation.code,
        login: login.clone(),
        password: password.clone(),
    };
    let _: RegisteredPerson = story
        .client
        .post("/v1/invitations/acceptance", &accepting)
        .await
        .context("a clerk's registration")?;
    story.client.sign_in(&login, &password).await?;
    story.tell(&format!("a clerk signs in for {}", hospital.slug));
    Ok(Account {
        role: InvitedKind::Clerk.name(),
        login,
        password,
        name,
    })
}

fn account_of(request: &RegisterPerson) -> Account {
    Account {
        role: request.kind.name(),
        login: request.login.clone(),
        password: request.password.clone(),
        name: request.real_name.clone(),
    }
}

fn request(kind: MemberKind, real_name: &str, identity_id: &str, login: &str) -> RegisterPerson {
    RegisterPerson {
        kind,
        real_name: real_name.to_owned(),
        identity_id: identity_id.to_owned(),
        login: login.to_owned(),
        password: Secret::random().expose_hex().to_string(),
    }
}

/// Signs a person in, once the authority's operator has endorsed them.
async fn signed_in(client: &Client, request: &RegisterPerson) -> anyhow::Result<client::Member> {
    wait_for("a person is endorsed", async || {
        match client.sign_in(&request.login, &request.password).await {
            Ok(member) => Ok(Some(member)),
            Err(error) => Err(error.into()),
        }
    })
    .await
}
