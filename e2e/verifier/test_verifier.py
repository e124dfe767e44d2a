"""Tests of the verifier: python3 -m unittest discover -s e2e/verifier

The golden values are those of crates/ledger (tests/ledger/golden.txt): Rust and Python compute them
from the same made-up consortium, each with its own code.
"""

import hashlib
import hmac
import json
import pathlib
import re
import tempfile
import unittest

import chain
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
            with self.subTest(at), self.assertRaises((chain.Broken, postcard.Malformed)):
                self.blocks(bytes(damaged))

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
        strip = lambda text: [line for line in text.splitlines() if line and not line.startswith("#")]
        text = (pathlib.Path(__file__).parent / "format.schema").read_text()
        self.assertEqual(strip(printed), strip(text))


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
