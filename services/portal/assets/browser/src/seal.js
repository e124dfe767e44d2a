// HPKE in mode base (RFC 9180): X25519-HKDF-SHA256, HKDF-SHA256, ChaCha20-Poly1305. Private keys stay in WebCrypto.

import { Chacha20Poly1305 } from "@hpke/chacha20poly1305";
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";

const ENCAPSULATED_KEY_BYTES = 32;
// What precedes the 32 secret bytes in PKCS #8 (RFC 8410).
const X25519_PKCS8 = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20];

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305(),
});

/** Sealed bytes that do not open: another key, other associated data, or altered. */
export class DoesNotOpen extends Error {
  constructor() {
    super("the sealed bytes do not open");
    this.name = "DoesNotOpen";
  }
}

/** A key pair whose private half WebCrypto never gives out again. */
export async function sealingKeyPair(secret, publicKey) {
  const pkcs8 = Uint8Array.of(...X25519_PKCS8, ...secret);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, "X25519", false, ["deriveBits"]);
  pkcs8.fill(0);
  return { privateKey, publicKey: await crypto.subtle.importKey("raw", publicKey, "X25519", true, []) };
}

/** Opens 32 bytes of encapsulated key, ciphertext and tag. */
export async function openSealed(keyPair, info, associatedData, sealed) {
  if (sealed.length < ENCAPSULATED_KEY_BYTES) throw new DoesNotOpen();
  try {
    const enc = sealed.slice(0, ENCAPSULATED_KEY_BYTES);
    const recipient = await suite.createRecipientContext({ recipientKey: keyPair, enc, info });
    return new Uint8Array(await recipient.open(sealed.slice(ENCAPSULATED_KEY_BYTES), associatedData));
  } catch {
    throw new DoesNotOpen();
  }
}
