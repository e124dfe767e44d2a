//! The receipts of a measured load, as they came; they are read when the clock has stopped.

use std::ops::Range;

use anyhow::Context as _;
use bus::ordering_wire::{BlockReceipts, SubmitAnswer, SubmitReply};
use ledger::{Receipt, canonical};

/// About how long a receipt is on its way.
const RECEIPT_BYTES: usize = 2_048;

/// First receipts, in the messages in which they came.
pub struct Receipts {
    messages: Vec<u8>,
    heard: Vec<Heard>,
}

/// The first receipt of a transaction.
pub struct Heard {
    /// The transaction's number.
    pub number: usize,
    /// The message that it came in.
    message: Range<usize>,
    /// Its place there.
    place: usize,
}

impl Receipts {
    /// Room for so many receipts. The memory is written to before the clock starts: the first touch of a page takes the processors
    /// from what is measured.
    pub fn with_room(count: usize) -> Receipts {
        let mut messages = vec![1; count * RECEIPT_BYTES];
        messages.clear();
        Receipts {
            messages,
            heard: Vec::with_capacity(count),
        }
    }

    /// Keeps a message with receipts.
    pub fn keep(&mut self, message: &[u8]) -> Range<usize> {
        let start = self.messages.len();
        self.messages.extend_from_slice(message);
        start..self.messages.len()
    }

    /// A transaction's first receipt is in a message that is kept.
    pub fn note(&mut self, number: usize, message: Range<usize>, place: usize) {
        self.heard.push(Heard {
            number,
            message,
            place,
        });
    }

    /// All of them.
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// Reads receipts, best in the order in which they came.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            messages: &self.messages,
            last: None,
        }
    }
}

/// Reads receipts; remembers the message that it read last.
pub struct Reader<'a> {
    messages: &'a [u8],
    last: Option<(Range<usize>, BlockReceipts)>,
}

impl Reader<'_> {
    /// A receipt.
    pub fn read(&mut self, heard: &Heard) -> anyhow::Result<Receipt> {
        let together = match self.last.take() {
            Some((message, together)) if message == heard.message => together,
            _ => {
                let bytes = &self.messages[heard.message.clone()];
                match canonical::decode::<SubmitReply>(bytes)?.answer {
                    SubmitAnswer::Receipts(together) => together,
                    _ => anyhow::bail!("transaction {}: not a receipt", heard.number),
                }
            }
        };
        let receipt = together.receipt(heard.place);
        self.last = Some((heard.message.clone(), together));
        receipt.with_context(|| format!("transaction {}: not a receipt", heard.number))
    }
}
