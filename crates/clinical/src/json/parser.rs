//! The parser: recursive descent with a depth cap, no recovery.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Json, Limits, Number};
use crate::refusal::{Fault, Place, Refusal};

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
    limits: &'a Limits,
}

pub(super) fn parse(bytes: &[u8], root: &Place<'_>, limits: &Limits) -> Result<Json, Refusal> {
    if bytes.len() > limits.bytes_max {
        return Err(root.refuse(Fault::TooLarge {
            limit: limits.bytes_max,
        }));
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(root.refuse(Fault::NotJson {
            offset: error.valid_up_to(),
            reason: "not UTF-8",
        }));
    }
    let mut parser = Parser {
        bytes,
        at: 0,
        values: 0,
        limits,
    };
    // A byte order mark is allowed to be ignored (RFC 8259, section 8.1).
    if bytes.starts_with(b"\xef\xbb\xbf") {
        parser.at = 3;
    }
    let value = parser.value(root, 0)?;
    parser.space();
    if parser.at != bytes.len() {
        return Err(parser.fault(root, "something after the value"));
    }
    Ok(value)
}

impl Parser<'_> {
    fn fault(&self, place: &Place<'_>, reason: &'static str) -> Refusal {
        place.refuse(Fault::NotJson {
            offset: self.at,
            reason,
        })
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn value(&mut self, place: &Place<'_>, depth: usize) -> Result<Json, Refusal> {
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(place.refuse(Fault::TooManyValues {
                limit: self.limits.values_max,
            }));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(place, depth + 1),
            Some(b'[') => self.array(place, depth + 1),
            Some(b'"') => Ok(Json::String(self.string(place)?)),
            Some(b'-' | b'0'..=b'9') => self.number(place),
            Some(b't') => self.word(place, b"true", Json::Bool(true)),
            Some(b'f') => self.word(place, b"false", Json::Bool(false)),
            Some(b'n') => self.word(place, b"null", Json::Null),
            Some(_) => Err(self.fault(place, "no value")),
            None => Err(self.fault(place, "the end")),
        }
    }

    fn word(&mut self, place: &Place<'_>, word: &[u8], value: Json) -> Result<Json, Refusal> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.fault(place, "no value"))
        }
    }

    fn number(&mut self, place: &Place<'_>) -> Result<Json, Refusal> {
        let end = number_end(self.bytes, self.at).ok_or_else(|| self.fault(place, "no number"))?;
        let text = std::str::from_utf8(&self.bytes[self.at..end]).unwrap_or_default();
        let number =
            Number::new(text).ok_or_else(|| self.fault(place, "a number of over 64 characters"))?;
        self.at = end;
        Ok(Json::Number(number))
    }

    fn array(&mut self, place: &Place<'_>, depth: usize) -> Result<Json, Refusal> {
        self.check_depth(place, depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(&place.index(items.len()), depth)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.fault(place, "no comma or end of the array")),
            }
        }
    }

    fn object(&mut self, place: &Place<'_>, depth: usize) -> Result<Json, Refusal> {
        self.check_depth(place, depth)?;
        self.at += 1;
        let mut object = BTreeMap::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(object));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.fault(place, "no property name"));
            }
            let name = self.string(place)?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.fault(&place.name(&name), "no colon"));
            }
            self.at += 1;
            let value = self.value(&place.name(&name), depth)?;
            match object.entry(name) {
                Entry::Occupied(taken) => {
                    return Err(place.name(taken.key()).refuse(Fault::DuplicateName));
                }
                Entry::Vacant(free) => free.insert(value),
            };
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(object));
                }
                _ => return Err(self.fault(place, "no comma or end of the object")),
            }
        }
    }

    fn check_depth(&self, place: &Place<'_>, depth: usize) -> Result<(), Refusal> {
        if depth > self.limits.depth_max {
            return Err(place.refuse(Fault::TooDeep {
                limit: self.limits.depth_max,
            }));
        }
        Ok(())
    }

    /// A string from its opening quote; the input is known to be UTF-8.
    fn string(&mut self, place: &Place<'_>) -> Result<String, Refusal> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(byte) if byte >= 0x20 && byte != b'"' && byte != b'\\')
            {
                self.at += 1;
            }
            out.extend_from_slice(&self.bytes[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return String::from_utf8(out).map_err(|_| self.fault(place, "not UTF-8"));
                }
                Some(b'\\') => {
                    self.at += 1;
                    let character = self.escape(place)?;
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(_) => return Err(self.fault(place, "a control character in a string")),
                None => return Err(self.fault(place, "the end within a string")),
            }
        }
    }

    fn escape(&mut self, place: &Place<'_>) -> Result<char, Refusal> {
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex4(place)?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    if !self.bytes[self.at..].starts_with(b"\\u") {
                        return Err(self.fault(place, "half a surrogate pair"));
                    }
                    self.at += 2;
                    let second = self.hex4(place)?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.fault(place, "half a surrogate pair"));
                    }
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| self.fault(place, "half a surrogate pair"))?
            }
            _ => return Err(self.fault(place, "an unknown escape")),
        })
    }

    fn hex4(&mut self, place: &Place<'_>) -> Result<u32, Refusal> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(code) = text.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
            return Err(self.fault(place, "an unknown escape"));
        };
        self.at += 4;
        Ok(code)
    }
}

/// Where the JSON number that starts at `from` ends.
pub(super) fn number_end(bytes: &[u8], from: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > start).then_some(at)
    };
    let mut at = from;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    let whole = digits(at)?;
    if bytes[at] == b'0' && whole > at + 1 {
        return None;
    }
    at = whole;
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(at)?;
    }
    Some(at)
}
