import assert from "node:assert/strict";
import { test } from "node:test";

import { Malformed, fromHex } from "../src/bytes.js";
import { areConsistent, checkpointSigners, readCheckpoint, verifierKey } from "../src/checkpoint.js";
import { readGenesis } from "../src/genesis.js";
import { vectors } from "./support.js";

const { file, chain } = readGenesis(vectors.genesis);

test("checkpoints of the product read, and three replicas' signatures hold", () => {
  for (const { older, newer } of vectors.checkpoints) {
    for (const note of [older, newer]) {
      const checkpoint = readCheckpoint(note);
      assert.deepEqual(checkpoint.chain, chain);
      assert.deepEqual(checkpointSigners(checkpoint, file.epoch), [0, 2, 3]);
    }
  }
});

test("a checkpoint with another size carries nobody's signature", () => {
  const { newer } = vectors.checkpoints[4];
  const [origin, size, ...rest] = newer.split("\n");
  const forged = readCheckpoint([origin, String(Number(size) + 1), ...rest].join("\n"));
  assert.deepEqual(checkpointSigners(forged, file.epoch), []);
});

test("two checkpoints are consistent by their proof and by no other", () => {
  for (const { older, newer, proof } of vectors.checkpoints) {
    const [first, second] = [readCheckpoint(older), readCheckpoint(newer)];
    const path = proof.map((digest) => fromHex(digest));
    assert.ok(areConsistent(first, second, path));
    assert.ok(!areConsistent(first, second, [...path, first.root]));
    if (path.length > 0) {
      const [altered, ...others] = path;
      assert.ok(!areConsistent(first, second, [altered.map((byte) => byte ^ 1), ...others]));
      assert.ok(!areConsistent(first, second, path.slice(1)));
    }
    if (first.size < second.size) assert.ok(!areConsistent(second, first, path));
  }
});

test("a text that is no checkpoint is refused, with the line that is wrong", () => {
  const { newer } = vectors.checkpoints[0];
  const refused = [
    [newer.replace("medshare/", "other/"), /origin/],
    [newer.replace("\n5\n", "\n05\n"), /second line/],
    [newer.replace("\n\n", "\nmore\n\n"), /end after the root/],
    [newer.replace("— ", "- "), /signature line/],
    [newer.slice(0, -1), /not ended/],
  ];
  for (const [text, reason] of refused) {
    assert.throws(() => readCheckpoint(text), (error) => error instanceof Malformed && reason.test(error.message));
  }
});

test("verifier keys have the form of signed note", () => {
  const key = verifierKey("example.org/log", file.epoch.replicas[0].public_key);
  assert.match(key, /^example\.org\/log\+[0-9a-f]{8}\+AQ?[A-Za-z0-9+/]{43}=?$/);
});
