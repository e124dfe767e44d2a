// Ed25519 under ZIP 215, separated by domain.

import { ed25519 } from "@noble/curves/ed25519.js";

import { concat, utf8 } from "./bytes.js";

/** What is signed: one byte with the domain's length, the domain, the message. */
export function inDomain(domain, message) {
  const name = utf8(domain);
  return concat(Uint8Array.of(name.length), name, message);
}

/** Whether `signature` was made by `publicKey` over `message` for `domain`. */
export function verifySignature(publicKey, domain, message, signature) {
  return verifyPlain(publicKey, inDomain(domain, message), signature);
}

/** As {@link verifySignature}, of bytes whose format others define. */
export function verifyPlain(publicKey, bytes, signature) {
  try {
    return ed25519.verify(signature, bytes, publicKey, { zip215: true });
  } catch {
    return false;
  }
}

const FIELD_PRIME = (1n << 255n) - 19n;

/** Whether a key must never be enrolled: no point, not its canonical encoding, or of small order. */
export function isWeakKey(publicKey) {
  let y = 0n;
  for (let at = 31; at >= 0; at -= 1) y = (y << 8n) | BigInt(at === 31 ? publicKey[at] & 0x7f : publicKey[at]);
  if (y >= FIELD_PRIME) return true;
  try {
    return ed25519.Point.fromBytes(publicKey, true).isSmallOrder();
  } catch {
    return true;
  }
}
