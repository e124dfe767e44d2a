// A stranger sees what this is, in their language, and registers; wrong input is said at the field. [A86, A87]
import { expect } from "../browser.mjs";
import { enter } from "../keyboard.mjs";

export async function play({ open, size }) {
  const window = await open();
  const { page } = window;
  await window.go("/");
  expect((await page.getAttribute("html", "lang")) === "en", "English for an English browser");
  await window.press("中文");
  await page.waitForSelector('html[lang="zh-Hans"]');
  await window.look("chinese");
  await window.press("English");
  await window.go("/records");
  expect(page.url().includes("/sign-in"), "a stranger is asked to sign in");
  window.mistakes = true;
  await window.press("Sign in", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await window.look("empty sign-in");
  await enter(page.getByLabel("User name"), "nobody");
  await enter(page.getByLabel("Password", { exact: true }), "wrong password");
  await page.keyboard.press("Enter");
  await page.getByText("do not belong together").first().waitFor();
  await window.go("/register");
  await window.press("Register", page.locator("main"));
  await page.waitForSelector(".nhsuk-error-summary");
  await window.look("empty registration");
  const login = `newcomer-${size}-${Date.now()}`;
  await enter(page.getByLabel("Full name"), "Nora Newcomer");
  await enter(page.getByLabel("Number of your identity document"), login);
  await enter(page.getByLabel("Choose a user name"), login);
  await enter(page.getByLabel("Choose a password"), "correct horse battery");
  await page.keyboard.press("Enter");
  await page.getByText("You are registered").waitFor({ timeout: 30_000 });
  await window.look("registered");
  await window.go("/nowhere");
  expect((await page.title()).startsWith("Page not found"), "a page for what is not there");

  const chinese = await open("zh-CN");
  await chinese.go("/");
  expect((await chinese.page.getAttribute("html", "lang")) === "zh-Hans", "Chinese for a Chinese browser");
  const answer = await chinese.page.request.get(chinese.portal);
  const policy = answer.headers()["content-security-policy"];
  expect(policy.includes("default-src 'none'") && !policy.includes("unsafe"), "a strict content security policy");
}
