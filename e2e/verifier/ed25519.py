"""Ed25519 verification under ZIP 215, in pure Python.

ZIP 215: keys and commitments may be encoded non-canonically, the scalar must be canonical, and the
equation is checked with the cofactor: [8][s]B = [8]R + [8][k]A. Only public data is handled here, so
nothing runs in constant time.
"""

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
TWO_D = 2 * D % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

# Points in extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z.
IDENTITY = (0, 1, 1, 0)


def add(p, q):
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = t1 * TWO_D % P * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p):
    x, y, z, _ = p
    a = x * x % P
    b = y * y % P
    h = a + b
    e = h - (x + y) * (x + y) % P
    g = a - b
    f = 2 * z * z % P + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(p):
    x, y, z, t = p
    return P - x, y, z, P - t


def decompress(encoded):
    """The point that 32 bytes encode, non-canonical encodings included; None if they encode none."""
    y = int.from_bytes(encoded, "little")
    sign = y >> 255
    y = (y & (2**255 - 1)) % P
    u = (y * y - 1) % P
    v = (D * y * y + 1) % P
    # x = u v^3 (u v^7)^((p-5)/8), RFC 8032 section 5.1.3.
    v3 = v * v % P * v % P
    x = u * v3 % P * pow(u * v3 % P * v3 % P * v % P, (P - 5) // 8, P) % P
    if v * x % P * x % P == (-u) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if v * x % P * x % P != u:
        return None
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


def compress(p):
    x, y, z, _ = p
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def is_identity(p):
    x, y, z, _ = p
    return x % P == 0 and (y - z) % P == 0


def is_weak(encoded):
    """Whether a key must not be enrolled: no point, not its canonical encoding, or of small order."""
    point = decompress(encoded)
    return point is None or compress(point) != encoded or is_identity(double(double(double(point))))


class Multiples:
    """Multiplies one point by many scalars: a table of its multiples by window * 2^(bits * place)."""

    def __init__(self, point, bits):
        self.bits = bits
        self.rows = []
        for _ in range(-(-256 // bits)):
            row = [IDENTITY]
            for _ in range(2**bits - 1):
                row.append(add(row[-1], point))
            self.rows.append(row)
            point = add(row[-1], point)

    def times(self, scalar, start=IDENTITY):
        """start + scalar * point."""
        mask = 2**self.bits - 1
        for row in self.rows:
            window = scalar & mask
            if window:
                start = add(start, row[window])
            scalar >>= self.bits
        return start


def times(scalar, point):
    """scalar * point for a point that is used once: 4-bit windows from the top."""
    row = [IDENTITY]
    for _ in range(15):
        row.append(add(row[-1], point))
    result = IDENTITY
    for place in range(252, -4, -4):
        if result is not IDENTITY:
            result = double(double(double(double(result))))
        window = scalar >> place & 15
        if window:
            result = add(result, row[window])
    return result


BASE = Multiples(decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little")), 8)


class PublicKey:
    """A key that grows a table once it has verified a few signatures."""

    USES_BEFORE_TABLE = 4

    def __init__(self, encoded):
        self.encoded = encoded
        point = decompress(encoded)
        self.minus = None if point is None else negate(point)
        self.uses = 0
        self.table = None

    def verify(self, message, signature):
        if self.minus is None or len(signature) != 64:
            return False
        scalar = int.from_bytes(signature[32:], "little")
        if scalar >= ORDER:
            return False
        hashed = hashlib.sha512(signature[:32] + self.encoded + message).digest()
        k = int.from_bytes(hashed, "little") % ORDER
        difference = BASE.times(scalar, self._times_minus(k))
        if compress(difference) == signature[:32]:
            return True
        # Not equal byte by byte: the equation may still hold up to small order or encoding.
        commitment = decompress(signature[:32])
        if commitment is None:
            return False
        return is_identity(double(double(double(add(difference, negate(commitment))))))

    def _times_minus(self, k):
        self.uses += 1
        if self.table is None and self.uses > self.USES_BEFORE_TABLE:
            self.table = Multiples(self.minus, 4)
        return times(k, self.minus) if self.table is None else self.table.times(k)


_keys = {}


def verify(encoded_key, domain, message, signature):
    """Whether the key signed message for the purpose domain: len(domain) || domain || message."""
    key = _keys.get(encoded_key)
    if key is None:
        key = _keys[encoded_key] = PublicKey(encoded_key)
    tag = domain.encode()
    return key.verify(bytes([len(tag)]) + tag + message, signature)
