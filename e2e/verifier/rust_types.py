"""Derives the schema of commands and events from crates/contracts, to compare with format.schema.

Only the tests use this: the recount itself reads nothing of the product. Run it to print the schema
after the contracts' types have changed.
"""

import pathlib
import re
import sys

CONTRACTS = ["membership", "records", "authorization", "settlement", "telemetry", "governance"]
PRIMITIVES = {"u8", "u16", "u32", "u64", "i64", "bool"}
LEDGER_TYPES = {
    "Commitment": "Commitment",
    "Digest": "Digest",
    "DigestAlgorithm": "u8",
    "LedgerId": "LedgerId",
    "PublicKey": "PublicKey",
    "Signature": "Signature",
    "Timestamp": "u64",
    "Height": "u64",
    "Epoch": "u64",
    "ReplicaId": "u16",
    "ContractId": "u16",
    "ReplicaDescription": "ReplicaDescription",
    "EpochDescription": "EpochDescription",
    "Equivocation": "Equivocation",
    "String": "string",
}


class Source:
    """The public types of one Rust file, as (kind, body) by name."""

    def __init__(self, scope, text):
        self.scope = scope
        text = re.sub(r"//[^\n]*", "", text)
        text = re.sub(r"#!?\[[^\]]*\]", "", text)
        self.types = {}
        for match in re.finditer(r"pub (enum|struct) (\w+)\s*\{", text):
            self.types[match[2]] = (match[1], _braced(text, match.end()))
        for match in re.finditer(r"pub struct (\w+)\(pub ([^;]+)\);", text):
            self.types[match[1]] = ("type", match[2])
        for match in re.finditer(r"pub type (\w+) = ([^;]+);", text):
            self.types[match[1]] = ("type", match[2])
        for match in re.finditer(r"identifier16!\s*\{\s*(\w+)\s*\}", text):
            self.types[match[1]] = ("type", "[u8; 16]")
        self.imports = dict(_imports(text))


def _braced(text, start):
    depth, at = 1, start
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[start : at - 1]


def _imports(text):
    """(name, scope) of every type imported from another contract."""
    for match in re.finditer(r"use crate::(\w+)::(?:\w+::)*(?:\{([^}]*)\}|(\w+));", text):
        for name in (match[2] or match[3]).split(","):
            yield name.strip(), "" if match[1] == "identifier" else match[1]


def _split(text):
    """Splits at commas outside of brackets."""
    parts, depth, part = [], 0, ""
    for character in text:
        depth += {"<": 1, "(": 1, "[": 1, "{": 1, ">": -1, ")": -1, "]": -1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += character
    parts.append(part.strip())
    return [part for part in parts if part]


class Deriver:
    def __init__(self, folder):
        self.scopes = {"": [Source("", (folder / "identifier.rs").read_text())]}
        for contract in CONTRACTS:
            files = [folder / contract / "command.rs", folder / contract / "event.rs"]
            self.scopes[contract] = [Source(contract, file.read_text()) for file in files]
        self.emitted = {}

    def schema(self):
        for contract in CONTRACTS:
            self.emit(contract, "Command")
            self.emit(contract, "Event")
        return self.emitted

    def find(self, scope, name):
        for source in self.scopes[scope]:
            if name in source.types:
                return source
        return None

    def emit(self, scope, name):
        qualified = f"{scope}.{name}" if scope else name
        if qualified in self.emitted:
            return qualified
        source = self.find(scope, name)
        kind, body = source.types[name]
        self.emitted[qualified] = None  # keeps the place, and ends recursion
        if kind == "type":
            text = f"type {qualified} = {self.type(source, body)}"
        elif kind == "struct":
            lines = "".join(f"  {field}\n" for field in self.fields(source, body))
            text = f"struct {qualified} {{\n{lines}}}"
        else:
            text = f"enum {qualified} {{\n{self.variants(source, body)}}}"
        self.emitted[qualified] = text
        return qualified

    def fields(self, source, body):
        for field in _split(body):
            name, _, kind = field.removeprefix("pub ").partition(":")
            yield f"{name.strip()}: {self.type(source, kind)}"

    def variants(self, source, body):
        lines = ""
        for number, variant in enumerate(_split(body)):
            match = re.fullmatch(r"(\w+)\s*(?:\{(.*)\}|\((.*)\)|=.*)?", variant, re.S)
            lines += f"  {number} {match[1]}"
            if match[2] is not None:
                lines += " { " + ", ".join(self.fields(source, match[2])) + " }"
            elif match[3] is not None:
                lines += f" ({self.type(source, match[3])})"
            lines += "\n"
        return lines

    def type(self, source, text):
        text = text.strip().removeprefix("ledger::").removeprefix("pub ")
        if text in PRIMITIVES:
            return text
        if text == "Vec<u8>":
            return "bytes"
        if match := re.fullmatch(r"\[u8; (\d+)\]", text):
            return f"bytes{match[1]}"
        if match := re.fullmatch(r"Vec<(.*)>", text):
            return f"[{self.type(source, match[1])}]"
        if match := re.fullmatch(r"Option<(.*)>", text):
            return f"{self.type(source, match[1])}?"
        if match := re.fullmatch(r"\((.*)\)", text):
            return "(" + ", ".join(self.type(source, part) for part in _split(match[1])) + ")"
        return self.name(source, text)

    def name(self, source, text):
        for scope in (source.scope, source.imports.get(text), ""):
            if scope is not None and self.find(scope, text):
                qualified = self.emit(scope, text)
                return text if scope == source.scope else qualified
        if text in LEDGER_TYPES:
            return LEDGER_TYPES[text]
        raise ValueError(f"no type {text} for {source.scope}")


def derive(repository):
    """Declarations by name, in the order in which they are met."""
    return Deriver(pathlib.Path(repository) / "crates/contracts/src").schema()


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    declarations = derive(root)
    shared = [text for name, text in declarations.items() if "." not in name]
    print("\n".join(shared))
    for contract in CONTRACTS:
        print(f"\n# Contract {CONTRACTS.index(contract) + 1}: {contract}\n")
        print("\n".join(text for name, text in declarations.items() if name.startswith(contract + ".")))


if __name__ == "__main__":
    sys.exit(main())
