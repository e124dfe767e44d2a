"""Checkpoints of the history log (C2SP tlog-checkpoint), and whether one extends another (RFC 9162, 2.1.4.2).

    python3 e2e/verifier/checkpoint.py GENESIS NOTE [OLDER-NOTE CONSISTENCY-JSON]

says who signed the note, and with the gateway's answer of /v1/checkpoint/consistency, whether the newer log only added
blocks to the older.
"""

import base64
import hashlib
import json
import pathlib
import re
import sys

import chain
import ed25519
from chain import Broken, require


class Checkpoint:
    """A note, read; nobody's signature is checked yet."""

    def __init__(self, note):
        text, separator, lines = note.partition("\n\n")
        require(separator and lines.endswith("\n"), "the note has no signature lines")
        self.text = text + "\n"
        parts = text.split("\n")
        require(len(parts) == 3, "the text has three lines")
        require(re.fullmatch(r"medshare/[0-9a-f]{64}", parts[0]), "the origin is not medshare/<chain id>")
        require(re.fullmatch(r"0|[1-9][0-9]*", parts[1]), "the size is not a number")
        self.origin, self.size = parts[0], int(parts[1])
        self.root = base64.b64decode(parts[2], validate=True)
        require(len(self.root) == 32, "the root has 32 bytes")
        self.lines = [self._line(line) for line in lines[:-1].split("\n")]

    @staticmethod
    def _line(line):
        found = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line)
        require(found, "not a signature line")
        blob = base64.b64decode(found[2], validate=True)
        return found[1], blob[:4], blob[4:]

    def signers(self, genesis):
        """Numbers of the replicas of the genesis file whose signature holds."""
        require(self.origin == "medshare/" + chain.chain_id(genesis).hex(), "the note is of another chain")
        return [replica["replica"] for replica in genesis["epoch"]["replicas"] if self._signed(replica)]

    def _signed(self, replica):
        key = bytes.fromhex(replica["public_key"])
        key_id = hashlib.sha256(self.origin.encode() + b"\n\x01" + key).digest()[:4]
        return any(
            name == self.origin and found == key_id and ed25519.PublicKey(key).verify(self.text.encode(), signature)
            for name, found, signature in self.lines
        )


def is_prefix(older, newer, proof):
    """Whether the newer log starts with the older one."""
    if older.size > newer.size:
        return False
    if older.size == newer.size:
        return not proof and older.root == newer.root
    if older.size == 0:
        return not proof and older.root == hashlib.sha256().digest()
    position, last = older.size - 1, newer.size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    path = list(proof)
    if older.size & (older.size - 1) == 0:
        path.insert(0, older.root)
    if not path:
        return False
    first = second = path.pop(0)
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = chain.node_hash(sibling, first), chain.node_hash(sibling, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = chain.node_hash(second, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and first == older.root and second == newer.root


def main(arguments):
    if len(arguments) not in (2, 4):
        sys.exit(__doc__)
    read = lambda path: pathlib.Path(path).read_text(encoding="utf-8")
    genesis, newer = json.loads(read(arguments[0])), Checkpoint(read(arguments[1]))
    signers, needed = newer.signers(genesis), chain.quorum(len(genesis["epoch"]["replicas"]))
    print(f"{newer.size} blocks, signed by replicas {signers}")
    require(len(signers) >= needed, f"{len(signers)} signatures hold, a quorum needs {needed}")
    if len(arguments) == 4:
        older = Checkpoint(read(arguments[2]))
        proof = [bytes.fromhex(digest) for digest in json.loads(read(arguments[3]))["proof"]]
        require(is_prefix(older, newer, proof), "the newer log does not start with the older one")
        print(f"it only added blocks to the first {older.size}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Broken as broken:
        sys.exit(f"refused: {broken}")
