// Receipts, verified from the genesis file alone, step by step.
//
// Trust goes from the genesis file to epoch 0, from each epoch to the next, to the replicas that certified the
// header, to the roots in it, to the outcome and the transaction. The numbers of what does not hold are those of
// `medshare verify receipt`.

import { Malformed, equal, fromBase64Url, shortHex, toHex } from "./bytes.js";
import { CertificateRefused, headerHash, verifyCertificate } from "./certificate.js";
import { CONTRACTS, LedgerEvent, OutcomeLeaf, Receipt, SignedTransaction, TransactionBody } from "./format.js";
import { tagged, verifyInclusion } from "./digest.js";
import { checkEpoch, readGenesis } from "./genesis.js";
import { decode, encode } from "./schema.js";
import { verifySignature } from "./signature.js";
import { readable } from "./wire.js";

const RECEIPT_BYTES_MAX = 16 * 1024 * 1024;
const TRANSACTION_BYTES_MAX = 64 * 1024;

/** The steps in the order they are taken: a key for texts in other languages, and what is shown in English. */
export const STEPS = [
  ["genesis", "The genesis file is well-formed"],
  ["encoding", "The receipt is written in its one valid form"],
  ["chain", "Receipt and transaction belong to this genesis file"],
  ["signature", "The member signed exactly this transaction"],
  ["outcome", "The outcome is that of this transaction"],
  ["transaction_proof", "The transaction is in the block"],
  ["outcome_proof", "The outcome is in the block"],
  ["epochs", "The replicas were admitted, step by step, from the genesis file on"],
  ["certificate", "A quorum of these replicas certified the block"],
];

class Refused extends Error {
  constructor(number, message) {
    super(message);
    this.number = number;
  }
}

/** The canonical bytes in a receipt file (JSON) or in bare bytes. */
export function receiptBytes(content) {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const start = bytes.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
  // A canonical receipt starts with a chain id, which may be any bytes: a file is known by being JSON as a whole.
  if (start === 0x7b) {
    let file;
    try {
      file = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch {
      return bytes;
    }
    if (file.medshare_receipt !== 1) throw new Malformed(`medshare_receipt is ${file.medshare_receipt}, this page reads 1`);
    if (typeof file.bytes !== "string") throw new Malformed("the receipt file has no bytes");
    return fromBase64Url(file.bytes);
  }
  return bytes;
}

/** Verifies a receipt file as it was chosen, like {@link verifyReceipt}: what is wrong with a file that is none is the detail of the step that fails. */
export function verifyFile(content, genesis) {
  let bytes = new Uint8Array();
  let reason;
  try {
    bytes = receiptBytes(content);
  } catch (error) {
    reason = error.message;
  }
  const result = verifyReceipt(bytes, genesis);
  const encoding = result.steps.find(({ key }) => key === "encoding");
  if (reason && encoding.state === "failed") encoding.detail = reason;
  return result;
}

/**
 * Verifies a receipt by a genesis file: its text, or what {@link readGenesis} made of it. Gives {holds, steps, says}: each step is {key, title, state, detail}, with state `held`, `failed`
 * or `unreached`; a failed one has the number of the error. `says` is what the receipt says, only if all of it holds.
 */
export function verifyReceipt(bytes, genesis) {
  const steps = STEPS.map(([key, title]) => ({ key, title, state: "unreached", detail: "" }));
  const context = {};
  for (const step of steps) {
    try {
      step.detail = CHECKS[step.key](context, bytes, genesis) ?? "";
      step.state = "held";
    } catch (error) {
      step.state = "failed";
      step.number = error instanceof Refused ? error.number : 1;
      step.detail = error.message;
      return { holds: false, steps, says: null };
    }
  }
  return { holds: true, steps, says: summary(context) };
}

const CHECKS = {
  genesis(context, _bytes, genesis) {
    try {
      Object.assign(context, typeof genesis === "string" ? readGenesis(genesis) : genesis);
    } catch (error) {
      throw new Refused(3, `genesis file: ${error.message}`);
    }
    return `${context.file.name}, chain ${shortHex(context.chain)}`;
  },

  encoding(context, bytes) {
    if (bytes.length > RECEIPT_BYTES_MAX) throw new Refused(2, "longer than any receipt");
    try {
      context.receipt = decode(Receipt, bytes);
    } catch (error) {
      throw new Refused(1, `not a receipt: ${error.message}`);
    }
    return `${bytes.length} bytes`;
  },

  chain({ receipt, chain }) {
    if (!equal(receipt.header.chain, chain)) throw new Refused(4, "the receipt is of another chain than the genesis file");
    if (!equal(receipt.transaction.body.chain, chain)) throw new Refused(5, "the transaction was made for another chain");
  },

  signature(context) {
    const { transaction } = context.receipt;
    const wire = encode(SignedTransaction, transaction);
    if (wire.length > TRANSACTION_BYTES_MAX) throw new Refused(6, "the transaction is too long");
    context.wire = tagged("medshare/wire/v1", wire);
    context.id = tagged("medshare/transaction/v1", encode(TransactionBody, transaction.body));
    if (!verifySignature(transaction.body.public_key, "medshare/transaction/v1", context.id, transaction.signature)) {
      throw new Refused(7, "the transaction's signature does not verify");
    }
    return `transaction ${shortHex(context.id)}`;
  },

  outcome({ receipt, id }) {
    const { leaf } = receipt;
    if (!equal(leaf.transaction, id)) throw new Refused(8, "the outcome is of another transaction");
    const accepted = leaf.outcome.variant === "Accepted";
    if (!accepted && leaf.events.length > 0) throw new Refused(9, "the outcome is rejected and has events");
    return accepted ? "accepted" : `rejected: contract ${leaf.outcome.value.contract}, code ${leaf.outcome.value.code}`;
  },

  transaction_proof({ receipt, wire }) {
    const { header, index } = receipt;
    if (index >= header.transactions) throw new Refused(10, "the header counts fewer transactions than the receipt's index");
    if (!verifyInclusion(header.transaction_root, header.transactions, index, wire, receipt.transaction_proof)) {
      throw new Refused(12, "the transaction is not in the header's transaction tree at its place");
    }
    return `number ${index + 1} of ${header.transactions}`;
  },

  outcome_proof({ receipt }) {
    const { header, index, leaf } = receipt;
    const hash = tagged("medshare/outcome/v1", encode(OutcomeLeaf, leaf));
    if (!verifyInclusion(header.outcome_root, header.transactions + 1, index + 1, hash, receipt.proof)) {
      throw new Refused(11, "the outcome is not in the header's outcome tree at its place");
    }
    return `block ${header.height}`;
  },

  epochs(context) {
    const { receipt, chain, file } = context;
    let epoch = file.epoch;
    for (const link of receipt.epochs) epoch = followLink(link, chain, epoch);
    context.epoch = epoch;
    return receipt.epochs.length === 0 ? "the genesis file's own replicas" : `${receipt.epochs.length} changes of the replica set`;
  },

  certificate({ receipt, chain, epoch }) {
    const { header } = receipt;
    if (header.height === 0n) throw new Refused(13, "the header is the genesis block's, which has no transactions");
    if (header.epoch !== epoch.epoch) {
      throw new Refused(14, `the header is of epoch ${header.epoch}, the links lead to epoch ${epoch.epoch}`);
    }
    if (header.height < epoch.first_height) {
      throw new Refused(15, `height ${header.height} lies before the first height ${epoch.first_height} of its epoch`);
    }
    try {
      verifyCertificate(receipt.certificate, chain, header, epoch);
    } catch (error) {
      throw new Refused(16, `certificate: ${error.message}`);
    }
    return `replicas ${receipt.certificate.votes.map(([replica]) => replica).join(", ")}`;
  },
};

/** The replica set that a link proves, given the one before. */
function followLink(link, chain, before) {
  const refuse = (reason) => {
    throw new Refused(17, `link to epoch ${before.epoch + 1n}: ${reason}`);
  };
  const { header, leaf, index } = link;
  if (!equal(header.chain, chain)) refuse("its header is of another chain");
  if (header.epoch !== before.epoch || header.height < before.first_height || header.height === 0n) {
    refuse("its header is not of the epoch before");
  }
  try {
    verifyCertificate(link.certificate, chain, header, before);
  } catch (error) {
    if (!(error instanceof CertificateRefused)) throw error;
    refuse(`its certificate: ${error.message}`);
  }
  const hash = tagged("medshare/outcome/v1", encode(OutcomeLeaf, leaf));
  if (!verifyInclusion(header.outcome_root, header.transactions + 1, index, hash, link.proof)) {
    refuse("its leaf is not in its header's outcome tree");
  }
  const next = leaf.outcome.variant === "Accepted" ? epochStarted(leaf) : null;
  if (!next) refuse("its leaf starts no epoch");
  if (next.epoch !== before.epoch + 1n || next.first_height <= header.height) {
    refuse("it does not start the next epoch at a later height");
  }
  try {
    checkEpoch(next);
  } catch (error) {
    refuse(`its replica set: ${error.message}`);
  }
  return next;
}

function epochStarted(leaf) {
  for (const { contract, bytes } of leaf.events) {
    if (contract !== 0) continue;
    try {
      return decode(LedgerEvent, bytes).value;
    } catch {
      // As the replicas do: what is no ledger event announces nothing.
    }
  }
  return null;
}

function summary({ receipt, id, file, chain }) {
  const { body } = receipt.transaction;
  const { outcome } = receipt.leaf;
  return {
    consortium: file.name,
    chain: toHex(chain),
    transaction: toHex(id),
    submitter: toHex(body.submitter),
    publicKey: toHex(body.public_key),
    contract: CONTRACTS.get(body.contract)?.name ?? String(body.contract),
    command: describe(body.contract, "command", body.command),
    accepted: outcome.variant === "Accepted",
    rejection: outcome.variant === "Accepted" ? null : { contract: outcome.value.contract, code: outcome.value.code },
    events: receipt.leaf.events.map(({ contract, bytes }) => describe(contract, "event", bytes)),
    height: receipt.header.height,
    index: receipt.index,
    timeMicroseconds: receipt.header.time,
    block: toHex(headerHash(receipt.header)),
    signers: receipt.certificate.votes.map(([replica]) => replica),
  };
}

/** A command or an event as {contract, name, fields}; bytes that this version does not know as hex. */
export function describe(contract, kind, bytes) {
  const known = CONTRACTS.get(contract);
  const codec = contract === 0 ? LedgerEvent : known?.[kind];
  const name = contract === 0 ? "ledger" : (known?.name ?? String(contract));
  try {
    const { variant, value } = decode(codec, bytes);
    return { contract: name, name: variant, fields: readable(value) };
  } catch {
    return { contract: name, name: null, fields: toHex(bytes) };
  }
}
