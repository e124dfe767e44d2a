// An institution searches and applies, a hospital approves, and the patient sees it at once on the open page and agrees; the
// institution reads what was released; the permission is ended. [A51, A53-A60, A64-A66, A87-A89, A91]
import { appliedFor, applyForAllFound, approveOne, key, patientsOf, recordsOf } from "../acts.mjs";
import { activate, follow } from "../keyboard.mjs";

export async function play({ accounts, open }) {
  const institute = await open();
  await institute.signInWithKey(key(accounts, "institute"));
  await applyForAllFound(institute, "A study of what helps against chronic sinusitis.");
  await appliedFor(institute);

  // A hospital approves an item of a patient, whose open page shows it without being touched.
  const hospitals = [];
  for (const slug of ["lakeside", "hillcrest"]) {
    const hospital = await open();
    await hospital.signInWithKey(key(accounts, slug));
    hospitals.push(hospital);
  }
  const { patient, before } = await approvedFor(accounts, open, hospitals);
  await patient.page.waitForFunction((count) => document.querySelectorAll("#requests .medshare-list > li").length > count, before, { timeout: 10_000 });
  await patient.look("a request came in");
  await follow(patient.page.locator("#requests .medshare-list a").first());
  await patient.page.getByText("If you agree").waitFor();
  await patient.look();
  await patient.press("Agree and share");
  await patient.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await patient.look("agreed");

  await institute.go("/research/released");
  await institute.page.locator("#released .medshare-list > li").first().waitFor({ timeout: 30_000 });
  await institute.look("released");
  await institute.press("Read", institute.page.locator("main"));
  await institute.page.waitForURL(/\/sign\//, { timeout: 30_000 });
  await institute.press("Sign and submit");
  await institute.page.waitForURL(/\/research\/released\//, { timeout: 30_000 });
  await institute.page.getByText("exactly what the hospital committed to").waitFor({ timeout: 30_000 });
  await institute.page.getByRole("heading", { name: "Conditions" }).waitFor();
  await institute.look("opened");
  await activate(institute.page.locator("summary", { hasText: "As a file (FHIR)" }));
  await institute.page.getByText('"entry"').waitFor();
  await institute.go("/account");

  await patient.go("/history");
  await follow(patient.page.locator("#history .medshare-list a").first());
  await patient.look();
  await follow(patient.page.getByRole("button", { name: "End this permission" }));
  await patient.look();
  await patient.press("End this permission");
  await patient.page.getByText("Done", { exact: true }).waitFor({ timeout: 30_000 });
  await patient.go("/account");
}

/** A patient with a record among those found that a hospital approves, the own page of requests open, and how many were on it. */
async function approvedFor(accounts, open, hospitals) {
  for (const account of patientsOf(accounts)) {
    const patient = await open();
    await patient.signIn(account);
    const own = await recordsOf(patient);
    await patient.go("/requests");
    const before = await patient.page.locator("#requests .medshare-list > li").count();
    for (const hospital of hospitals) {
      if (await approveOne(hospital, own)) return { patient, before };
    }
  }
  throw new Error("not so: a patient has a record among those found");
}
