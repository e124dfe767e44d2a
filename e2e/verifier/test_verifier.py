"""Tests of the verifier: python3 -m unittest discover -s e2e/verifier

The golden values are those of crates/ledger (tests/ledger/golden.txt): Rust and Python compute them
from the same made-up consortium, each with its own code.
"""

import hashlib
import hmac
import json
import pathlib
import re
import struct
import tempfile
import unittest
import zlib

import chain
import checkpoint
import ed25519
import postcard
import recount
import rust_types

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = dict(line.split(" ") for line in (ROOT / "crates/ledger/tests/ledger/golden.txt").read_text().splitlines())
GOLDEN = {name: bytes.fromhex(value) for name, value in GOLDEN.items()}
SCHEMA = chain.SCHEMA


def sign(seed, domain, message):
    """RFC 8032 signing, slow: only tests sign."""
    hashed = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(hashed[:32], "little") & (2**254 - 8) | 2**254
    public = ed25519.compress(ed25519.BASE.times(scalar))
    message = bytes([len(domain)]) + domain.encode() + message
    r = int.from_bytes(hashlib.sha512(hashed[32:] + message).digest(), "little") % ed25519.ORDER
    commitment = ed25519.compress(ed25519.BASE.times(r))
    k = int.from_bytes(hashlib.sha512(commitment + public + message).digest(), "little")
    return public, commitment + ((r + k * scalar) % ed25519.ORDER).to_bytes(32, "little")


def declarations(schema):
    """The declarations of a schema text, without comments and in an order of their own."""
    return sorted(re.findall(r"^(?:type .*|(?:struct|enum) (?:.*\n)*?\})$", schema, re.M))


class Golden(unittest.TestCase):
    def test_every_golden_value_decodes_and_encodes_to_itself(self):
        for name, kind in [
            ("transaction", "SignedTransaction"),
            ("accepted_leaf", "OutcomeLeaf"),
            ("rejected_leaf", "OutcomeLeaf"),
            ("write_set", "WriteSet"),
            ("epoch_event", "LedgerEvent"),
            ("header", "Header"),
            ("certificate", "Certificate"),
            ("receipt", "Receipt"),
        ]:
            with self.subTest(name):
                self.assertEqual(SCHEMA.encode(kind, SCHEMA.decode(kind, GOLDEN[name])), GOLDEN[name])

    def test_digests_are_those_of_the_product(self):
        transaction = SCHEMA.decode("SignedTransaction", GOLDEN["transaction"])
        self.assertEqual(chain.transaction_id(transaction), GOLDEN["transaction_id"])
        self.assertEqual(chain.tagged("medshare/wire/v1", transaction.raw), GOLDEN["transaction_wire_digest"])
        self.assertEqual(chain.tagged("medshare/outcome/v1", GOLDEN["accepted_leaf"]), GOLDEN["accepted_leaf_hash"])
        self.assertEqual(chain.tagged("medshare/writes/v1", GOLDEN["write_set"]), GOLDEN["write_set_digest"])
        self.assertEqual(chain.tagged("medshare/header/v1", GOLDEN["header"]), GOLDEN["header_hash"])
        self.assertEqual(chain.chain_id(json.loads(GOLDEN["genesis_json"])), GOLDEN["chain_id"])

    def test_commitments_are_those_of_the_product(self):
        message = (4).to_bytes(8, "big") + b"part" + (0).to_bytes(8, "big")
        expected = hmac.digest(b"\x22" * 32, message, "sha256")
        self.assertEqual(b"\1" + expected, GOLDEN["commitment_sha_256"])
        if "sha512_256" in hashlib.algorithms_available:
            expected = hmac.digest(b"\x22" * 32, message, "sha512_256")
            self.assertEqual(b"\2" + expected, GOLDEN["commitment_sha_512_256"])

    def test_signatures_are_those_of_the_product(self):
        public, signature = sign(b"\1" * 32, "medshare/example/v1", b"message")
        self.assertEqual(signature, GOLDEN["signature"])
        self.assertTrue(ed25519.verify(public, "medshare/example/v1", b"message", GOLDEN["signature"]))
        self.assertFalse(ed25519.verify(public, "medshare/example/v1", b"messages", GOLDEN["signature"]))

    def test_proofs_of_a_golden_receipt_lead_to_the_headers_roots(self):
        receipt = SCHEMA.decode("Receipt", GOLDEN["receipt"])
        self.assertEqual((receipt["index"], receipt["header"]["transactions"]), (1, 3))
        leaf = chain.leaf_hash(chain.tagged("medshare/wire/v1", receipt["transaction"].raw))
        first, last = receipt["transaction_proof"]
        root = chain.node_hash(chain.node_hash(first, leaf), last)
        self.assertEqual(root, receipt["header"]["transaction_root"])


class Segment(unittest.TestCase):
    """The golden segment: a genesis block and one block of three transactions, one of them rejected."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.genesis = pathlib.Path(self.folder.name) / "genesis.json"
        self.genesis.write_bytes(GOLDEN["genesis_json"])
        self.last = len(chain.MAGIC) + 8 + struct.unpack_from("<I", GOLDEN["segment"], len(chain.MAGIC))[0]

    def blocks(self, data):
        (pathlib.Path(self.folder.name) / "00000000000000000000.blk").write_bytes(data)
        return list(chain.blocks(self.folder.name))

    def follow(self, certified_blocks, signatures=True):
        followed = chain.Chain(json.loads(GOLDEN["genesis_json"]), signatures)
        for certified in certified_blocks:
            followed.check(certified)
        return followed

    def test_the_golden_chain_verifies(self):
        followed = self.follow(self.blocks(GOLDEN["segment"] + bytes(100)))
        self.assertEqual((followed.history.size, followed.previous), (2, GOLDEN["header_hash"]))

    def test_any_damage_to_the_file_is_found(self):
        for at in range(0, len(GOLDEN["segment"]), 7):
            damaged = bytearray(GOLDEN["segment"])
            damaged[at] ^= 0x10
            with self.subTest(at):
                try:
                    # Damage to the last record's length looks like one that is being written.
                    self.assertEqual(len(self.blocks(bytes(damaged))), 1)
                    self.assertIn(at, range(self.last, self.last + 4))
                except (chain.Broken, postcard.Malformed):
                    pass

    def test_a_record_cut_short_ends_the_newest_segment_and_breaks_an_older_one(self):
        self.assertEqual(len(self.blocks(GOLDEN["segment"][:-1])), 1)
        (pathlib.Path(self.folder.name) / "00000000000000000001.blk").write_bytes(chain.MAGIC)
        with self.assertRaisesRegex(chain.Broken, "cut short"):
            self.blocks(GOLDEN["segment"][:-1])

    def test_segments_are_named_after_their_first_height(self):
        (pathlib.Path(self.folder.name) / "00000000000000000003.blk").write_bytes(chain.MAGIC)
        with self.assertRaisesRegex(chain.Broken, "height 2 is due"):
            self.blocks(GOLDEN["segment"])

    def test_any_change_to_a_block_is_found_even_with_a_fitting_checksum(self):
        genesis_block, block = (SCHEMA.encode("CertifiedBlock", each) for each in self.blocks(GOLDEN["segment"]))
        for at in range(0, len(block), 11):
            changed = bytearray(block)
            changed[at] ^= 0x04
            with self.subTest(at), self.assertRaises((chain.Broken, postcard.Malformed)):
                self.follow(SCHEMA.decode("CertifiedBlock", each) for each in (genesis_block, bytes(changed)))

    def test_one_vote_less_than_a_quorum_is_refused(self):
        blocks = self.blocks(GOLDEN["segment"])
        del blocks[1]["certificate"]["votes"][0]
        with self.assertRaisesRegex(chain.Broken, "no quorum"):
            self.follow(blocks)

    def test_a_doubled_vote_and_a_stranger_are_refused(self):
        blocks = self.blocks(GOLDEN["segment"])
        votes = blocks[1]["certificate"]["votes"]
        votes[2] = votes[1]
        with self.assertRaisesRegex(chain.Broken, "not ascending"):
            self.follow(blocks)
        votes[2] = (9, votes[1][1])
        with self.assertRaisesRegex(chain.Broken, "no replica"):
            self.follow(blocks)


def variant(enum, name, **fields):
    """A value of one of the schema's enums: bare, with fields, or with one `value`."""
    number, kind = next((number, kind) for number, (other, kind) in SCHEMA.types[enum].variants.items() if other == name)
    return postcard.Variant(number, name, None if kind is None else fields.get("value", fields))


class Consortium:
    """Makes chains: replicas with the seeds of the golden values, one member, any events."""

    def __init__(self, folder):
        self.folder = folder
        self.genesis = json.loads(GOLDEN["genesis_json"])
        self.chain = chain.chain_id(self.genesis)
        self.history, self.previous, self.segment = chain.History(), chain.ZERO, bytearray(chain.MAGIC)
        self.epoch, self.signers = 0, (0, 2, 3)
        self.block()

    def block(self, *outcomes, system=()):
        """Appends a block with a transaction for each outcome: a list of events, or a rejection's (contract, code)."""
        height = self.history.size
        transactions = [self.transaction(nonce) for nonce in range(height * 100, height * 100 + len(outcomes))]
        leaves = [self.leaf(chain.ZERO, list(system))]
        for transaction, outcome in zip(transactions, outcomes):
            identity = chain.tagged("medshare/transaction/v1", SCHEMA.encode("TransactionBody", transaction["body"]))
            leaves.append(self.leaf(identity, outcome))
        wires = [chain.tagged("medshare/wire/v1", SCHEMA.encode("SignedTransaction", each)) for each in transactions]
        hashes = [chain.tagged("medshare/outcome/v1", SCHEMA.encode("OutcomeLeaf", leaf)) for leaf in leaves]
        header = {
            "chain": self.chain,
            "height": height,
            "previous": self.previous,
            "time": self.genesis["time"] + height,
            "epoch": self.epoch,
            "transactions": len(transactions),
            "transaction_root": chain.tree_root(wires),
            "outcome_root": chain.tree_root(hashes),
            "state_root": chain.ZERO,
            "history_root": self.history.root(),
        }
        self.previous = chain.tagged("medshare/header/v1", SCHEMA.encode("Header", header))
        self.history.append(self.previous)
        votes = [(replica, self.vote(replica, height)) for replica in self.signers] if height else []
        block = {"header": header, "transactions": transactions, "outcomes": leaves}
        certified = {"block": block, "certificate": {"epoch": self.epoch, "view": 0, "votes": votes}}
        payload = SCHEMA.encode("CertifiedBlock", certified)
        self.segment += struct.pack("<II", len(payload), zlib.crc32(payload)) + payload

    def transaction(self, nonce):
        public, _ = sign(b"\1" * 32, "", b"")
        body = {"chain": self.chain, "submitter": b"\1" * 16, "public_key": public, "nonce": nonce}
        body |= {"valid_until": 0, "contract": 2, "command": b""}
        identity = chain.tagged("medshare/transaction/v1", SCHEMA.encode("TransactionBody", body))
        return {"body": body, "signature": sign(b"\1" * 32, "medshare/transaction/v1", identity)[1]}

    def leaf(self, identity, outcome):
        if isinstance(outcome, tuple):
            rejected = variant("Outcome", "Rejected", contract=outcome[0], code=outcome[1])
            return {"transaction": identity, "outcome": rejected, "events": [], "writes": chain.ZERO}
        numbers = {name: number for number, name in recount.CONTRACTS.items()}
        events = [
            {"contract": numbers[contract], "bytes": SCHEMA.encode(f"{contract}.Event", event)}
            if contract != "ledger"
            else {"contract": chain.LEDGER_CONTRACT, "bytes": SCHEMA.encode("LedgerEvent", event)}
            for contract, event in outcome
        ]
        return {"transaction": identity, "outcome": variant("Outcome", "Accepted"), "events": events, "writes": chain.ZERO}

    def vote(self, replica, height):
        vote = {"chain": self.chain, "replica": replica, "epoch": self.epoch, "view": 0, "height": height, "block": self.previous}
        return sign(bytes([100 + replica]) * 32, "medshare/block-vote/v2", SCHEMA.encode("Vote", vote))[1]

    def recount(self):
        (self.folder / "00000000000000000000.blk").write_bytes(self.segment)
        (self.folder / "genesis.json").write_bytes(GOLDEN["genesis_json"])
        return recount.recount(self.folder, self.folder / "genesis.json", signatures=True)


def number(value):
    return bytes([value]) * 16


def epoch_started(epoch, first_height, replicas):
    """The ledger's own event: from that height on these replicas certify."""
    key = lambda replica: sign(bytes([100 + replica]) * 32, "", b"")[0]
    replicas = [{"replica": each, "operator": number(each + 1), "public_key": key(each)} for each in replicas]
    description = {"epoch": epoch, "first_height": first_height, "replicas": replicas}
    return "ledger", variant("LedgerEvent", "EpochStarted", value=description)


def item(index):
    return {"application": number(7), "index": index}


def opened(index):
    fields = {"record": number(1), "hospital": number(2), "patient": number(3), "applicant": number(4)}
    fields |= {"item": item(index), "price": 500, "item_key": bytes(32), "deadline": 9}
    return "authorization", variant("authorization.Event", "ItemOpened", **fields)


def refused(index, refuser):
    refuser = variant("authorization.Refuser", refuser)
    reason = variant("authorization.RefusalReason", "Price")
    return "authorization", variant("authorization.Event", "ItemRefused", item=item(index), refuser=refuser, reason=reason)


def released(index):
    fields = {"item": item(index), "record": number(1), "grant": number(5), "applicant": number(4), "patient": number(3)}
    return "authorization", variant("authorization.Event", "ItemReleased", **fields, price=500, until=9, sealed_key=b"key")


def posted(reason, index, *lines):
    lines = [{"account": account, "amount": amount} for account, amount in lines]
    reason = variant("settlement.PostingReason", reason, value=item(index))
    return "settlement", variant("settlement.Event", "Posted", reason=reason, lines=lines)


def adjudicated(claim):
    fields = {"claim": claim, "hospital": number(2), "insured": number(3), "plan": 1, "rules_version": 1}
    category = variant("settlement.BenefitCategory", "Other")
    amounts = {"charged": 10, "benefit": 8, "share": 2}
    return "settlement", variant("settlement.Event", "ClaimAdjudicated", **fields, category=category, **amounts)


class Recount(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.consortium = Consortium(pathlib.Path(folder.name))

    def test_a_chain_is_followed_into_the_epoch_that_it_announced(self):
        self.consortium.block([epoch_started(1, 3, (1, 2, 3, 4))])
        self.consortium.block([])
        self.consortium.epoch, self.consortium.signers = 1, (1, 3, 4)
        self.consortium.block([])
        self.assertEqual(self.consortium.recount()["height"], 3)

    def test_replicas_of_the_epoch_before_certify_nothing_after_its_end(self):
        self.consortium.block([epoch_started(1, 2, (1, 2, 3, 4))])
        self.consortium.block([])
        with self.assertRaisesRegex(chain.Broken, "of another epoch"):
            self.consortium.recount()

    def test_a_replica_of_no_epoch_certifies_nothing_in_the_next(self):
        self.consortium.block([epoch_started(1, 2, (1, 2, 3, 4))])
        self.consortium.epoch, self.consortium.signers = 1, (1, 2, 5)
        self.consortium.block([])
        with self.assertRaisesRegex(chain.Broken, "no replica of the epoch"):
            self.consortium.recount()

    def test_a_second_epoch_is_not_announced_before_the_first_began(self):
        self.consortium.block([epoch_started(1, 9, (1, 2, 3, 4))])
        self.consortium.block([epoch_started(1, 10, (1, 2, 3, 5))])
        with self.assertRaisesRegex(chain.Broken, "before the last one started"):
            self.consortium.recount()

    def test_figures_are_those_of_the_events(self):
        member = lambda value: variant("settlement.Account", "Member", value=number(value))
        escrow = lambda index: variant("settlement.Account", "Escrow", value=item(index))
        external = variant("settlement.Account", "External")
        expired = "authorization", variant("authorization.Event", "ItemExpired", item=item(4))
        self.consortium.block(
            [posted("EscrowReturned", 9, (external, -2000), (member(4), 2000))],
            [event for index in range(6) for event in (opened(index), posted("EscrowHeld", index, (member(4), -500), (escrow(index), 500)))],
            (3, 7),
        )
        self.consortium.block(
            [refused(0, "Hospital")],
            [refused(1, "Patient")],
            [released(2), posted("ItemPaid", 2, (escrow(2), -500), (member(3), 500))],
            [released(3), posted("ItemPaid", 3, (escrow(3), -500), (member(3), 500))],
            [adjudicated(bytes(32)), adjudicated(bytes(31) + b"\1")],
            [adjudicated(bytes(32))],
            system=[expired],
        )
        report = self.consortium.recount()
        states = {"open": 1, "released": 2, "refused_by_hospital": 1, "refused_by_patient": 1, "withdrawn": 0, "expired": 1}
        self.assertEqual(report["applications"], states)
        self.assertEqual((report["blocks"], report["height"]), (3, 2))
        self.assertEqual((report["transactions"], report["accepted"], report["rejected"]), (9, 8, 1))
        self.assertEqual((report["paid"], report["adjudicated"], report["money_inside"]), (1000, 2, 2000))
        self.assertEqual(report["rejections"], {"authorization 7": 1})

    def test_a_posting_that_makes_money_is_refused(self):
        external = variant("settlement.Account", "External")
        self.consortium.block([posted("ItemPaid", 1, (external, 5))])
        with self.assertRaisesRegex(chain.Broken, "block 1: a posting does not sum to zero"):
            self.consortium.recount()

    def test_an_event_that_does_not_decode_is_refused(self):
        self.consortium.block([released(1)])
        self.consortium.segment = self.consortium.segment.replace(b"\x03key", b"\x04key")
        with self.assertRaises((chain.Broken, postcard.Malformed)):
            self.consortium.recount()


class Encoding(unittest.TestCase):
    def test_numbers_have_one_encoding(self):
        schema = postcard.Schema("type A = u16 type B = i64 type C = u32? type D = map(string, u8)")
        self.assertEqual(schema.decode("A", b"\xac\x02"), 300)
        for bad in [b"\xac\x82\x00", b"\x85\x00", b"\xff\xff\x04", b"\x05\x00", b"", b"\x80"]:
            with self.subTest(bad), self.assertRaises(postcard.Malformed):
                schema.decode("A", bad)
        for number in [0, -1, 1, -(2**63), 2**63 - 1]:
            self.assertEqual(schema.decode("B", schema.encode("B", number)), number)
        self.assertEqual(schema.encode("B", -5), b"\x09")
        with self.assertRaises(postcard.Malformed):
            schema.decode("C", b"\2\1")
        with self.assertRaises(postcard.Malformed):
            schema.decode("D", b"\2\1b\0\1a\0")

    def test_the_schema_is_that_of_the_contracts(self):
        text = (pathlib.Path(__file__).parent / "format.schema").read_text()
        for name, declaration in rust_types.derive(ROOT).items():
            with self.subTest(name):
                self.assertIn(declaration, text, "format.schema is behind crates/contracts: run rust_types.py")

    def test_the_schema_is_printed_in_the_document(self):
        document = (ROOT / "docs/ledger-format.md").read_text()
        printed = "\n".join(re.findall(r"```schema\n(.*?)```", document, re.S))
        text = (pathlib.Path(__file__).parent / "format.schema").read_text()
        self.assertEqual(declarations(printed), declarations(text))


class Checkpoints(unittest.TestCase):
    """On the vectors that crates/keys makes and the browser's library is tried on."""

    vectors = json.loads((ROOT / "services/portal/assets/browser/tests/vectors.json").read_text())
    genesis = json.loads(vectors["genesis"])

    def test_the_replicas_signatures_hold_and_none_under_another_text(self):
        note = self.vectors["checkpoints"][4]["newer"]
        self.assertEqual(checkpoint.Checkpoint(note).signers(self.genesis), [0, 2, 3])
        forged = note.replace("\n7\n", "\n8\n")
        self.assertEqual(checkpoint.Checkpoint(forged).signers(self.genesis), [])
        with self.assertRaises(chain.Broken):
            checkpoint.Checkpoint(note.replace("\n7\n", "\n07\n"))

    def test_a_log_is_a_prefix_of_another_by_its_proof_and_by_no_other(self):
        for pair in self.vectors["checkpoints"]:
            older, newer = checkpoint.Checkpoint(pair["older"]), checkpoint.Checkpoint(pair["newer"])
            proof = [bytes.fromhex(digest) for digest in pair["proof"]]
            self.assertTrue(checkpoint.is_prefix(older, newer, proof))
            self.assertFalse(checkpoint.is_prefix(older, newer, proof + [older.root]))
            if proof:
                self.assertFalse(checkpoint.is_prefix(older, newer, [bytes(32)] + proof[1:]))


class Signatures(unittest.TestCase):
    def test_small_order_keys_and_commitments_are_judged_as_zip_215_says(self):
        middle = bytes([0xFF] * 30)
        ys = [bytes(32), b"\1" + bytes(31)]
        ys += [bytes([low]) + middle + b"\x7f" for low in (0xEC, 0xED, 0xEE)]
        ys += [
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        ]
        encodings = ys + [y[:31] + bytes([y[31] | 0x80]) for y in ys]
        for key in encodings:
            for commitment in encodings:
                self.assertTrue(ed25519.PublicKey(key).verify(b"any", commitment + bytes(32)))
            self.assertTrue(ed25519.is_weak(key))
        self.assertFalse(ed25519.is_weak(sign(b"\1" * 32, "d", b"m")[0]))

    def test_a_scalar_beyond_the_order_is_refused(self):
        public, signature = sign(b"\7" * 32, "d", b"m")
        scalar = int.from_bytes(signature[32:], "little") + ed25519.ORDER
        self.assertTrue(ed25519.verify(public, "d", b"m", signature))
        self.assertFalse(ed25519.verify(public, "d", b"m", signature[:32] + scalar.to_bytes(32, "little")))

    def test_a_key_judges_alike_before_and_after_it_has_a_table(self):
        public, signature = sign(b"\7" * 32, "d", b"m")
        broken = signature[:40] + bytes([signature[40] ^ 1]) + signature[41:]
        for _ in range(ed25519.PublicKey.USES_BEFORE_TABLE * 2):
            self.assertTrue(ed25519.verify(public, "d", b"m", signature))
            self.assertFalse(ed25519.verify(public, "d", b"m", broken))


if __name__ == "__main__":
    unittest.main()
