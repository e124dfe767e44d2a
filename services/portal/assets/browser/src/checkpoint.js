// Checkpoints of the history log (C2SP tlog-checkpoint, signed note) and what connects two of them.

import { sha256 } from "@noble/hashes/sha2.js";

import { Malformed, concat, equal, fromBase64, fromHex, toBase64, toHex, utf8 } from "./bytes.js";
import { verifyConsistency } from "./digest.js";
import { verifyPlain } from "./signature.js";

const SIGNATURE_LINE = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u;
const ED25519 = 1;

/** Reads a note: {chain, size, root, text, lines}; lines are {name, keyId, signature}. Checks no signature. */
export function readCheckpoint(note) {
  const end = note.indexOf("\n\n");
  if (end < 0) throw new Malformed("a checkpoint has an empty line between text and signatures");
  const text = note.slice(0, end + 1);
  const [origin, size, root, ...rest] = text.split("\n");
  if (!/^medshare\/[0-9a-f]{64}$/.test(origin)) throw new Malformed("the origin line is not medshare/<chain id>");
  if (!/^(0|[1-9][0-9]*)$/.test(size)) throw new Malformed("the second line is not the size of the log");
  if (rest.length !== 1 || rest[0] !== "") throw new Malformed("the text does not end after the root");
  const rootBytes = fromBase64(root);
  if (rootBytes.length !== 32) throw new Malformed("the third line is not a root");
  const body = note.slice(end + 2);
  if (!body.endsWith("\n")) throw new Malformed("the last signature line is not ended");
  const lines = body.slice(0, -1).split("\n").map(signatureLine);
  return { chain: fromHex(origin.slice(9)), size: BigInt(size), root: rootBytes, text, lines };
}

function signatureLine(line) {
  const found = SIGNATURE_LINE.exec(line);
  if (!found) throw new Malformed("not a signature line");
  const bytes = fromBase64(found[2]);
  if (bytes.length < 5) throw new Malformed("not a signature line");
  return { name: found[1], keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** The verifier key of signed note for an Ed25519 key: `name+key id+base64(1 ‖ key)`. */
export function verifierKey(name, publicKey) {
  return `${name}+${toHex(keyId(name, publicKey))}+${toBase64(concat(Uint8Array.of(ED25519), publicKey))}`;
}

function keyId(name, publicKey) {
  return sha256(concat(utf8(name), Uint8Array.of(0x0a, ED25519), publicKey)).subarray(0, 4);
}

/** The numbers of those replicas of an epoch whose signature under the checkpoint holds. */
export function checkpointSigners(checkpoint, epoch) {
  const name = `medshare/${toHex(checkpoint.chain)}`;
  const signed = ({ public_key }) =>
    checkpoint.lines.some(
      (line) =>
        line.name === name &&
        equal(line.keyId, keyId(name, public_key)) &&
        verifyPlain(public_key, utf8(checkpoint.text), line.signature),
    );
  return epoch.replicas.filter(signed).map(({ replica }) => replica);
}

/** Whether `proof` (a list of digests) shows that the older checkpoint's log is a prefix of the newer's. */
export function areConsistent(older, newer, proof) {
  return equal(older.chain, newer.chain) && verifyConsistency(older.root, older.size, newer.root, newer.size, proof);
}
