import assert from "node:assert/strict";
import { test } from "node:test";

import { Malformed, fromHex, toHex, utf8 } from "../src/bytes.js";
import { readGenesis } from "../src/genesis.js";
import { receiptBytes, verifyFile, verifyReceipt } from "../src/receipt.js";
import { isWeakKey, verifySignature } from "../src/signature.js";
import { vectors } from "./support.js";

const { genesis } = vectors;

test("receipts of the product verify, as files and as bare bytes", () => {
  for (const { name, bytes, file } of vectors.receipts) {
    assert.equal(toHex(receiptBytes(file)), bytes, name);
    assert.equal(toHex(receiptBytes(fromHex(bytes))), bytes, name);
    const { holds, steps, says } = verifyReceipt(fromHex(bytes), genesis);
    assert.ok(holds, `${name}: ${JSON.stringify(steps)}`);
    assert.equal(says.chain, vectors.chain);
    assert.ok(steps.every((step) => step.state === "held"));
    const { summary } = JSON.parse(file);
    assert.equal(says.transaction, summary.transaction);
    assert.equal(says.block, summary.block);
    assert.equal(Number(says.height), summary.height);
    assert.equal(says.accepted, summary.outcome === "accepted");
  }
});

test("every forgery is refused under the number that the product gives it", () => {
  for (const { name, bytes, number, reason } of vectors.forgeries) {
    const { holds, steps, says } = verifyReceipt(fromHex(bytes), genesis);
    assert.equal(holds, false, name);
    assert.equal(says, null, name);
    const failed = steps.find((step) => step.state === "failed");
    assert.equal(failed.number, number, `${name}: ${failed.detail}, where the product says: ${reason}`);
  }
});

test("a file that is no receipt says what is wrong with it, in the step that fails", () => {
  const failing = (content) => verifyFile(content, genesis).steps.find((step) => step.state === "failed");
  assert.deepEqual([failing('{"medshare_receipt": 2}').key, failing('{"medshare_receipt": 2}').detail], ["encoding", "medshare_receipt is 2, this page reads 1"]);
  assert.equal(failing('{"medshare_receipt": 1}').detail, "the receipt file has no bytes");
  assert.ok(verifyFile(vectors.receipts[0].file, genesis).holds);
});

test("a receipt with any one byte flipped is refused", () => {
  const read = readGenesis(genesis);
  for (const { name, bytes } of vectors.receipts) {
    const good = fromHex(bytes);
    for (let at = 0; at < good.length; at += 1) {
      const forged = good.slice();
      forged[at] ^= 1;
      assert.equal(verifyReceipt(forged, read).holds, false, `${name}, byte ${at}`);
    }
  }
});

test("a receipt cut short or followed by bytes is refused", () => {
  const good = fromHex(vectors.receipts[0].bytes);
  for (let length = 0; length < good.length; length += 1) assert.equal(verifyReceipt(good.subarray(0, length), genesis).holds, false);
  assert.equal(verifyReceipt(Uint8Array.of(...good, 0), genesis).holds, false);
});

test("a genesis file with another key, name or parameter accepts no receipt of the chain", () => {
  const good = fromHex(vectors.receipts[0].bytes);
  const altered = [
    ["Example consortium", "Example Consortium"],
    ['"price_minor": -5', '"price_minor": -6'],
    ['"replica": 3', '"replica": 4'],
  ];
  for (const [from, to] of altered) {
    const text = genesis.replace(from, to);
    assert.notEqual(text, genesis);
    assert.equal(verifyReceipt(good, text).holds, false, to);
  }
});

test("a genesis file with a field too much, too little or a weak key is refused", () => {
  const file = JSON.parse(genesis);
  const refused = (change) => {
    const copy = structuredClone(file);
    change(copy);
    assert.throws(() => readGenesis(JSON.stringify(copy)), Malformed);
  };
  refused((copy) => (copy.extra = 1));
  refused((copy) => delete copy.time);
  refused((copy) => (copy.time = 1.5));
  refused((copy) => (copy.epoch.first_height = 1));
  refused((copy) => copy.members.push(copy.members[0]));
  refused((copy) => (copy.epoch.replicas[0].public_key = "00".repeat(32)));
  refused((copy) => (copy.epoch.replicas[1] = copy.epoch.replicas[0]));
  refused((copy) => (copy.epoch.replicas = []));
});

test("signatures are judged as the replicas judge them (ZIP 215)", () => {
  for (const { public_key, signature, holds, weak } of vectors.signatures) {
    const found = verifySignature(fromHex(public_key), "medshare/example/v1", utf8("message"), fromHex(signature));
    assert.equal(found, holds, `${public_key} ${signature}`);
    assert.equal(isWeakKey(fromHex(public_key)), weak, public_key);
  }
});
