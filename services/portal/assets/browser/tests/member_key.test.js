import assert from "node:assert/strict";
import { test } from "node:test";

import { Malformed, fromHex, toHex } from "../src/bytes.js";
import { NotAsCommitted, openReleased, openViewerName } from "../src/delivery.js";
import { MemberKey, NotSigned, inspectPrepared, readMemberFile } from "../src/member_key.js";
import { DoesNotOpen, sealingKeyPair } from "../src/seal.js";
import { vectors } from "./support.js";

const { member, prepared, released, viewer_name } = vectors;
const chain = fromHex(vectors.chain);
const WITHDRAW = { contract: "authorization", name: "WithdrawGrant" };

async function imported() {
  const { ledgerId, seed } = readMemberFile(member.file);
  return MemberKey.fromSeed(ledgerId, seed);
}

test("a member's file gives the keys that the product derives, and the seed is overwritten", async () => {
  const { ledgerId, seed } = readMemberFile(member.file);
  const key = await MemberKey.fromSeed(ledgerId, seed);
  assert.equal(key.ledgerId, member.ledger_id);
  assert.equal(key.publicKey, member.public_key);
  assert.equal(toHex(key.sealingPublicKey), member.sealing_public_key);
  assert.ok(seed.every((byte) => byte === 0));
});

test("nothing secret of an imported member can be read out", async () => {
  const { stored } = await imported();
  for (const key of [stored.signing, stored.sealing.privateKey, stored.items]) {
    assert.equal(key.extractable, false);
    await assert.rejects(crypto.subtle.exportKey(key.algorithm.name === "HKDF" ? "raw" : "pkcs8", key));
  }
});

test("a file that is no member's key is refused", () => {
  for (const text of ["", "[]", "{}", '{"ledger_id":"00","seed":"00"}', member.file.replace("seed", "sead")]) {
    assert.throws(() => readMemberFile(text), Malformed, text);
  }
});

test("the sign-in challenge is signed as the product signs it", async () => {
  const key = await imported();
  assert.equal(toHex(await key.signChallenge(fromHex(member.challenge))), member.challenge_signature);
});

test("a prepared command is signed as the product signs it, once it is the one that is meant", async () => {
  const key = await imported();
  const { command } = inspectPrepared(prepared);
  assert.deepEqual(command, { ...WITHDRAW, fields: { grant: "ab".repeat(16) } });
  assert.equal(toHex(await key.signPrepared(prepared, chain, WITHDRAW)), prepared.signature);
});

test("a prepared command of another member, chain, id or kind is not signed", async () => {
  const key = await imported();
  const other = await MemberKey.fromSeed(fromHex("01".repeat(16)), new Uint8Array(32).fill(8));
  await assert.rejects(other.signPrepared(prepared, chain, WITHDRAW), NotSigned);
  await assert.rejects(key.signPrepared(prepared, new Uint8Array(32), WITHDRAW), NotSigned);
  await assert.rejects(key.signPrepared({ ...prepared, transaction: "00".repeat(32) }, chain, WITHDRAW), NotSigned);
  await assert.rejects(key.signPrepared(prepared, chain, { ...WITHDRAW, name: "WithdrawItem" }), NotSigned);
  await assert.rejects(key.signPrepared({ ...prepared, unsigned: `${prepared.unsigned}AA` }, chain, WITHDRAW));
});

const delivered = {
  application: fromHex(released.application),
  index: released.index,
  sealedKey: fromHex(released.sealed_key),
  ciphertext: fromHex(released.ciphertext),
  release: { algorithm: released.release_algorithm, value: fromHex(released.release) },
};
const itemKey = () => sealingKeyPair(fromHex(released.item_secret), fromHex(released.item_public_key));

test("a released record opens with the item's key and is what the ledger committed to", async () => {
  assert.equal(toHex(await openReleased(await itemKey(), delivered)), released.content);
});

test("a released record opens for no other item, key or altered byte, and not against another commitment", async () => {
  const key = await itemKey();
  await assert.rejects(openReleased(key, { ...delivered, index: released.index + 1 }), DoesNotOpen);
  const other = await sealingKeyPair(fromHex(viewer_name.regulator_secret), fromHex(viewer_name.regulator_public_key));
  await assert.rejects(openReleased(other, delivered), DoesNotOpen);
  for (const name of ["sealedKey", "ciphertext"]) {
    for (let at = 0; at < delivered[name].length; at += 1) {
      const altered = delivered[name].slice();
      altered[at] ^= 1;
      await assert.rejects(openReleased(key, { ...delivered, [name]: altered }), DoesNotOpen, `${name}, byte ${at}`);
    }
  }
  const value = delivered.release.value.map((byte) => byte ^ 1);
  await assert.rejects(openReleased(key, { ...delivered, release: { ...delivered.release, value } }), NotAsCommitted);
});

test("the viewer's name opens for the patient and the regulator", async () => {
  const patient = (await imported()).stored.sealing;
  const regulator = await sealingKeyPair(fromHex(viewer_name.regulator_secret), fromHex(viewer_name.regulator_public_key));
  const sealed = fromHex(viewer_name.sealed);
  assert.equal(await openViewerName(patient, sealed), viewer_name.name);
  assert.equal(await openViewerName(regulator, sealed), viewer_name.name);
  await assert.rejects(openViewerName(await itemKey(), sealed), DoesNotOpen);
});

test("item keys come again from the member's seed, each another one", async () => {
  const [one, again] = [await imported(), await imported()];
  const [first, second] = [await one.itemKey(0), await one.itemKey(1)];
  assert.notEqual(toHex(first.publicKey), toHex(second.publicKey));
  assert.equal(toHex((await again.itemKey(1)).publicKey), toHex(second.publicKey));
  assert.ok(await again.findItemKey(second.publicKey, 2));
  assert.equal(await again.findItemKey(second.publicKey, 1), null);
});
