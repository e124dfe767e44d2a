// Byte strings: hex, base64 and comparison. Everything that does not decode exactly is refused.

/** A text or byte string that is not what it should be. */
export class Malformed extends Error {
  constructor(message) {
    super(message);
    this.name = "Malformed";
  }
}

/** Lowercase hex of bytes. */
export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The first twelve digits of an id or hash: enough to tell two apart by eye, and never broken over lines. */
export function shortHex(bytes) {
  return `${toHex(bytes.subarray(0, 6))}…`;
}

/** Bytes of hex; `count`, when given, is how many there must be. */
export function fromHex(text, count) {
  if (typeof text !== "string" || text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new Malformed("not hex");
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  if (count !== undefined && bytes.length !== count) throw new Malformed(`${bytes.length} bytes where ${count} belong`);
  return bytes;
}

function fromBinaryText(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function toBinaryText(bytes) {
  let text = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** Base64 with padding. */
export function toBase64(bytes) {
  return btoa(toBinaryText(bytes));
}

/** Bytes of base64 with padding, the one form of them. */
export function fromBase64(text) {
  return decoded(text, (plain) => plain, toBase64);
}

/** Base64url without padding. */
export function toBase64Url(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Bytes of base64url without padding, the one form of them. */
export function fromBase64Url(text) {
  return decoded(text, (plain) => plain.replaceAll("-", "+").replaceAll("_", "/"), toBase64Url);
}

function decoded(text, toPlain, encode) {
  let bytes;
  try {
    bytes = fromBinaryText(atob(toPlain(text)));
  } catch {
    throw new Malformed("not base64");
  }
  // atob tolerates spaces, missing padding and stray bits: only the one encoding is taken.
  if (encode(bytes) !== text) throw new Malformed("not the one base64 form of its bytes");
  return bytes;
}

/** Whether two byte strings are the same (of public values: takes no constant time). */
export function equal(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** One byte string after another. */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** UTF-8 bytes of a text. */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/** A number of at most 64 bits as 8 bytes, big-endian. */
export function bigEndian64(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}
