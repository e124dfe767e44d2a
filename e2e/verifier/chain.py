"""Verifies a chain of blocks from the genesis file alone, as docs/ledger-format.md describes it."""

import hashlib
import pathlib
import struct
import zlib

import ed25519
import postcard

SCHEMA = postcard.Schema((pathlib.Path(__file__).parent / "format.schema").read_text())
ZERO = bytes(32)
MAGIC = b"MEDSBLK1"
EMPTY_ROOT = hashlib.sha256().digest()

# The contract number under which the ledger's own events are recorded.
LEDGER_CONTRACT = 0


class Broken(Exception):
    """Something does not hold; says what and where."""


def require(holds, reason):
    if not holds:
        raise Broken(reason)


def tagged(tag, data):
    tag = tag.encode()
    return hashlib.sha256(bytes([len(tag)]) + tag + data).digest()


def block_hash(header):
    return tagged("medshare/header/v1", header.raw)


def transaction_id(transaction):
    return tagged("medshare/transaction/v1", transaction["body"].raw)


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(leaves):
    """The root of RFC 9162 section 2.1.1 over the leaves' data."""
    level = [leaf_hash(leaf) for leaf in leaves]
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0]


class History:
    """The tree over block hashes as the roots of its complete subtrees, largest first."""

    def __init__(self):
        self.size, self.subtrees = 0, []

    def append(self, hash_of_block):
        carried, rest = leaf_hash(hash_of_block), self.size
        while rest & 1:
            carried = node_hash(self.subtrees.pop(), carried)
            rest >>= 1
        self.subtrees.append(carried)
        self.size += 1

    def root(self):
        if not self.subtrees:
            return EMPTY_ROOT
        root = self.subtrees[-1]
        for left in reversed(self.subtrees[:-1]):
            root = node_hash(left, root)
        return root


def chain_id(genesis):
    """The chain id of a genesis file, given as parsed JSON."""
    return tagged("medshare/genesis/v1", SCHEMA.encode("GenesisFile", genesis))


def replica_set(description):
    """An epoch's first height and its keys by replica, after the checks every replica set must pass."""
    to_bytes = lambda value: bytes.fromhex(value) if isinstance(value, str) else value
    replicas = [(each["replica"], to_bytes(each["public_key"])) for each in description["replicas"]]
    numbers = [number for number, _ in replicas]
    require(replicas, "an epoch has no replicas")
    require(numbers == sorted(set(numbers)), "an epoch's replicas are not ascending")
    require(len({key for _, key in replicas}) == len(replicas), "two replicas of an epoch share a key")
    require(not any(ed25519.is_weak(key) for _, key in replicas), "a replica's key is weak")
    return {"epoch": description["epoch"], "first_height": description["first_height"], "keys": dict(replicas)}


def quorum(count):
    return (count + (count - 1) // 3 + 2) // 2


def check_certificate(certificate, chain, header, hash_of_block, epoch):
    """A quorum of distinct replicas of the epoch signed exactly this block."""
    require(certificate["epoch"] == epoch["epoch"], "the certificate is of another epoch")
    signers = [replica for replica, _ in certificate["votes"]]
    require(signers == sorted(set(signers)), "the certificate's signers are not ascending")
    require(len(signers) >= quorum(len(epoch["keys"])), f"{len(signers)} votes are no quorum")
    for replica, signature in certificate["votes"]:
        require(replica in epoch["keys"], f"signer {replica} is no replica of the epoch")
        vote = {
            "chain": chain,
            "replica": replica,
            "epoch": certificate["epoch"],
            "view": certificate["view"],
            "height": header["height"],
            "block": hash_of_block,
        }
        message = SCHEMA.encode("Vote", vote)
        valid = ed25519.verify(epoch["keys"][replica], "medshare/block-vote/v2", message, signature)
        require(valid, f"the vote of replica {replica} does not verify")


class Chain:
    """Follows a chain from height 0; `check` raises Broken at the first thing that does not hold."""

    def __init__(self, genesis, signatures=False):
        self.id = chain_id(genesis)
        self.genesis = genesis
        self.signatures = signatures
        self.epoch = replica_set(genesis["epoch"])
        require((self.epoch["epoch"], self.epoch["first_height"]) == (0, 0), "genesis: not epoch 0 from height 0")
        self.announced = None
        self.history = History()
        self.previous = ZERO
        self.time = None

    def check(self, certified):
        block, certificate = certified["block"], certified["certificate"]
        header = block["header"]
        height = header["height"]
        hash_of_block = block_hash(header)
        self._check_place(header)
        self._check_content(block)
        if self.announced and height >= self.announced["first_height"]:
            self.epoch, self.announced = self.announced, None
        require(header["epoch"] == self.epoch["epoch"], "the block is of another epoch than the one due")
        if height == 0:
            self._check_genesis(block, certificate)
        else:
            check_certificate(certificate, self.id, header, hash_of_block, self.epoch)
            self._check_announcement(block)
        self.history.append(hash_of_block)
        self.previous, self.time = hash_of_block, header["time"]

    def _check_place(self, header):
        require(header["chain"] == self.id, "the block is of another chain than the genesis file")
        require(header["height"] == self.history.size, f"height {self.history.size} is due")
        require(header["previous"] == self.previous, "the block does not name the block before it")
        require(self.time is None or header["time"] > self.time, "block time does not increase")
        require(header["history_root"] == self.history.root(), "the history root is not that of the blocks before")

    def _check_content(self, block):
        header, transactions, outcomes = block["header"], block["transactions"], block["outcomes"]
        require(header["transactions"] == len(transactions), "the header counts other transactions")
        require(len(outcomes) == len(transactions) + 1, "there is not one outcome more than transactions")
        system = outcomes[0]
        require(system["transaction"] == ZERO and system["outcome"].number == 0, "outcome 0 is not the system's")
        for index, (transaction, leaf) in enumerate(zip(transactions, outcomes[1:])):
            identity = transaction_id(transaction)
            require(transaction["body"]["chain"] == self.id, f"transaction {index} is of another chain")
            require(leaf["transaction"] == identity, f"outcome {index + 1} is of another transaction")
            rejected_with_events = leaf["outcome"].number == 1 and leaf["events"]
            require(not rejected_with_events, f"outcome {index + 1} is rejected and has events")
            if self.signatures:
                self._check_signature(index, transaction, identity)
        wires = [tagged("medshare/wire/v1", transaction.raw) for transaction in transactions]
        require(tree_root(wires) == header["transaction_root"], "the transactions do not give the header's root")
        leaves = [tagged("medshare/outcome/v1", leaf.raw) for leaf in outcomes]
        require(tree_root(leaves) == header["outcome_root"], "the outcomes do not give the header's root")

    def _check_signature(self, index, transaction, identity):
        key, signature = transaction["body"]["public_key"], transaction["signature"]
        valid = ed25519.verify(key, "medshare/transaction/v1", identity, signature)
        require(valid, f"the signature of transaction {index} does not verify")

    def _check_genesis(self, block, certificate):
        require(block["header"]["time"] == self.genesis["time"], "the genesis block has another time")
        require(not block["transactions"], "the genesis block has transactions")
        require(not certificate["votes"], "the genesis block has a certificate")
        for started in epochs_started(block):
            require(replica_set(started) == self.epoch, "the genesis block starts another epoch")

    def _check_announcement(self, block):
        height = block["header"]["height"]
        for started in epochs_started(block):
            require(self.announced is None, "a new epoch is announced before the last one started")
            require(started["epoch"] == self.epoch["epoch"] + 1, "the announced epoch is not the next")
            require(started["first_height"] > height, "the announced epoch starts in the past")
            self.announced = replica_set(started)


def epochs_started(block):
    for leaf in block["outcomes"]:
        for event in leaf["events"]:
            if event["contract"] == LEDGER_CONTRACT:
                yield SCHEMA.decode("LedgerEvent", event["bytes"]).value


class CutShort(Broken):
    """A segment ends inside a record: allowed at the end of the newest one, which may be being written."""


def records(path):
    """The payloads of one segment; stops at zero bytes, refuses damage."""
    data = path.read_bytes()
    require(data.startswith(MAGIC), f"{path.name} does not start with MEDSBLK1")
    at = len(MAGIC)
    while any(data[at : at + 8]):
        if at + 8 > len(data):
            raise CutShort(f"{path.name}: the record at byte {at} was cut short")
        length, checksum = struct.unpack_from("<II", data, at)
        payload = data[at + 8 : at + 8 + length]
        if len(payload) != length:
            raise CutShort(f"{path.name}: the record at byte {at} was cut short")
        require(zlib.crc32(payload) == checksum, f"{path.name}: the record at byte {at} is damaged")
        yield payload
        at += 8 + length


def blocks(folder):
    """The certified blocks of a directory of segments (or of the `blocks` in it), in order.

    A record cut short at the end of the newest segment ends the chain before it.
    """
    folder = pathlib.Path(folder)
    folder = folder / "blocks" if (folder / "blocks").is_dir() else folder
    segments = sorted(folder.glob("*.blk"))
    require(segments, f"there are no block files in {folder}")
    height = 0
    for segment in segments:
        require(segment.name == f"{height:020}.blk", f"{segment.name}: height {height} is due")
        try:
            for payload in records(segment):
                yield SCHEMA.decode("CertifiedBlock", payload)
                height += 1
        except CutShort:
            if segment != segments[-1]:
                raise
