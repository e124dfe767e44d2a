// The library as pages use it: members are named by their ledger id, bytes are text as everywhere on the web (ids and
// digests hex, other bytes base64url), keys never appear.

import { Malformed, fromBase64Url, fromHex, toBase64Url } from "./src/bytes.js";
import { openReleased as open, openViewerName as openName } from "./src/delivery.js";
import * as keyring from "./src/keyring.js";
import { inspectPrepared } from "./src/member_key.js";

export { NotAsCommitted } from "./src/delivery.js";
export { NotSigned } from "./src/member_key.js";
export { DoesNotOpen } from "./src/seal.js";
export { receiptBytes, verifyReceipt } from "./src/receipt.js";
export { inspectPrepared };

/** How many item keys are tried for one that this browser did not give out itself. */
const ITEM_KEYS_TRIED = 2048;

/** Imports the text of a member.json; gives the member's ledger id. */
export async function importMember(text) {
  return (await keyring.importMember(text)).ledgerId;
}

/** The ledger ids of all members whose keys this browser holds. */
export async function members() {
  return (await keyring.members()).map((member) => member.ledgerId);
}

/** Removes a member's keys from this browser. */
export function forget(ledgerId) {
  return keyring.forget(ledgerId);
}

async function held(ledgerId) {
  const member = await keyring.member(ledgerId);
  if (!member) throw new Malformed("this member's keys are not in this browser");
  return member;
}

/** The signature over a sign-in challenge. */
export async function signChallenge(ledgerId, challenge) {
  return toBase64Url(await (await held(ledgerId)).signChallenge(fromBase64Url(challenge)));
}

/**
 * The signature of a prepared command {transaction, unsigned}, if its bytes are what is meant: for this member, this
 * chain, this contract (`authorization`) and this command (`WithdrawGrant`).
 */
export async function signPrepared(ledgerId, prepared, { chain, contract, command }) {
  const member = await held(ledgerId);
  return toBase64Url(await member.signPrepared(prepared, fromHex(chain, 32), { contract, name: command }));
}

/** Public halves of `count` item keys that were never given out by this browser. */
export async function newItemKeys(ledgerId, count) {
  const member = await held(ledgerId);
  const first = await keyring.reserveItemNumbers(ledgerId, count);
  const numbers = Array.from({ length: count }, (_, at) => first + at);
  const made = await Promise.all(numbers.map((number) => member.itemKey(number)));
  return made.map(({ publicKey }) => toBase64Url(publicKey));
}

/**
 * Opens a released record with the key of its item, and checks it against its commitment; gives its text.
 *
 * `released`: application (hex), index, itemKey (its public half), sealedKey, ciphertext, and release {algorithm: number,
 * value: hex}.
 */
export async function openReleased(ledgerId, released) {
  const member = await held(ledgerId);
  const keyPair = await member.findItemKey(fromBase64Url(released.itemKey), ITEM_KEYS_TRIED);
  if (!keyPair) throw new Malformed("this member's keys do not open this item: it was applied for with another key");
  const content = await open(keyPair, {
    application: fromHex(released.application, 16),
    index: released.index,
    sealedKey: fromBase64Url(released.sealedKey),
    ciphertext: fromBase64Url(released.ciphertext),
    release: { algorithm: released.release.algorithm, value: fromHex(released.release.value, 32) },
  });
  return new TextDecoder("utf-8", { fatal: true }).decode(content);
}

/** The viewer's name in a view's trace, for the patient or the regulator. */
export async function openViewerName(ledgerId, sealed) {
  return openName((await held(ledgerId)).stored.sealing, fromBase64Url(sealed));
}
