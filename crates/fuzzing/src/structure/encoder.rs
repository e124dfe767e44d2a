//! A serde serializer that writes what postcard writes, and notes the parts.

use std::fmt::Display;
use std::ops::Range;

use serde::ser::{self, Serialize};

use super::{Part, Structured, varint};

/// Writes into a [`Structured`].
pub(super) struct Encoder<'a>(pub(super) &'a mut Structured);

/// Why a value has no encoding.
#[derive(Debug)]
pub(super) struct NoEncoding(String);

impl Display for NoEncoding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}
impl std::error::Error for NoEncoding {}
impl ser::Error for NoEncoding {
    fn custom<T: Display>(message: T) -> Self {
        NoEncoding(message.to_string())
    }
}

type Written = Result<(), NoEncoding>;

impl Encoder<'_> {
    fn varint(&mut self, number: u64) -> Range<usize> {
        let start = self.0.bytes.len();
        self.0.bytes.extend(varint(number));
        start..self.0.bytes.len()
    }

    fn number(&mut self, number: u64) -> Written {
        let range = self.varint(number);
        self.0.parts.push(Part::Varint(range));
        Ok(())
    }

    fn signed(&mut self, number: i64) -> Written {
        self.number((number << 1) as u64 ^ (number >> 63) as u64)
    }

    fn byte(&mut self, byte: u8) -> Written {
        self.0.parts.push(Part::Byte(self.0.bytes.len()));
        self.0.bytes.push(byte);
        Ok(())
    }

    fn byte_string(&mut self, bytes: &[u8]) -> Written {
        let length = self.varint(bytes.len() as u64);
        self.0.bytes.extend_from_slice(bytes);
        let content = length.end..self.0.bytes.len();
        self.0.parts.push(Part::Bytes { length, content });
        Ok(())
    }
}

/// Elements or fields that follow each other.
pub(super) struct Following<'a> {
    structured: &'a mut Structured,
    length: Option<Range<usize>>,
    elements: Vec<Range<usize>>,
}

impl Following<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let start = self.structured.bytes.len();
        value.serialize(&mut Encoder(self.structured))?;
        self.elements.push(start..self.structured.bytes.len());
        Ok(())
    }

    fn close(self) -> Written {
        if let Some(length) = self.length {
            let elements = self.elements;
            self.structured
                .parts
                .push(Part::Sequence { length, elements });
        }
        Ok(())
    }
}

impl<'a> ser::Serializer for &'a mut Encoder<'_> {
    type Ok = ();
    type Error = NoEncoding;
    type SerializeSeq = Following<'a>;
    type SerializeTuple = Following<'a>;
    type SerializeTupleStruct = Following<'a>;
    type SerializeTupleVariant = Following<'a>;
    type SerializeMap = Following<'a>;
    type SerializeStruct = Following<'a>;
    type SerializeStructVariant = Following<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }
    fn serialize_bool(self, value: bool) -> Written {
        self.byte(u8::from(value))
    }
    fn serialize_i8(self, value: i8) -> Written {
        self.byte(value as u8)
    }
    fn serialize_i16(self, value: i16) -> Written {
        self.signed(value.into())
    }
    fn serialize_i32(self, value: i32) -> Written {
        self.signed(value.into())
    }
    fn serialize_i64(self, value: i64) -> Written {
        self.signed(value)
    }
    fn serialize_u8(self, value: u8) -> Written {
        self.byte(value)
    }
    fn serialize_u16(self, value: u16) -> Written {
        self.number(value.into())
    }
    fn serialize_u32(self, value: u32) -> Written {
        self.number(value.into())
    }
    fn serialize_u64(self, value: u64) -> Written {
        self.number(value)
    }
    fn serialize_f32(self, value: f32) -> Written {
        self.0.bytes.extend(value.to_le_bytes());
        Ok(())
    }
    fn serialize_f64(self, value: f64) -> Written {
        self.0.bytes.extend(value.to_le_bytes());
        Ok(())
    }
    fn serialize_char(self, value: char) -> Written {
        self.byte_string(value.encode_utf8(&mut [0; 4]).as_bytes())
    }
    fn serialize_str(self, value: &str) -> Written {
        self.byte_string(value.as_bytes())
    }
    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.byte_string(value)
    }
    fn serialize_none(self) -> Written {
        self.byte(0)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.byte(1)?;
        value.serialize(self)
    }
    fn serialize_unit(self) -> Written {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Written {
        self.number(index.into())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Written {
        self.number(index.into())?;
        value.serialize(self)
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Following<'a>, NoEncoding> {
        let length = length.ok_or(NoEncoding("a sequence of unknown length".to_owned()))?;
        let length = Some(self.varint(length as u64));
        Ok(self.following(length))
    }
    fn serialize_tuple(self, _: usize) -> Result<Following<'a>, NoEncoding> {
        Ok(self.following(None))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Following<'a>, NoEncoding> {
        Ok(self.following(None))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Following<'a>, NoEncoding> {
        self.number(index.into())?;
        Ok(self.following(None))
    }
    fn serialize_map(self, length: Option<usize>) -> Result<Following<'a>, NoEncoding> {
        self.serialize_seq(length)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Following<'a>, NoEncoding> {
        Ok(self.following(None))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Following<'a>, NoEncoding> {
        self.number(index.into())?;
        Ok(self.following(None))
    }
}

impl<'a> Encoder<'_> {
    fn following(&'a mut self, length: Option<Range<usize>>) -> Following<'a> {
        Following {
            structured: self.0,
            length,
            elements: Vec::new(),
        }
    }
}

macro_rules! following {
    ($compound:ident, $method:ident) => {
        impl ser::$compound for Following<'_> {
            type Ok = ();
            type Error = NoEncoding;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.element(value)
            }
            fn end(self) -> Written {
                self.close()
            }
        }
    };
    ($compound:ident) => {
        impl ser::$compound for Following<'_> {
            type Ok = ();
            type Error = NoEncoding;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Written {
                self.element(value)
            }
            fn end(self) -> Written {
                self.close()
            }
        }
    };
}
following!(SerializeSeq, serialize_element);
following!(SerializeTuple, serialize_element);
following!(SerializeTupleStruct, serialize_field);
following!(SerializeTupleVariant, serialize_field);
following!(SerializeStruct);
following!(SerializeStructVariant);

impl ser::SerializeMap for Following<'_> {
    type Ok = ();
    type Error = NoEncoding;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.element(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let start = self.structured.bytes.len();
        value.serialize(&mut Encoder(self.structured))?;
        // Key and value are one element.
        if let Some(element) = self.elements.last_mut() {
            element.end = start + (self.structured.bytes.len() - start);
        }
        Ok(())
    }
    fn end(self) -> Written {
        self.close()
    }
}
