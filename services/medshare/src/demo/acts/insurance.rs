//! Insurance: rules and coverage before the records come, adjudication as they come, and a share that a patient pays.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use contracts::settlement::command::{BenefitCategory, PlanId, ReimbursementRule};
use futures::{StreamExt as _, TryStreamExt as _};
use interfaces::Page;
use interfaces::settlement::{Balance, ClaimSummary};
use ledger::LedgerId;
use serde_json::json;

use crate::demo::story::{Story, wait_for};

/// Payers of the Claims, and the plan that each stands for; others are not insured.
const PLANS: [(&str, u16); 3] = [("private", 1), ("medicare", 2), ("medicaid", 3)];
/// What the insurer starts with, in cents: enough for every claim of the story.
const FUNDS: i64 = 100_000_000_000;
const AT_ONCE: usize = 8;

/// Publishes rules, and covers every patient in the plans that the patient's Claims name.
pub(in crate::demo) async fn cover(story: &mut Story) -> anyhow::Result<()> {
    let insurer = story.insurer.clone();
    let own = insurer
        .key()
        .context("the insurer holds its key")?
        .ledger_id();
    deposit(story, own, FUNDS, "the treasurer funds the insurer").await?;
    for (payer, plan) in PLANS {
        let request = json!({ "version": 1, "rules": rules(plan) });
        let commit = insurer
            .command(&format!("/v1/plans/{plan}/rules"), &request)
            .await?;
        story.committed(&format!("rules of plan {plan} ({payer})"), &commit)?;
    }
    let mut wanted = BTreeSet::new();
    for patient in &story.patients {
        let payers = &story.person(patient).payers;
        let plans = PLANS.iter().filter(|(payer, _)| payers.contains(*payer));
        wanted.extend(plans.map(|(_, plan)| (patient.insured, *plan)));
        if wanted
            .iter()
            .all(|(insured, _)| *insured != patient.insured)
        {
            // No Claim of theirs names an insurer: covered all the same, from now on.
            wanted.insert((patient.insured, 1));
        }
    }
    let count = wanted.len();
    let done = futures::stream::iter(wanted).map(|(insured, plan)| {
        let insurer = insurer.clone();
        async move {
            let request =
                json!({ "insured": insured, "plan": plan, "from_year": 1900, "until_year": 2100 });
            insurer.command("/v1/coverages", &request).await
        }
    });
    let commits: Vec<client::VerifiedCommit> = done.buffered(AT_ONCE).try_collect().await?;
    for commit in &commits {
        story.keep_receipt(commit)?;
    }
    if let Some(last) = commits.last() {
        story.committed(
            &format!(
                "{count} coverages of {} patients, the last",
                story.patients.len()
            ),
            last,
        )?;
    }
    Ok(())
}

/// A patient pays the own share of a claim on the platform.
pub(in crate::demo) async fn settle(story: &mut Story) -> anyhow::Result<()> {
    story.tally.follow(&story.client).await?;
    ensure!(
        story.tally.adjudicated.len() == story.population.claims,
        "{} of {} claims are adjudicated",
        story.tally.adjudicated.len(),
        story.population.claims
    );
    story.tell(&format!(
        "{} of {} claims are adjudicated, {} pended",
        story.tally.adjudicated.len(),
        story.population.claims,
        story.tally.pended
    ));
    let (patient, claim) = insured_with_share(story).await?;
    let insured = story.patients[patient].insured;
    story.tell(&format!(
        "a claim of {} cents: the insurer paid {}, the patient's share is {}",
        claim.charged, claim.benefit, claim.share
    ));
    let member = story.patients[patient].member.clone();
    let before = balance(&member, insured).await?;
    deposit(story, insured, claim.share, "the patient's bank pays in").await?;
    wait_for("the patient sees the deposit", async || {
        Ok((balance(&member, insured).await? == before + claim.share).then_some(()))
    })
    .await?;
    let commit = member
        .command(&format!("/v1/claims/{}/share", claim.claim.0), &json!({}))
        .await?;
    story.committed("the patient paid the share", &commit)?;
    wait_for("the share has left the patient's account", async || {
        Ok((balance(&member, insured).await? == before).then_some(()))
    })
    .await
}

async fn insured_with_share(story: &Story) -> anyhow::Result<(usize, ClaimSummary)> {
    for (place, patient) in story.patients.iter().enumerate() {
        let page: Page<ClaimSummary> = patient
            .member
            .get("/v1/claims?state=adjudicated&limit=500")
            .await?;
        let found = page
            .entries
            .into_iter()
            .find(|claim| claim.share > 0 && claim.benefit > 0);
        if let Some(claim) = found {
            return Ok((place, claim));
        }
    }
    anyhow::bail!("no patient has a share to pay")
}

/// What an account holds, as its owner is told.
pub(super) async fn balance(member: &client::Member, account: LedgerId) -> anyhow::Result<i64> {
    let balances: Vec<Balance> = member.get("/v1/balances").await?;
    Ok(balances
        .iter()
        .filter(|balance| balance.account == account)
        .map(|balance| balance.balance)
        .sum())
}

/// Money comes in, by the treasurer's signature.
pub(super) async fn deposit(
    story: &Story,
    account: LedgerId,
    amount: i64,
    text: &str,
) -> anyhow::Result<()> {
    let reference = data_encoding::HEXLOWER.encode(&keys::secret::random::<16>());
    let request = json!({ "reference": reference, "account": account, "amount": amount });
    let commit = story.treasurer.command("/v1/deposits", &request).await?;
    story.committed(text, &commit)
}

fn rules(plan: u16) -> Vec<ReimbursementRule> {
    let proportion = match PlanId(plan) {
        PlanId(1) => 8_000,
        PlanId(2) => 8_500,
        _ => 9_500,
    };
    let rule = |category, proportion_basis_points, copay| ReimbursementRule {
        category,
        proportion_basis_points,
        copay,
        benefit_max: 10_000_000,
    };
    vec![
        rule(BenefitCategory::Inpatient, proportion, 5_000),
        rule(BenefitCategory::Outpatient, proportion, 1_000),
        rule(BenefitCategory::Emergency, proportion, 2_000),
        rule(BenefitCategory::Preventive, 10_000, 0),
        rule(BenefitCategory::Pharmacy, 7_000, 500),
        rule(BenefitCategory::Other, 5_000, 0),
    ]
}
