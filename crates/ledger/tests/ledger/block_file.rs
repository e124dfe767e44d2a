use ledger::store_format::*;
use ledger::*;
use proptest::prelude::*;

use crate::consortium::Chain;

fn chain_of_four() -> Vec<CertifiedBlock> {
    let mut chain = Chain::new();
    chain.push(&[2, 3]);
    chain.push(&[]);
    chain.push(&[4]);
    chain.blocks
}

fn segment(blocks: &[CertifiedBlock]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    for block in blocks {
        file.extend(encode_record(block));
    }
    file
}

fn read(file: &[u8]) -> (Vec<CertifiedBlock>, Option<SegmentError>) {
    let mut blocks = vec![];
    for block in read_segment(file) {
        match block {
            Ok(block) => blocks.push(block),
            Err(error) => return (blocks, Some(error)),
        }
    }
    (blocks, None)
}

#[test]
fn a_segment_reads_back_as_written_also_in_preallocated_room() {
    let blocks = chain_of_four();
    assert_eq!(read(&segment(&blocks)), (blocks.clone(), None));
    let mut preallocated = segment(&blocks);
    preallocated.resize(preallocated.len() + 5000, 0);
    assert_eq!(read(&preallocated), (blocks, None));
    assert_eq!(read(&MAGIC), (vec![], None));
    assert_eq!(read(b"MEDSBLK2"), (vec![], Some(SegmentError::Magic)));
    assert_eq!(read(b""), (vec![], Some(SegmentError::Magic)));
}

#[test]
fn a_segment_cut_anywhere_is_torn_at_its_last_record_and_reads_up_to_it() {
    let blocks = chain_of_four();
    let whole = segment(&blocks);
    let last = segment(&blocks[..3]).len();
    assert_eq!(read(&whole[..last]), (blocks[..3].to_vec(), None));
    for end in last + 1..whole.len() {
        let (before, error) = read(&whole[..end]);
        assert_eq!(before, blocks[..3], "cut at {end}");
        let zeros_so_far = whole[last..end].iter().all(|byte| *byte == 0);
        assert_eq!(
            error,
            (!zeros_so_far).then_some(SegmentError::Torn { at: last }),
            "cut at {end}"
        );
    }
}

#[test]
fn a_record_cut_short_in_preallocated_room_is_torn() {
    let blocks = chain_of_four();
    let mut file = segment(&blocks);
    let (last, end) = (segment(&blocks[..3]).len(), file.len());
    file[end - 100..].fill(0);
    file.resize(end + 4096, 0);
    assert_eq!(
        read(&file),
        (blocks[..3].to_vec(), Some(SegmentError::Torn { at: last }))
    );
}

#[test]
fn damage_in_the_middle_is_never_taken_for_a_torn_tail() {
    let blocks = chain_of_four();
    let whole = segment(&blocks);
    let (start, end) = (segment(&blocks[..1]).len(), segment(&blocks[..2]).len());
    for position in start..end {
        for bit in [0, 3, 7] {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << bit;
            let (before, error) = read(&damaged);
            assert_eq!(before, blocks[..1], "byte {position}, bit {bit}");
            let at = start;
            assert!(
                matches!(error, Some(SegmentError::Corrupt { at: found, .. }) if found == at),
                "{error:?}"
            );
        }
    }
}

#[test]
fn a_record_that_is_no_block_is_corrupt_although_its_checksum_fits() {
    let payload = b"no block";
    let mut record = (payload.len() as u32).to_le_bytes().to_vec();
    record.extend(crc32(payload).to_le_bytes());
    record.extend(payload);
    assert!(matches!(
        decode_record(&record),
        Decoded::Corrupt(CorruptRecord::Encoding(_))
    ));
}

#[test]
fn the_checksum_is_the_ieee_crc_32_of_the_payload() {
    let record = encode_record(&chain_of_four()[0]);
    let payload = &record[RECORD_HEADER_BYTES..];
    assert_eq!(record[..4], (payload.len() as u32).to_le_bytes());
    assert_eq!(record[4..8], crc32(payload).to_le_bytes());
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

/// CRC-32 bit by bit, independent of the library.
fn crc32(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(*byte);
        for _ in 0..8 {
            remainder = (remainder >> 1) ^ (0xedb8_8320 & (remainder & 1).wrapping_neg());
        }
    }
    !remainder
}

#[test]
fn segments_are_named_by_twenty_digits() {
    assert_eq!(segment_name(Height(1500)), "00000000000000001500.blk");
    assert_eq!(
        parse_segment_name("00000000000000001500.blk"),
        Some(Height(1500))
    );
    assert_eq!(
        parse_segment_name(&segment_name(Height(u64::MAX))),
        Some(Height(u64::MAX))
    );
    for other in [
        "1500.blk",
        "00000000000000001500.tmp",
        "+0000000000000001500.blk",
        "99999999999999999999.blk",
    ] {
        assert_eq!(parse_segment_name(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_record(&bytes);
        let file = [&MAGIC[..], &bytes].concat();
        let _ = read(&file);
    }
}

#[test]
fn a_block_and_its_digests_in_one_pass_are_what_each_by_itself_gives() {
    for certified in chain_of_four() {
        let bytes = canonical::encode(&certified);
        let (decoded, digests) = CertifiedBlock::decode(&bytes).unwrap();
        assert_eq!(decoded, certified);
        let block = &certified.block;
        let ids: Vec<Digest> = block.transactions.iter().map(|each| each.id()).collect();
        assert_eq!(digests.transactions, ids);
        assert_eq!(
            digests.wires,
            block::transaction_leaves(&block.transactions)
        );
        assert_eq!(digests.outcomes, block::outcome_leaves(&block.outcomes));
        assert_eq!(digests, BlockDigests::of(block));
    }
}

#[test]
fn a_block_with_any_byte_changed_added_or_missing_is_read_alike_in_one_pass_and_in_two() {
    let bytes = canonical::encode(&chain_of_four()[1]);
    let same = |bytes: &[u8]| {
        let in_one = CertifiedBlock::decode(bytes).map(|(block, _)| block);
        assert_eq!(in_one, canonical::decode::<CertifiedBlock>(bytes));
    };
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 0x80;
        same(&changed);
        same(&bytes[..place]);
    }
    same(&[&bytes[..], &[0]].concat());
}

#[test]
fn whole_records_are_told_by_their_lengths_and_damaged_ones_are_not_read() {
    let blocks = chain_of_four();
    let record = encode_record(&blocks[1]);
    let with_more = [&record[..], &[7; 40]].concat();
    assert_eq!(record_bytes(&with_more), Some(record.len()));
    assert_eq!(decode_whole_record(&record).unwrap().0, blocks[1]);
    for cut in 0..record.len() {
        assert_eq!(record_bytes(&record[..cut]), None);
        assert!(decode_whole_record(&record[..cut]).is_none());
    }
    let mut damaged = record.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(decode_whole_record(&damaged).is_none());
    assert_eq!(record_bytes(&[0; 100]), None);
}
