// Signing in more safely: an authenticator app and its recovery codes, a passkey of a virtual authenticator, another password,
// and showing again who one is. [A24]
import { createHmac } from "node:crypto";
import { expect } from "../browser.mjs";
import { activate, enter, follow } from "../keyboard.mjs";

export async function play({ accounts, size, open }) {
  const patients = accounts.people.filter((person) => person.login.startsWith("patient-"));
  const account = patients[size === "phone" ? 7 : 8];
  // Browsers bind passkeys to names, and take no address for one.
  const window = await open("en-GB", accounts.portal.replace("127.0.0.1", "localhost"));
  window.mistakes = true;
  await window.signIn(account);
  const codes = await authenticatorApp(window, account);
  await passkey(window, account, codes);
  await password(window, account, codes);
  await window.go("/step-up?next=/account");
  await enter(window.page.getByLabel("Present password"), account.password);
  await enter(window.page.getByLabel("Code of the app"), codes.pop());
  await window.press("Confirm", window.page.locator("main"));
  expect(window.page.url().endsWith("/account"), "who shows again who they are goes on where they were");
  await switchOff(window, account, codes);
}

/** Sets an app up; the password alone opens nothing from then on. */
async function authenticatorApp(window, account) {
  const { page } = window;
  await window.go("/settings");
  await follow(page.getByRole("link", { name: "How you sign in" }));
  await window.look();
  await follow(page.getByRole("link", { name: "Set up an authenticator app" }));
  await window.look();
  await enter(page.getByLabel("Present password"), "not the password");
  await window.press("Set up", page.locator("main"));
  await page.getByText("This is not your password").first().waitFor();
  await window.look("wrong password");
  await enter(page.getByLabel("Present password"), account.password);
  await window.press("Set up", page.locator("main"));
  await window.look("secret");
  const secret = await page.locator(".medshare-number").first().innerText();
  const link = await page.getByRole("link", { name: "Open in an app" }).getAttribute("href");
  expect(link.startsWith("otpauth://totp/") && link.includes(secret), "the link holds the secret");
  await enter(page.getByLabel("Present password"), account.password);
  await enter(page.getByLabel("Code that the app shows"), totp(secret));
  await window.press("Switch it on", page.locator("main"));
  await window.look("recovery codes");
  const codes = await page.locator(".medshare-number").allInnerTexts();
  expect(codes.length === 10, "ten recovery codes");
  await follow(page.getByRole("button", { name: "Go on" }));
  await page.getByText("10 left").waitFor();
  await window.press("Sign out");

  await signInWith(window, account, "");
  await page.getByText("the code that your app shows").first().waitFor();
  await window.look("code needed");
  await signInWith(window, account, "000000");
  await page.getByText("The code is wrong or was used before").first().waitFor();
  const used = codes.pop();
  await signInWith(window, account, used);
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
  await window.press("Sign out");
  await signInWith(window, account, used);
  await page.getByText("The code is wrong or was used before").first().waitFor();
  await signInWith(window, account, codes.pop());
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
  return codes;
}

async function signInWith(window, account, code) {
  const { page } = window;
  await page.goto(new URL("/sign-in", window.portal).href);
  await enter(page.getByLabel("User name"), account.login);
  await enter(page.getByLabel("Password", { exact: true }), account.password);
  await enter(page.getByLabel("Code of the app"), code);
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.keyboard.press("Enter")]);
}

/** A passkey is added, signs in without password and code, and not when the device has not verified its user. */
async function passkey(window, account, codes) {
  const { page } = window;
  const devices = await window.context.newCDPSession(page);
  await devices.send("WebAuthn.enable");
  const { authenticatorId } = await devices.send("WebAuthn.addVirtualAuthenticator", { options: {
    protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true,
    isUserVerified: true, automaticPresenceSimulation: true, hasPrf: true,
  } });
  await window.go("/factors");
  await follow(page.getByRole("link", { name: "Passkeys" }));
  await window.look();
  await enter(page.getByLabel("Name of this passkey"), "Key of the test");
  await enter(page.getByLabel("Present password"), "not the password");
  await enter(page.getByLabel("Code of the app"), "000000");
  await activate(page.getByRole("button", { name: "Add a passkey" }));
  await page.getByText("This is not your password").waitFor();
  await enter(page.getByLabel("Present password"), account.password);
  await enter(page.getByLabel("Code of the app"), codes.pop());
  await activate(page.getByRole("button", { name: "Add a passkey" }));
  await page.getByText("Your passkeys are changed").waitFor({ timeout: 30_000 });
  await page.getByRole("heading", { name: "Key of the test" }).waitFor();
  await window.look("added");
  await window.press("Sign out");

  await window.go("/sign-in");
  await activate(page.getByRole("button", { name: "Sign in with a passkey" }));
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"), { timeout: 30_000 });
  // The keys that the passkey opened sign: a view of a record is committed.
  await window.go("/records");
  await activate(page.locator("main").getByRole("button", { name: "Open" }).first());
  await page.waitForFunction(() => location.pathname.startsWith("/records/viewed/"), null, { timeout: 60_000 });

  await window.go("/factors/passkeys");
  await page.getByText("last used").waitFor();
  await enter(page.locator("#password-again"), account.password);
  await enter(page.locator("#code-again"), codes.pop());
  await window.press("Remove a passkey", page.locator("main"));
  await page.getByText("Your passkeys are changed").waitFor();
  expect((await page.getByRole("heading", { name: "Key of the test" }).count()) === 0, "the passkey is gone");
  // A key that was removed opens nothing.
  await window.press("Sign out");
  await window.go("/sign-in");
  await activate(page.getByRole("button", { name: "Sign in with a passkey" }));
  await page.getByText("This passkey does not sign you in").first().waitFor({ timeout: 30_000 });
  expect(new URL(page.url()).pathname.startsWith("/sign-in"), "one stays on the sign-in page");
  await window.look("passkey refused");
  // Nor does a device that has not verified its user; it is not asked again (the device locks itself).
  await window.go("/sign-in");
  await devices.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await activate(page.getByRole("button", { name: "Sign in with a passkey" }));
  await page.locator("form[data-passkey] [data-problem]", { hasText: "did not confirm" }).waitFor();
  await window.look("not verified");
  await signInWith(window, account, codes.pop());
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
}

/** Another password, and the old one again; one that is easily guessed is refused. */
async function password(window, account, codes) {
  const { page } = window;
  const change = async (from, to) => {
    await window.go("/factors/password");
    await enter(page.getByLabel("Present password"), from);
    await enter(page.getByLabel("New password"), to);
    await enter(page.getByLabel("Code of the app"), codes.at(-1));
    await window.press("Change your password", page.locator("main"));
  };
  await change(account.password, "password1234");
  await page.getByText("Too short or too easily guessed").first().waitFor();
  await window.look("easy password");
  await change(account.password, "another phrase, not so short");
  await page.getByText("It is changed").waitFor();
  codes.pop();
  await change("another phrase, not so short", account.password);
  await page.getByText("It is changed").waitFor();
  codes.pop();
}

async function switchOff(window, account, codes) {
  const { page } = window;
  await window.go("/factors/app");
  await enter(page.getByLabel("Present password"), account.password);
  await enter(page.getByLabel("Code of the app"), codes.pop());
  await window.press("Switch the app off", page.locator("main"));
  await page.getByText("the password alone signs you in").waitFor();
}

/** The code of now (RFC 6238). */
function totp(secret) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let bits = "";
  for (const letter of secret) bits += alphabet.indexOf(letter).toString(2).padStart(5, "0");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac("sha1", key).update(step).digest();
  const place = mac[19] & 15;
  return String((mac.readUInt32BE(place) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
