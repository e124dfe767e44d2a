"""Reads and writes postcard bytes by a schema, canonical ones only.

The schema is text (format.schema), also printed in docs/ledger-format.md:

    type NAME = TYPE
    struct NAME { FIELD: TYPE, ... }
    enum NAME { NUMBER VARIANT ... }, where a variant is bare, has { FIELD: TYPE, ... } or one ( TYPE )

TYPE is u8 u16 u32 u64 i64 bool string bytes, bytesN (N raw bytes), [T] (list), T? (option),
(A, B) (tuple), map(K, V), or a name. Inside `enum records.Event` a name is first looked up as
`records.NAME`, then as it stands.
"""

import re


class Malformed(Exception):
    """The bytes are not the canonical encoding of a value of the type."""


class Struct(dict):
    """A decoded struct: fields by name; `raw` holds the bytes it was decoded from."""

    raw = b""


class Variant:
    """A decoded enum value."""

    def __init__(self, number, name, value):
        self.number, self.name, self.value = number, name, value

    def __eq__(self, other):
        return (self.number, self.value) == (other.number, other.value)

    def __hash__(self):
        return hash((self.number, _frozen(self.value)))

    def __repr__(self):
        return f"{self.name}({self.value!r})"


def _frozen(value):
    if isinstance(value, dict):
        return tuple((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return value


# Unsigned integers are varints of at most this many bits; u8 is one raw byte.
_BITS = {"u16": 16, "u32": 32, "u64": 64}


def read_varint(data, at, bits):
    number = shift = 0
    while True:
        if at >= len(data):
            raise Malformed("the bytes end inside a number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift >= bits:
            raise Malformed("a number is too long")
    if number >= 1 << bits:
        raise Malformed("a number is too large")
    if byte == 0 and shift:
        raise Malformed("a number is encoded overlong")
    return number, at


def write_varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _take(data, at, count):
    if at + count > len(data):
        raise Malformed("the bytes end early")
    return data[at : at + count], at + count


class _Unsigned:
    def __init__(self, bits):
        self.bits = bits

    def read(self, data, at):
        return read_varint(data, at, self.bits)

    def write(self, value):
        if not 0 <= value < 1 << self.bits:
            raise Malformed(f"{value} is no u{self.bits}")
        return write_varint(value)


class _Byte:
    def read(self, data, at):
        taken, at = _take(data, at, 1)
        return taken[0], at

    def write(self, value):
        return bytes([value])


class _Signed:
    def read(self, data, at):
        zigzag, at = read_varint(data, at, 64)
        return (zigzag >> 1) ^ -(zigzag & 1), at

    def write(self, value):
        return write_varint((value << 1) ^ (value >> 63))


class _Bool:
    def read(self, data, at):
        taken, at = _take(data, at, 1)
        if taken[0] > 1:
            raise Malformed("a truth value is neither 0 nor 1")
        return taken[0] == 1, at

    def write(self, value):
        return b"\1" if value else b"\0"


class _Array:
    """Raw bytes of a fixed number; written from bytes or from hex."""

    def __init__(self, count):
        self.count = count

    def read(self, data, at):
        return _take(data, at, self.count)

    def write(self, value):
        value = bytes.fromhex(value) if isinstance(value, str) else value
        if len(value) != self.count:
            raise Malformed(f"{len(value)} bytes where {self.count} belong")
        return value


class _Bytes:
    def read(self, data, at):
        count, at = read_varint(data, at, 64)
        return _take(data, at, count)

    def write(self, value):
        value = bytes.fromhex(value) if isinstance(value, str) else value
        return write_varint(len(value)) + value


class _String:
    def read(self, data, at):
        taken, at = _Bytes().read(data, at)
        try:
            return taken.decode("utf-8"), at
        except UnicodeDecodeError as error:
            raise Malformed("a text is not UTF-8") from error

    def write(self, value):
        return _Bytes().write(value.encode("utf-8"))


class _List:
    def __init__(self, item):
        self.item = item

    def read(self, data, at):
        count, at = read_varint(data, at, 64)
        values = []
        for _ in range(count):
            value, at = self.item.read(data, at)
            values.append(value)
        return values, at

    def write(self, value):
        return write_varint(len(value)) + b"".join(map(self.item.write, value))


class _Option:
    def __init__(self, item):
        self.item = item

    def read(self, data, at):
        taken, at = _take(data, at, 1)
        if taken == b"\0":
            return None, at
        if taken != b"\1":
            raise Malformed("an option's tag is neither 0 nor 1")
        return self.item.read(data, at)

    def write(self, value):
        return b"\0" if value is None else b"\1" + self.item.write(value)


class _Tuple:
    def __init__(self, items):
        self.items = items

    def read(self, data, at):
        values = []
        for item in self.items:
            value, at = item.read(data, at)
            values.append(value)
        return tuple(values), at

    def write(self, value):
        if len(value) != len(self.items):
            raise Malformed("a tuple of another length")
        return b"".join(item.write(part) for item, part in zip(self.items, value))


class _Map:
    """Pairs with ascending, distinct keys (text in the order of its UTF-8 bytes)."""

    def __init__(self, key, value):
        self.pairs = _List(_Tuple([key, value]))
        self.key = key

    def read(self, data, at):
        pairs, at = self.pairs.read(data, at)
        keys = [self.key.write(key) if not isinstance(key, str) else key.encode() for key, _ in pairs]
        if any(first >= second for first, second in zip(keys, keys[1:])):
            raise Malformed("the keys of a map do not ascend")
        return dict(pairs), at

    def write(self, value):
        order = lambda pair: pair[0].encode() if isinstance(pair[0], str) else pair[0]
        return self.pairs.write(sorted(value.items(), key=order))


class _Named:
    """A reference, looked up when first used (types may be declared in any order)."""

    def __init__(self, schema, scope, name):
        self.schema, self.scope, self.name, self.found = schema, scope, name, None

    def _resolve(self):
        if self.found is None:
            types = self.schema.types
            found = types.get(f"{self.scope}.{self.name}") or types.get(self.name)
            if found is None:
                raise KeyError(f"the schema has no type {self.name} (seen in {self.scope or 'the top'})")
            self.found = found
        return self.found

    def read(self, data, at):
        return self._resolve().read(data, at)

    def write(self, value):
        return self._resolve().write(value)


class _Fields:
    def __init__(self, fields):
        self.fields = fields

    def read(self, data, at):
        struct, start = Struct(), at
        for name, kind in self.fields:
            struct[name], at = kind.read(data, at)
        struct.raw = data[start:at]
        return struct, at

    def write(self, value):
        unknown = set(value) - {name for name, _ in self.fields}
        if unknown:
            raise Malformed(f"unknown fields: {sorted(unknown)}")
        return b"".join(kind.write(value[name]) for name, kind in self.fields)


class _Enum:
    def __init__(self, variants):
        self.variants = variants  # number -> (name, type or None)

    def read(self, data, at):
        number, at = read_varint(data, at, 32)
        if number not in self.variants:
            raise Malformed(f"no variant has number {number}")
        name, kind = self.variants[number]
        value = None
        if kind is not None:
            value, at = kind.read(data, at)
        return Variant(number, name, value), at

    def write(self, value):
        name, kind = self.variants[value.number]
        return write_varint(value.number) + (b"" if kind is None else kind.write(value.value))


_TOKEN = re.compile(r"\s*(?:#[^\n]*\n\s*)*([A-Za-z_][\w.]*|\d+|[{}()\[\],:?=])")


class Schema:
    """The types of a schema text."""

    def __init__(self, text):
        self.types = {}
        self._tokens = _TOKEN.findall(text + "\n")
        self._at = 0
        while self._at < len(self._tokens):
            self._declaration()

    def decode(self, name, data):
        """The value whose canonical bytes are exactly data."""
        value, at = self.types[name].read(data, 0)
        if at != len(data):
            raise Malformed(f"{len(data) - at} bytes after the end")
        return value

    def encode(self, name, value):
        return self.types[name].write(value)

    def _next(self, *expected):
        token = self._tokens[self._at]
        self._at += 1
        if expected and token not in expected:
            raise ValueError(f"schema: {token!r} where one of {expected} belongs")
        return token

    def _peek(self):
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _declaration(self):
        kind, name = self._next("type", "struct", "enum"), self._next()
        scope = name.rpartition(".")[0]
        if name in self.types:
            raise ValueError(f"schema: {name} is declared twice")
        if kind == "type":
            self._next("=")
            self.types[name] = self._type(scope)
        elif kind == "struct":
            self.types[name] = self._fields(scope)
        else:
            self.types[name] = self._enum(scope)

    def _fields(self, scope):
        fields = []
        self._next("{")
        while self._peek() != "}":
            name = self._next()
            self._next(":")
            fields.append((name, self._type(scope)))
            if self._peek() == ",":
                self._next(",")
        self._next("}")
        return _Fields(fields)

    def _enum(self, scope):
        variants = {}
        self._next("{")
        while self._peek() != "}":
            number, name = int(self._next()), self._next()
            content = None
            if self._peek() == "{":
                content = self._fields(scope)
            elif self._peek() == "(":
                self._next("(")
                content = self._type(scope)
                self._next(")")
            if number in variants:
                raise ValueError(f"schema: two variants have number {number}")
            variants[number] = (name, content)
        self._next("}")
        return _Enum(variants)

    def _type(self, scope):
        kind = self._plain_type(scope)
        while self._peek() == "?":
            self._next("?")
            kind = _Option(kind)
        return kind

    def _plain_type(self, scope):
        token = self._next()
        if token == "[":
            item = self._type(scope)
            self._next("]")
            return _List(item)
        if token == "(":
            return _Tuple(self._types_until_parenthesis(scope))
        if token == "map":
            self._next("(")
            return _Map(*self._types_until_parenthesis(scope))
        if token in _BITS:
            return _Unsigned(_BITS[token])
        simple = {"u8": _Byte, "i64": _Signed, "bool": _Bool, "bytes": _Bytes, "string": _String}
        if token in simple:
            return simple[token]()
        if re.fullmatch(r"bytes\d+", token):
            return _Array(int(token[5:]))
        return _Named(self, scope, token)

    def _types_until_parenthesis(self, scope):
        items = [self._type(scope)]
        while self._next(",", ")") == ",":
            items.append(self._type(scope))
        return items
