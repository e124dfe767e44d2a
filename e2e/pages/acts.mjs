// What several stories do on their way.
import { expect } from "./browser.mjs";
import { choose, enter } from "./keyboard.mjs";

/** The key file of an organisation. */
export const key = (accounts, slug, file = "member.json") => accounts.keys.find((name) => name.endsWith(`/${slug}/${file}`));

/** The patients, each once; the first has records at both hospitals. */
export function patientsOf(accounts) {
  const patients = accounts.people.filter((person) => person.role === "Patient");
  return [...new Map(patients.map((person) => [person.login, person])).values()];
}

/** Numbers of the records that the patient who is signed in finds among their own. */
export async function recordsOf(patient) {
  const own = new Set();
  for (let path = "/records"; path && own.size <= 200; ) {
    await patient.page.goto(new URL(path, patient.portal).href);
    for (const value of await patient.page.locator("input[name=record]").evaluateAll((all) => all.map((one) => one.value))) own.add(value);
    path = await patient.page.getByRole("button", { name: "Show more" }).getAttribute("href", { timeout: 500 }).catch(() => null);
  }
  return own;
}

/** The institution that is signed in searches, and applies for every record found: up to the answer to its signature. */
export async function applyForAllFound(institute, statement, price = "1.00") {
  const { page } = institute;
  await institute.go("/research/search");
  await enter(page.getByLabel("Disease"), "40055000");
  await institute.press("Search", page.locator("main"));
  await page.getByText("Patients found").waitFor();
  await institute.look("found");
  for (const box of await page.locator("input[name=handles]").all()) await choose(box);
  await institute.press("Apply for the chosen records");
  await enter(page.getByLabel("Say in plain words what for"), statement);
  await enter(page.getByLabel("Offered to the patient for each record"), price);
  await institute.look("basket");
  await institute.press("Apply", page.locator("main"));
  await page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await institute.look();
  await institute.press("Sign and submit");
}

/** What was applied for is on the list. */
export async function appliedFor(institute) {
  await institute.page.waitForURL(/\/research\/applications/, { timeout: 30_000 });
  await institute.look();
}

/** The treasury records money that came in for an account. */
export async function payIn(treasury, account, amount) {
  const { page } = treasury;
  await treasury.go("/treasury");
  treasury.mistakes = true;
  await treasury.press("Deposit", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await treasury.look("nothing entered");
  treasury.mistakes = false;
  await enter(page.getByLabel("Bank reference"), crypto.randomUUID().replaceAll("-", ""));
  await enter(page.getByLabel("Account's ledger id"), account);
  await enter(page.getByLabel("Amount"), amount);
  await treasury.press("Deposit", page.locator("main"));
  await page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await treasury.press("Sign and submit");
  await page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await treasury.look("paid in");
}

/** Paths of the newest requests that wait for the hospital and are for one of these records. */
export async function waitingFor(hospital, own) {
  const { page } = hospital;
  await page.goto(new URL("/hospital/requests", hospital.portal).href);
  const links = await page.locator("#requests .medshare-list a").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  const found = [];
  for (const link of links) {
    await page.goto(new URL(link, hospital.portal).href);
    const text = await page.locator("main").innerText();
    if ([...own].some((number) => text.includes(number))) found.push(link);
  }
  return found;
}

/** The hospital approves one of the requests for these records; gives its path, or none where it can approve none. */
export async function approveOne(hospital, own) {
  const { page } = hospital;
  for (const link of await waitingFor(hospital, own)) {
    await hospital.go(link);
    // The demo has edited one record behind the ledger's back: that one is not given away.
    hospital.mistakes = true;
    await hospital.press("Approve", page.locator("main"));
    hospital.mistakes = false;
    const approved = (await page.getByText("Done", { exact: true }).count()) > 0;
    await hospital.look(approved ? "approved" : "not approved");
    if (!approved) await page.getByRole("heading", { name: "The record was altered" }).waitFor({ timeout: 1_000 });
    if (approved) return link;
  }
  return undefined;
}

/** Names a guardian of the patient who is signed in, at a hospital of theirs. */
export async function nameGuardian(patient, { hospital, id, name, scope }) {
  const { page } = patient;
  await patient.go("/guardians/name");
  await fillGuardian(page, { hospital, id, name, scope });
  await patient.press("Name a guardian", page.locator("main"));
  await page.getByText("They are named").waitFor({ timeout: 60_000 });
  expect((await page.getByText(name).count()) > 0, "the guardian is listed");
}

/** What is entered to name a guardian. */
export async function fillGuardian(page, { hospital, id, name, scope }) {
  await enter(page.getByLabel("Their patient ID"), id);
  await enter(page.getByLabel("Their name"), name);
  await choose(page.getByRole("group", { name: "For your records at" }).getByLabel(hospital));
  await choose(page.getByLabel(scope, { exact: true }));
  await choose(page.getByLabel("30 days"));
}

/** The guardian's link to what they may do for somebody at a hospital; the endorsement of their ledger id comes by itself. */
export async function linkOf(guardian, hospital, name) {
  const { page } = guardian;
  const link = page.locator(".medshare-list > li").filter({ hasText: hospital }).getByRole("link", { name }).first();
  await page.goto(new URL("/guardians", guardian.portal).href);
  for (let tries = 0; (await link.count()) === 0; tries += 1) {
    expect(tries < 100, "the guardian may act");
    await page.waitForTimeout(300);
    await page.goto(new URL("/guardians", guardian.portal).href);
  }
  return link;
}
