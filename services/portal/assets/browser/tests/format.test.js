import assert from "node:assert/strict";
import { test } from "node:test";

import { Malformed, fromBase64, fromBase64Url, fromHex, toBase64Url, toHex, utf8 } from "../src/bytes.js";
import { headerHash } from "../src/certificate.js";
import { commitmentOpens, tagged, treeRoot, verifyInclusion } from "../src/digest.js";
import { CertifiedBlock, Header, OutcomeLeaf, SCHEMA, SignedTransaction, TransactionBody } from "../src/format.js";
import { readGenesis } from "../src/genesis.js";
import { parseJson } from "../src/json.js";
import { decode, encode, parseSchema } from "../src/schema.js";
import { golden, schemaText } from "./support.js";

test("the schema is the one that the documentation prints", () => {
  assert.ok(SCHEMA === schemaText, "run node browser/generate.mjs");
});

test("the golden values come out of the golden bytes", () => {
  const genesisJson = new TextDecoder().decode(fromHex(golden.genesis_json));
  assert.equal(toHex(readGenesis(genesisJson).chain), golden.chain_id);
  const transaction = decode(SignedTransaction, fromHex(golden.transaction));
  assert.equal(toHex(tagged("medshare/transaction/v1", encode(TransactionBody, transaction.body))), golden.transaction_id);
  assert.equal(toHex(tagged("medshare/wire/v1", fromHex(golden.transaction))), golden.transaction_wire_digest);
  const leaf = decode(OutcomeLeaf, fromHex(golden.accepted_leaf));
  assert.equal(leaf.outcome.variant, "Accepted");
  assert.equal(toHex(tagged("medshare/outcome/v1", fromHex(golden.accepted_leaf))), golden.accepted_leaf_hash);
  assert.deepEqual(decode(OutcomeLeaf, fromHex(golden.rejected_leaf)).outcome.value, { contract: 2, code: 9 });
  assert.equal(toHex(headerHash(decode(Header, fromHex(golden.header)))), golden.header_hash);
});

test("a stored block decodes, and its trees give the roots in its header", () => {
  const segment = fromHex(golden.segment);
  const length = new DataView(segment.buffer).getUint32(8, true);
  const rest = segment.subarray(16 + length);
  const second = new DataView(rest.buffer, rest.byteOffset).getUint32(0, true);
  const { block } = decode(CertifiedBlock, rest.subarray(8, 8 + second));
  const wires = block.transactions.map((transaction) => tagged("medshare/wire/v1", encode(SignedTransaction, transaction)));
  const leaves = block.outcomes.map((leaf) => tagged("medshare/outcome/v1", encode(OutcomeLeaf, leaf)));
  assert.equal(toHex(treeRoot(wires)), toHex(block.header.transaction_root));
  assert.equal(toHex(treeRoot(leaves)), toHex(block.header.outcome_root));
});

test("commitments of both algorithms open with their salt and parts and with nothing else", () => {
  const salt = new Uint8Array(32).fill(0x22);
  for (const name of ["commitment_sha_256", "commitment_sha_512_256"]) {
    const [algorithm, ...value] = fromHex(golden[name]);
    const commitment = { algorithm, value: Uint8Array.from(value) };
    assert.ok(commitmentOpens(commitment, salt, [utf8("part"), utf8("")]));
    assert.ok(!commitmentOpens(commitment, salt, [utf8("par"), utf8("t")]));
    assert.ok(!commitmentOpens({ ...commitment, algorithm: 3 }, salt, [utf8("part"), utf8("")]));
  }
});

test("numbers are read in their shortest form only", () => {
  const type = parseSchema("type Small = u16 type Large = u64 type Signed = i64 type Truth = bool? type Text = string");
  assert.equal(decode(type("Small"), fromHex("05")), 5);
  for (const refused of ["8500", "ffff04", "80", "0505", ""]) {
    assert.throws(() => decode(type("Small"), fromHex(refused)), Malformed, refused);
  }
  assert.equal(decode(type("Large"), fromHex("ffffffffffffffffff01")), 2n ** 64n - 1n);
  assert.throws(() => decode(type("Large"), fromHex("ffffffffffffffffff02")), Malformed);
  for (const [bytes, value] of [["00", 0n], ["01", -1n], ["02", 1n], ["ffffffffffffffffff01", -(2n ** 63n)]]) {
    assert.equal(decode(type("Signed"), fromHex(bytes)), value);
    assert.equal(toHex(encode(type("Signed"), value)), bytes);
  }
  assert.equal(decode(type("Truth"), fromHex("0101")), true);
  for (const refused of ["0102", "02", "0000"]) assert.throws(() => decode(type("Truth"), fromHex(refused)), Malformed);
  assert.throws(() => decode(type("Text"), fromHex("02c328")), Malformed);
});

test("a list that claims more items than there are bytes is refused at once", () => {
  const type = parseSchema("type Many = [bytes32]");
  assert.throws(() => decode(type("Many"), fromHex("ffffffffffffffff7f")), Malformed);
});

test("base64 is taken in its one form only", () => {
  assert.equal(toBase64Url(fromBase64Url("-_8")), "-_8");
  for (const refused of ["-_9", "-_8=", "+/8", " -_8", "a"]) assert.throws(() => fromBase64Url(refused), Malformed, refused);
  assert.throws(() => fromBase64("/+8"), Malformed);
});

test("integers of JSON keep all their digits, and texts that look like them stay texts", () => {
  assert.deepEqual(parseJson('{"a": 18446744073709551615, "b": ["7", "#8", "\\"9"], "c": null}'), {
    a: { number: "18446744073709551615" },
    b: ["7", "#8", '"9'],
    c: null,
  });
  assert.throws(() => parseJson("{1}"), Malformed);
});

test("every inclusion path of every small tree verifies, and none for another place", () => {
  for (let size = 1; size <= 9; size += 1) {
    const leaves = Array.from({ length: size }, (_, at) => Uint8Array.of(at));
    const root = treeRoot(leaves);
    for (let index = 0; index < size; index += 1) {
      const proof = path(leaves, index);
      for (let place = 0; place < size; place += 1) {
        assert.equal(verifyInclusion(root, size, place, leaves[index], proof), place === index);
      }
      assert.ok(!verifyInclusion(root, size, index, leaves[index], [...proof, root]));
    }
  }
});

/** PATH(m, D) of RFC 9162, 2.1.3.1, as it is written there. */
function path(leaves, index) {
  if (leaves.length === 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...path(left, index), treeRoot(right)] : [...path(right, index - split), treeRoot(left)];
}
