// SHA-256 as the ledger uses it, salted commitments, and the trees of RFC 9162.

import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512_256 } from "@noble/hashes/sha2.js";

import { bigEndian64, concat, equal, utf8 } from "./bytes.js";

/** SHA-256 over one byte with the tag's length, the tag, and the data. */
export function tagged(tag, data) {
  const name = utf8(tag);
  return sha256(concat(Uint8Array.of(name.length), name, data));
}

const ALGORITHMS = { 1: sha256, 2: sha512_256 };

/** Whether a commitment {algorithm, value} is to exactly these parts under this salt of 32 bytes. */
export function commitmentOpens(commitment, salt, parts) {
  const hash = ALGORITHMS[commitment.algorithm];
  if (!hash) return false;
  const message = concat(...parts.flatMap((part) => [bigEndian64(part.length), part]));
  return equal(hmac(hash, salt, message), commitment.value);
}

/** The hash of a leaf. */
export function leafHash(data) {
  return sha256(concat(Uint8Array.of(0), data));
}

/** The hash of an inner node. */
export function nodeHash(left, right) {
  return sha256(concat(Uint8Array.of(1), left, right));
}

/** The root over leaves (their data). */
export function treeRoot(leaves) {
  if (leaves.length === 0) return sha256(new Uint8Array());
  let level = leaves.map(leafHash);
  while (level.length > 1) {
    const above = [];
    for (let at = 0; at < level.length; at += 2) {
      above.push(at + 1 < level.length ? nodeHash(level[at], level[at + 1]) : level[at]);
    }
    level = above;
  }
  return level[0];
}

/** Whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves (RFC 9162, 2.1.3.2). */
export function verifyInclusion(root, size, index, leaf, proof) {
  let position = BigInt(index);
  let last = BigInt(size) - 1n;
  if (position > last || position < 0n) return false;
  let hash = leafHash(leaf);
  for (const sibling of proof) {
    if (last === 0n) return false;
    if ((position & 1n) === 1n || position === last) {
      hash = nodeHash(sibling, hash);
      while ((position & 1n) === 0n && position !== 0n) {
        position >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    position >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equal(hash, root);
}

/** Whether the tree of `firstSize` leaves is a prefix of that of `secondSize` (RFC 9162, 2.1.4.2). */
export function verifyConsistency(firstRoot, firstSize, secondRoot, secondSize, proof) {
  const [size, newSize] = [BigInt(firstSize), BigInt(secondSize)];
  if (size > newSize || size < 0n) return false;
  if (size === newSize) return proof.length === 0 && equal(firstRoot, secondRoot);
  if (size === 0n) return proof.length === 0 && equal(firstRoot, treeRoot([]));
  let [position, last] = [size - 1n, newSize - 1n];
  while ((position & 1n) === 1n) {
    position >>= 1n;
    last >>= 1n;
  }
  const isPowerOfTwo = (size & (size - 1n)) === 0n;
  const [seed, ...path] = isPowerOfTwo ? [firstRoot, ...proof] : proof;
  if (seed === undefined) return false;
  let [first, second] = [seed, seed];
  for (const sibling of path) {
    if (last === 0n) return false;
    if ((position & 1n) === 1n || position === last) {
      first = nodeHash(sibling, first);
      second = nodeHash(sibling, second);
      while ((position & 1n) === 0n && position !== 0n) {
        position >>= 1n;
        last >>= 1n;
      }
    } else {
      second = nodeHash(second, sibling);
    }
    position >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equal(first, firstRoot) && equal(second, secondRoot);
}
