// Where trust starts: the genesis file, and the replica sets that follow.

import { Malformed, toHex } from "./bytes.js";
import { tagged } from "./digest.js";
import { GenesisFile } from "./format.js";
import { parseJson } from "./json.js";
import { encode } from "./schema.js";
import { isWeakKey } from "./signature.js";

/** How many equal votes decide among the replicas of an epoch. */
export function quorum(epoch) {
  const count = epoch.replicas.length;
  const faulty = Math.floor((count - 1) / 3);
  return Math.ceil((count + faulty + 1) / 2);
}

/** Refuses a replica set that is not well-formed. */
export function checkEpoch(epoch) {
  if (epoch.replicas.length === 0) throw new Malformed("the epoch has no replicas");
  const keys = new Set();
  let previous = -1;
  for (const { replica, public_key } of epoch.replicas) {
    if (replica <= previous) throw new Malformed(`replica ${replica} is out of order or listed twice`);
    const key = toHex(public_key);
    if (keys.has(key)) throw new Malformed(`the key of replica ${replica} is another replica's as well`);
    if (isWeakKey(public_key)) throw new Malformed(`the key of replica ${replica} is weak`);
    keys.add(key);
    previous = replica;
  }
}

/** Reads and checks the JSON of a genesis file: {file, chain}. */
export function readGenesis(text) {
  const file = GenesisFile.fromJson(parseJson(text));
  checkEpoch(file.epoch);
  if (file.epoch.epoch !== 0n || file.epoch.first_height !== 0n) throw new Malformed("epoch: must be epoch 0 from height 0");
  const seen = new Set();
  for (const member of file.members) {
    const id = toHex(member.ledger_id);
    if (seen.has(id)) throw new Malformed(`members: ${id} is listed twice`);
    if (isWeakKey(member.public_key)) throw new Malformed(`members: the key of ${id} is weak`);
    seen.add(id);
  }
  return { file, chain: tagged("medshare/genesis/v1", encode(GenesisFile, file)) };
}
