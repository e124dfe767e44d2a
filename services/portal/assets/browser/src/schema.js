// Codecs from the schema text that docs/ledger-format.md prints (format.js holds the same text).
//
//     type NAME = TYPE
//     struct NAME { FIELD: TYPE ... }
//     enum NAME { NUMBER VARIANT ... }, where a variant is bare, has { FIELD: TYPE, ... } or one ( TYPE )
//
// TYPE is u8 u16 u32 u64 i64 bool string bytes, bytesN, [T], T?, (A, B), map(K, V), or a name. Inside
// `enum records.Event` a name is first looked up as `records.NAME`, then as it stands.

import { Malformed } from "./bytes.js";
import * as wire from "./wire.js";

const TOKEN = /\s*([A-Za-z_][A-Za-z0-9_.]*|[0-9]+|[[\](){}?,:=])/y;

/** Reads the schema text; gives a function from a type's name to its codec. */
export function parseSchema(text) {
  const types = new Map();
  const declarations = text.replace(/^\s*#.*$/gm, "");
  const reader = new Tokens(declarations);
  while (!reader.done()) {
    const kind = reader.take();
    const name = reader.take();
    const scope = name.includes(".") ? name.slice(0, name.indexOf(".")) : "";
    const parser = new Types(reader, types, scope);
    if (kind === "type") {
      reader.expect("=");
      types.set(name, parser.type());
    } else if (kind === "struct") {
      types.set(name, parser.fields());
    } else if (kind === "enum") {
      types.set(name, parser.variants());
    } else {
      throw new Error(`schema: ${kind} is no kind of declaration`);
    }
  }
  return (name) => {
    const codec = types.get(name);
    if (!codec) throw new Error(`schema: there is no type ${name}`);
    return codec;
  };
}

class Tokens {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.ahead = this.read();
  }

  read() {
    TOKEN.lastIndex = this.at;
    const found = TOKEN.exec(this.text);
    if (!found) {
      if (this.text.slice(this.at).trim() !== "") throw new Error(`schema: not understood at ${this.at}`);
      return null;
    }
    this.at = TOKEN.lastIndex;
    return found[1];
  }

  done() {
    return this.ahead === null;
  }

  take() {
    const token = this.ahead;
    if (token === null) throw new Error("schema: ends early");
    this.ahead = this.read();
    return token;
  }

  expect(token) {
    const found = this.take();
    if (found !== token) throw new Error(`schema: ${found} where ${token} belongs`);
  }

  takeIf(token) {
    if (this.ahead !== token) return false;
    this.take();
    return true;
  }
}

class Types {
  constructor(reader, types, scope) {
    this.reader = reader;
    this.types = types;
    this.scope = scope;
  }

  type() {
    let codec = this.simple();
    while (this.reader.takeIf("?")) codec = wire.option(codec);
    return codec;
  }

  simple() {
    const token = this.reader.take();
    if (token === "[") {
      const item = this.type();
      this.reader.expect("]");
      return wire.list(item);
    }
    if (token === "(") {
      const items = [this.type()];
      while (this.reader.takeIf(",")) items.push(this.type());
      this.reader.expect(")");
      return wire.tuple(items);
    }
    if (token === "map") {
      this.reader.expect("(");
      const key = this.type();
      this.reader.expect(",");
      const value = this.type();
      this.reader.expect(")");
      return wire.map(key, value);
    }
    const fixed = /^bytes([0-9]+)$/.exec(token);
    if (fixed) return wire.array(Number(fixed[1]));
    return wire.PLAIN[token] ?? this.named(token);
  }

  // Types may be declared in any order: looked up when first used.
  named(name) {
    let found = null;
    const codec = () => {
      found ??= this.types.get(`${this.scope}.${name}`) ?? this.types.get(name);
      if (!found) throw new Error(`schema: there is no type ${name}`);
      return found;
    };
    return {
      read: (input) => codec().read(input),
      write: (output, value) => codec().write(output, value),
      fromJson: (value) => codec().fromJson(value),
    };
  }

  fields() {
    const fields = [];
    this.reader.expect("{");
    while (!this.reader.takeIf("}")) {
      const name = this.reader.take();
      this.reader.expect(":");
      fields.push([name, this.type()]);
      this.reader.takeIf(",");
    }
    return wire.struct(fields);
  }

  variants() {
    const variants = [];
    this.reader.expect("{");
    while (!this.reader.takeIf("}")) {
      const number = Number(this.reader.take());
      const name = this.reader.take();
      if (number !== variants.length) throw new Error(`schema: variant ${name} is not number ${variants.length}`);
      let content = null;
      if (this.reader.ahead === "{") content = this.fields();
      else if (this.reader.takeIf("(")) {
        content = this.type();
        this.reader.expect(")");
      }
      variants.push({ name, content });
    }
    return wire.enumeration(variants);
  }
}

/** The canonical bytes of a value. */
export function encode(codec, value) {
  const output = new wire.Output();
  codec.write(output, value);
  return output.bytes();
}

/** The value whose canonical encoding is exactly `bytes`; anything else is refused ({@link Malformed}). */
export function decode(codec, bytes) {
  const input = new wire.Input(bytes);
  const value = codec.read(input);
  if (input.at !== bytes.length) throw new Malformed("bytes follow the value");
  // The rule of the format, word for word: decode, encode again, compare.
  const again = encode(codec, value);
  if (again.length !== bytes.length || again.some((byte, at) => byte !== bytes[at])) {
    throw new Malformed("not the canonical encoding of its value");
  }
  return value;
}

