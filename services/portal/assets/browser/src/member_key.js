// A member's own keys in the browser: made of the seed in member.json once, then held by WebCrypto, which signs and
// opens with them and never gives them out.

import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

import { Malformed, equal, fromBase64Url, fromHex, toHex, utf8 } from "./bytes.js";
import { tagged } from "./digest.js";
import { TransactionBody } from "./format.js";
import { describe } from "./receipt.js";
import { decode } from "./schema.js";
import { openSealed, sealingKeyPair } from "./seal.js";
import { inDomain } from "./signature.js";

const ED25519_PKCS8 = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/** A prepared command that must not be signed, and why. */
export class NotSigned extends Error {}

/** The content of a key file: {ledgerId, seed}. */
export function readMemberFile(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Malformed("not a member's key file: not JSON");
  }
  const names = file === null || typeof file !== "object" ? [] : Object.keys(file).sort();
  if (names.join() !== "ledger_id,seed") throw new Malformed("not a member's key file: it has ledger_id and seed, nothing else");
  return { ledgerId: fromHex(file.ledger_id, 16), seed: fromHex(file.seed, 32) };
}

function derive(seed, purpose) {
  return hkdf(sha256, seed, new Uint8Array(), utf8(purpose), 32);
}

/** One member's keys. Structured cloning (IndexedDB) keeps {@link MemberKey.stored}. */
export class MemberKey {
  constructor(stored) {
    this.stored = stored;
  }

  /** The member's ledger id, hex. */
  get ledgerId() {
    return this.stored.ledgerId;
  }

  /** The signing key's public half, hex. */
  get publicKey() {
    return toHex(this.stored.publicKey);
  }

  /** Public half of the sealing key. */
  get sealingPublicKey() {
    return this.stored.sealingPublicKey;
  }

  /** Imports the seed's keys; the bytes of the seed are overwritten. */
  static async fromSeed(ledgerId, seed) {
    const signingSeed = derive(seed, "medshare/member/signing/v1");
    const sealingSecret = derive(seed, "medshare/member/sealing/v1");
    const pkcs8 = Uint8Array.of(...ED25519_PKCS8, ...signingSeed);
    const sealingPublicKey = x25519.getPublicKey(sealingSecret);
    const stored = {
      ledgerId: toHex(ledgerId),
      publicKey: ed25519.getPublicKey(signingSeed),
      sealingPublicKey,
      signing: await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]),
      sealing: await sealingKeyPair(sealingSecret, sealingPublicKey),
      items: await crypto.subtle.importKey("raw", seed, "HKDF", false, ["deriveBits"]),
    };
    for (const secret of [signingSeed, sealingSecret, pkcs8, seed]) secret.fill(0);
    return new MemberKey(stored);
  }

  /** Signs a message in a domain. */
  async sign(domain, message) {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", this.stored.signing, inDomain(domain, message)));
  }

  /** Signs a sign-in challenge. */
  signChallenge(challenge) {
    return this.sign("medshare/sign-in/v1", challenge);
  }

  /**
   * Signs a prepared command {transaction (hex), unsigned (base64url)}, after checking that it is this member's own, for
   * this chain (32 bytes), and the command that is meant ({contract, name}, as {@link inspectPrepared} gives it).
   */
  async signPrepared(prepared, chain, expected) {
    const found = inspectPrepared(prepared);
    if (found.submitter !== this.ledgerId || found.publicKey !== this.publicKey) {
      throw new NotSigned("it is not for this member's key");
    }
    if (!equal(found.chain, chain)) throw new NotSigned("it is for another chain");
    if (found.command.contract !== expected.contract || found.command.name !== expected.name) {
      throw new NotSigned(`it is another command: ${found.command.contract} ${found.command.name}`);
    }
    return this.sign("medshare/transaction/v1", fromHex(prepared.transaction, 32));
  }

  /** Opens what was sealed to this member. */
  open(info, associatedData, sealed) {
    return openSealed(this.stored.sealing, info, associatedData, sealed);
  }

  /**
   * The key of an application's item: number after number, from the member's seed, so that whoever has the seed opens
   * what was released although another browser applied. Gives {publicKey, keyPair}.
   */
  async itemKey(number) {
    const secret = await this.itemSecret(number);
    const publicKey = x25519.getPublicKey(secret);
    const keyPair = await sealingKeyPair(secret, publicKey);
    secret.fill(0);
    return { publicKey, keyPair };
  }

  /** The key pair of the item key with this public half, among the first `count`; null if there is none. */
  async findItemKey(publicKey, count) {
    for (let number = 0; number < count; number += 1) {
      const secret = await this.itemSecret(number);
      const found = equal(x25519.getPublicKey(secret), publicKey);
      secret.fill(0);
      if (found) return (await this.itemKey(number)).keyPair;
    }
    return null;
  }

  async itemSecret(number) {
    const info = utf8(`medshare/item-key/v1/${number}`);
    const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
    return new Uint8Array(await crypto.subtle.deriveBits(derivation, this.stored.items, 256));
  }
}

/** What a prepared command says, read from the bytes that are signed and not from what the server says about them. */
export function inspectPrepared({ transaction, unsigned }) {
  const bytes = fromBase64Url(unsigned);
  const body = decode(TransactionBody, bytes);
  if (!equal(tagged("medshare/transaction/v1", bytes), fromHex(transaction, 32))) throw new NotSigned("its id is another");
  return {
    chain: body.chain,
    submitter: toHex(body.submitter),
    publicKey: toHex(body.public_key),
    validUntilMicroseconds: body.valid_until,
    command: describe(body.contract, "command", body.command),
  };
}
