// Released records: opened with the item's key, and checked against what the ledger committed to.

import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";

import { concat, utf8 } from "./bytes.js";
import { commitmentOpens } from "./digest.js";
import { decode, parseSchema } from "./schema.js";
import { DoesNotOpen, openSealed } from "./seal.js";

const INFO = utf8("medshare/release/v1");
const NONCE_BYTES = 24;
const type = parseSchema(`
struct Package { salt: bytes32, content: bytes }
struct SealedTwice { patient: bytes, regulator: bytes }
`);
const Package = type("Package");
const SealedTwice = type("SealedTwice");

/** The released bytes are not those that the hospital committed to on the ledger. */
export class NotAsCommitted extends Error {
  constructor() {
    super("what was released is not what the ledger committed to");
    this.name = "NotAsCommitted";
  }
}

/** The bytes that name an item: the application (16 bytes) and the item's place. */
export function itemData(application, index) {
  return concat(application, Uint8Array.of(index >> 8, index & 0xff));
}

/**
 * Opens a released record: the content key with the item's key, the ciphertext with the content key; refuses content
 * that does not open the release commitment {algorithm, value}. Gives the released bytes.
 */
export async function openReleased(itemKey, { application, index, sealedKey, ciphertext, release }) {
  const item = itemData(application, index);
  const contentKey = await openSealed(itemKey, INFO, item, sealedKey);
  const { salt, content } = decode(Package, openContent(contentKey, item, ciphertext));
  if (!commitmentOpens(release, salt, [content])) throw new NotAsCommitted();
  return content;
}

function openContent(key, associatedData, sealed) {
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    return xchacha20poly1305(key, nonce, associatedData).decrypt(sealed.subarray(NONCE_BYTES));
  } catch {
    throw new DoesNotOpen();
  }
}

/** The viewer's name in a view's trace, with the patient's or the regulator's key. */
export async function openViewerName(keyPair, sealed) {
  const twice = decode(SealedTwice, sealed);
  const open = (whose) => openSealed(keyPair, utf8("medshare/viewer-name/v1"), utf8(whose), twice[whose]);
  const text = await open("patient").catch(() => open("regulator"));
  return new TextDecoder("utf-8", { fatal: true }).decode(text);
}
