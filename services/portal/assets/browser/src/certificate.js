// Certificates: a quorum of equal block votes over one header.

import { tagged } from "./digest.js";
import { Header, Vote } from "./format.js";
import { quorum } from "./genesis.js";
import { encode } from "./schema.js";
import { verifySignature } from "./signature.js";

/** A certificate that certifies nothing, and why. */
export class CertificateRefused extends Error {}

/** The block's hash. */
export function headerHash(header) {
  return tagged("medshare/header/v1", encode(Header, header));
}

/** Refuses unless a quorum of distinct replicas of `epoch` voted for exactly this header; every vote must be valid. */
export function verifyCertificate(certificate, chain, header, epoch) {
  if (certificate.epoch !== epoch.epoch) {
    throw new CertificateRefused(`the certificate is of epoch ${certificate.epoch}, this height is certified by epoch ${epoch.epoch}`);
  }
  let previous = -1;
  for (const [replica] of certificate.votes) {
    if (replica <= previous) throw new CertificateRefused(`signer ${replica} is out of order or listed twice`);
    previous = replica;
  }
  const needed = quorum(epoch);
  if (certificate.votes.length < needed) {
    throw new CertificateRefused(`${certificate.votes.length} votes, a quorum needs ${needed}`);
  }
  const block = headerHash(header);
  for (const [replica, signature] of certificate.votes) {
    const signer = epoch.replicas.find((described) => described.replica === replica);
    if (!signer) throw new CertificateRefused(`signer ${replica} is not a replica of the epoch`);
    const message = encode(Vote, { chain, replica, epoch: certificate.epoch, view: certificate.view, height: header.height, block });
    if (!verifySignature(signer.public_key, "medshare/block-vote/v2", message, signature)) {
      throw new CertificateRefused(`the vote of replica ${replica} does not verify`);
    }
  }
}
