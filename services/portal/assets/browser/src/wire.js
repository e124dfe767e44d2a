// The types of postcard, read strictly: the shortest form of every number, nothing beyond the end, no doubtful tag.
//
// Numbers of at most 32 bits are numbers, those of 64 bits are BigInts. An enum's value is {variant, value}.

import { Malformed, fromHex, toHex, utf8 } from "./bytes.js";

/** Bytes being read. */
export class Input {
  constructor(bytes) {
    this.data = bytes;
    this.at = 0;
  }

  take(count) {
    if (count > this.data.length - this.at) throw new Malformed("the bytes end early");
    const taken = this.data.subarray(this.at, this.at + count);
    this.at += count;
    return taken;
  }

  byte() {
    return this.take(1)[0];
  }

  /** An unsigned number of at most `bits` bits, as a BigInt. */
  varint(bits) {
    let number = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.byte();
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0n) throw new Malformed("a number is encoded overlong");
        break;
      }
      shift += 7n;
      if (shift >= BigInt(bits)) throw new Malformed("a number is too long");
    }
    if (number >> BigInt(bits) !== 0n) throw new Malformed("a number is too large");
    return number;
  }

  /** A count of things that take at least one byte each. */
  count() {
    const count = this.varint(64);
    if (count > BigInt(this.data.length - this.at)) throw new Malformed("the bytes end early");
    return Number(count);
  }
}

/** Bytes being written. */
export class Output {
  constructor() {
    this.parts = [];
    this.length = 0;
  }

  put(bytes) {
    this.parts.push(bytes);
    this.length += bytes.length;
  }

  varint(number) {
    let rest = BigInt(number);
    const bytes = [];
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.put(Uint8Array.from(bytes));
  }

  bytes() {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

// JSON values come from json.js: numbers as {number: text}, so that 64 bits survive.
function jsonInteger(value, least, most) {
  const text = value?.number;
  if (typeof text !== "string" || !/^-?(0|[1-9][0-9]*)$/.test(text) || text === "-0") throw new Malformed("not an integer");
  const number = BigInt(text);
  if (number < least || number > most) throw new Malformed("an integer out of range");
  return number;
}

function unsigned(bits, asBigInt) {
  const most = (1n << BigInt(bits)) - 1n;
  return {
    read: (input) => (asBigInt ? input.varint(bits) : Number(input.varint(bits))),
    write(output, value) {
      if (BigInt(value) < 0n || BigInt(value) > most) throw new Malformed(`${value} does not fit ${bits} bits`);
      output.varint(value);
    },
    fromJson(value) {
      const number = jsonInteger(value, 0n, most);
      return asBigInt ? number : Number(number);
    },
  };
}

const u8 = {
  read: (input) => input.byte(),
  write: (output, value) => output.put(Uint8Array.of(value)),
  fromJson: (value) => Number(jsonInteger(value, 0n, 255n)),
};

const i64 = {
  read(input) {
    const zigzag = input.varint(64);
    return (zigzag >> 1n) ^ -(zigzag & 1n);
  },
  write(output, value) {
    output.varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
  },
  fromJson: (value) => jsonInteger(value, -(1n << 63n), (1n << 63n) - 1n),
};

const bool = {
  read(input) {
    const byte = input.byte();
    if (byte > 1) throw new Malformed("a truth value is neither 0 nor 1");
    return byte === 1;
  },
  write: (output, value) => output.put(Uint8Array.of(value ? 1 : 0)),
  fromJson(value) {
    if (typeof value !== "boolean") throw new Malformed("neither true nor false");
    return value;
  },
};

const bytes = {
  read: (input) => input.take(input.count()),
  write(output, value) {
    output.varint(value.length);
    output.put(value);
  },
  fromJson: (value) => fromHex(value),
};

const string = {
  read(input) {
    const taken = bytes.read(input);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(taken);
    } catch {
      throw new Malformed("a text is not UTF-8");
    }
  },
  write: (output, value) => bytes.write(output, utf8(value)),
  fromJson(value) {
    if (typeof value !== "string") throw new Malformed("not a text");
    return value;
  },
};

/** The types without parts, by their name in the schema. */
export const PLAIN = {
  u8,
  u16: unsigned(16, false),
  u32: unsigned(32, false),
  u64: unsigned(64, true),
  i64,
  bool,
  string,
  bytes,
};

/** `count` raw bytes. */
export function array(count) {
  return {
    read: (input) => input.take(count),
    write(output, value) {
      if (value.length !== count) throw new Malformed(`${value.length} bytes where ${count} belong`);
      output.put(value);
    },
    fromJson: (value) => fromHex(value, count),
  };
}

export function option(item) {
  return {
    read(input) {
      const tag = input.byte();
      if (tag > 1) throw new Malformed("an option's tag is neither 0 nor 1");
      return tag === 1 ? item.read(input) : null;
    },
    write(output, value) {
      output.put(Uint8Array.of(value === null ? 0 : 1));
      if (value !== null) item.write(output, value);
    },
    fromJson: (value) => (value === null ? null : item.fromJson(value)),
  };
}

export function list(item) {
  return {
    read(input) {
      const count = input.count();
      const items = [];
      for (let index = 0; index < count; index += 1) items.push(item.read(input));
      return items;
    },
    write(output, items) {
      output.varint(items.length);
      for (const value of items) item.write(output, value);
    },
    fromJson(value) {
      if (!Array.isArray(value)) throw new Malformed("not a list");
      return value.map((entry) => item.fromJson(entry));
    },
  };
}

export function tuple(items) {
  return {
    read: (input) => items.map((item) => item.read(input)),
    write: (output, values) => items.forEach((item, at) => item.write(output, values[at])),
    fromJson(value) {
      if (!Array.isArray(value) || value.length !== items.length) throw new Malformed(`not a list of ${items.length}`);
      return items.map((item, at) => item.fromJson(value[at]));
    },
  };
}

/** Pairs with ascending, distinct keys; a list of [key, value]. */
export function map(key, value) {
  const pairs = list(tuple([key, value]));
  const order = (one, other) => compare(sortKey(one), sortKey(other));
  const check = (entries) => {
    for (let at = 1; at < entries.length; at += 1) {
      if (order(entries[at - 1][0], entries[at][0]) >= 0) throw new Malformed("the keys of a map do not ascend");
    }
    return entries;
  };
  return {
    read: (input) => check(pairs.read(input)),
    write: (output, entries) => pairs.write(output, check(entries)),
    fromJson(object) {
      if (object === null || typeof object !== "object" || Array.isArray(object)) throw new Malformed("not an object");
      const entries = Object.entries(object).map(([name, entry]) => [name, value.fromJson(entry)]);
      return entries.sort(([one], [other]) => order(one, other));
    },
  };
}

function sortKey(key) {
  return typeof key === "string" ? utf8(key) : key;
}

function compare(one, other) {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) if (one[at] !== other[at]) return one[at] - other[at];
  return one.length - other.length;
}

export function struct(fields) {
  return {
    read: (input) => Object.fromEntries(fields.map(([name, codec]) => [name, codec.read(input)])),
    write: (output, value) => fields.forEach(([name, codec]) => codec.write(output, value[name])),
    fromJson(value) {
      if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Malformed("not an object");
      const known = new Set(fields.map(([name]) => name));
      const unknown = Object.keys(value).find((name) => !known.has(name));
      if (unknown !== undefined) throw new Malformed(`unknown field ${unknown}`);
      return Object.fromEntries(
        fields.map(([name, codec]) => {
          if (!Object.hasOwn(value, name)) throw new Malformed(`missing field ${name}`);
          try {
            return [name, codec.fromJson(value[name])];
          } catch (error) {
            throw new Malformed(`${name}: ${error.message}`);
          }
        }),
      );
    },
  };
}

export function enumeration(variants) {
  const numbers = new Map(variants.map(({ name }, number) => [name, number]));
  return {
    read(input) {
      const number = Number(input.varint(32));
      const found = variants[number];
      if (!found) throw new Malformed(`there is no variant ${number}`);
      return { variant: found.name, value: found.content ? found.content.read(input) : null };
    },
    write(output, { variant, value }) {
      const number = numbers.get(variant);
      if (number === undefined) throw new Malformed(`there is no variant ${variant}`);
      output.varint(number);
      if (variants[number].content) variants[number].content.write(output, value);
    },
    fromJson() {
      throw new Malformed("not read from JSON");
    },
  };
}

/** A decoded value as plain JSON: bytes as hex, 64-bit numbers as numbers where exact, else as text. */
export function readable(value) {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return value <= 9007199254740991n && value >= -9007199254740991n ? Number(value) : value.toString();
  if (Array.isArray(value)) return value.map(readable);
  if (value !== null && typeof value === "object") {
    if (Object.hasOwn(value, "variant") && Object.keys(value).length === 2) {
      return value.value === null ? value.variant : { [value.variant]: readable(value.value) };
    }
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, readable(entry)]));
  }
  return value;
}
