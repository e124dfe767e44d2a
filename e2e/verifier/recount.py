#!/usr/bin/env python3
"""Recounts a ledger: verifies one replica's block files from the genesis file, and counts what they say.

Follows docs/ledger-format.md, needs nothing but Python 3.11, and shares no code with the product.
Prints one line of JSON on success; prints what does not hold and exits with 1 otherwise.

    python3 e2e/verifier/recount.py BLOCKS_DIRECTORY GENESIS_FILE [--signatures]
"""

import argparse
import json
import sys
import time

import chain
import postcard

# The contract numbers of docs/ledger-format.md.
CONTRACTS = {1: "membership", 2: "records", 3: "authorization", 4: "settlement", 5: "telemetry", 6: "governance"}

REFUSED_BY = {"Hospital": "refused_by_hospital", "Patient": "refused_by_patient"}
ITEM_STATES = ["open", "released", "refused_by_hospital", "refused_by_patient", "withdrawn", "expired"]


class Count:
    """What the committed events add up to."""

    def __init__(self):
        self.blocks = self.accepted = self.rejected = 0
        self.records = self.views = self.paid = self.warnings = self.tampering_detected = 0
        self.adjudicated = set()
        self.applications = set()
        self.items = {}
        self.balances = {}
        self.events = {}
        self.rejections = {}

    def block(self, block):
        self.blocks += 1
        for leaf in block["outcomes"][1:]:
            outcome = leaf["outcome"]
            if outcome.number == 0:
                self.accepted += 1
            else:
                self.rejected += 1
                contract = CONTRACTS.get(outcome.value["contract"], "ledger")
                code = f"{contract} {outcome.value['code']}"
                self.rejections[code] = self.rejections.get(code, 0) + 1
        for leaf in block["outcomes"]:
            for event in leaf["events"]:
                if event["contract"] != chain.LEDGER_CONTRACT:
                    chain.require(event["contract"] in CONTRACTS, f"no contract has number {event['contract']}")
                    self.event(CONTRACTS[event["contract"]], event["bytes"])

    def event(self, contract, data):
        event = chain.SCHEMA.decode(f"{contract}.Event", data)
        name = f"{contract}.{event.name}"
        self.events[name] = self.events.get(name, 0) + 1
        counted = getattr(self, f"on_{contract}_{event.name}", None)
        if counted:
            counted(event.value)

    def on_records_RecordRegistered(self, _):
        self.records += 1

    def on_records_AccessLogged(self, _):
        self.views += 1

    def on_records_CodeRedeemed(self, _):
        self.views += 1

    def on_records_TamperingReported(self, _):
        self.tampering_detected += 1

    def on_authorization_ApplicationMade(self, event):
        self.applications.add(event["application"])

    def on_authorization_ItemOpened(self, event):
        self.end(event, "open")

    def on_authorization_ItemReleased(self, event):
        self.end(event, "released")

    def on_authorization_ItemRefused(self, event):
        self.end(event, REFUSED_BY[event["refuser"].name])

    def on_authorization_ItemWithdrawn(self, event):
        self.end(event, "withdrawn")

    def on_authorization_ItemExpired(self, event):
        self.end(event, "expired")

    def end(self, event, state):
        item = event["item"]
        self.items[item["application"], item["index"]] = state

    def on_settlement_Posted(self, event):
        chain.require(sum(line["amount"] for line in event["lines"]) == 0, "a posting does not sum to zero")
        for line in event["lines"]:
            account = line["account"]
            self.balances[account] = self.balances.get(account, 0) + line["amount"]
        if event["reason"].name == "ItemPaid":
            self.paid += sum(line["amount"] for line in event["lines"] if line["account"].name == "Member")

    def on_settlement_ClaimAdjudicated(self, event):
        self.adjudicated.add(event["claim"])

    def on_telemetry_WarningRaised(self, _):
        self.warnings += 1

    def report(self):
        states = list(self.items.values())
        return {
            "records": self.records,
            "blocks": self.blocks,
            "transactions": self.accepted + self.rejected,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "applications": {state: states.count(state) for state in ITEM_STATES},
            "applications_made": len(self.applications),
            "paid": self.paid,
            "adjudicated": len(self.adjudicated),
            "views": self.views,
            "warnings": self.warnings,
            "tampering_detected": self.tampering_detected,
            "money_inside": sum(amount for account, amount in self.balances.items() if account.name != "External"),
            "events": dict(sorted(self.events.items())),
            "rejections": dict(sorted(self.rejections.items())),
        }


def recount(blocks_directory, genesis_file, signatures=False):
    with open(genesis_file, encoding="utf-8") as file:
        genesis = json.load(file)
    followed, count = chain.Chain(genesis, signatures), Count()
    for certified in chain.blocks(blocks_directory):
        height = certified["block"]["header"]["height"]
        try:
            followed.check(certified)
            count.block(certified["block"])
        except (chain.Broken, postcard.Malformed) as error:
            raise chain.Broken(f"block {height}: {error}") from error
    report = count.report()
    report["chain"] = followed.id.hex()
    report["height"] = followed.history.size - 1
    report["last_block"] = followed.previous.hex()
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blocks_directory", help="the folder with a replica's .blk files")
    parser.add_argument("genesis_file", help="the consortium's genesis.json")
    parser.add_argument("--signatures", action="store_true", help="check the members' signatures as well (slower)")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        report = recount(arguments.blocks_directory, arguments.genesis_file, arguments.signatures)
    except (chain.Broken, postcard.Malformed, OSError, KeyError, ValueError) as error:
        print(f"does not verify: {error}", file=sys.stderr)
        return 1
    report["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
