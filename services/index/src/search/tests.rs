use clinical::brief::{AgeBand, RecordClass, Sex};
use keys::Secret;
use keys::pseudonym::Pseudonyms;

use super::matches::Cells;
use super::*;

fn entry(record: u8, person: u8, code: &str, year: i32) -> Entry {
    Entry {
        record: RecordNumber([record; 16]),
        person: Digest([person; 32]),
        hospital: LedgerId([1; 16]),
        brief: Brief {
            snomed: BTreeSet::from([code.to_owned()]),
            icd10: BTreeSet::new(),
            age_band: None,
            sex: Sex::Female,
            year: Some(year),
            class: RecordClass::Ambulatory,
            hospital: String::new(),
        },
    }
}

fn codes(code: &str) -> BTreeSet<String> {
    BTreeSet::from([code.to_owned()])
}

fn all<'a>(codes: &'a BTreeSet<String>) -> Query<'a> {
    Query {
        codes,
        from_year: None,
        until_year: None,
    }
}

fn pseudonyms(applicant: u8) -> Pseudonyms {
    Pseudonyms::of(&Secret::from_bytes([9; 32]), &[applicant; 16], b"test")
}

/// The record numbers (first byte) of a page, in its order.
fn records(matches: &Matches<'_>, of: &Pseudonyms) -> Vec<u8> {
    let (page, _) = matches.page(of, None, 500);
    page.iter()
        .map(|found| of.id_of(found.pseudonym)[0])
        .collect()
}

fn sorted(mut records: Vec<u8>) -> Vec<u8> {
    records.sort_unstable();
    records
}

#[test]
fn persons_are_counted_once_however_many_records_they_have() {
    let mut index = SearchIndex::default();
    for (record, person) in [(1, 1), (3, 2), (2, 1)] {
        index.put(&entry(record, person, "40055000", 2011));
    }
    let codes = codes("40055000");
    let matches = index.search(&all(&codes));
    assert_eq!(matches.persons(), 2);
    assert_eq!(sorted(records(&matches, &pseudonyms(1))), [1, 2, 3]);
    let [hospitals, ages, sexes, years] = matches.persons_by_dimension();
    let cell = |value: &str| Cells::from([(value.to_owned(), 2)]);
    assert_eq!(hospitals, cell(&LedgerId([1; 16]).to_string()));
    assert_eq!((ages, sexes), (cell("unknown"), cell("female")));
    assert_eq!(years, cell("2010-2014"));
}

#[test]
fn a_person_counts_once_in_each_value_they_have_records_with() {
    let mut index = SearchIndex::default();
    index.put(&entry(1, 1, "40055000", 2011));
    index.put(&entry(2, 1, "40055000", 2012));
    index.put(&entry(3, 1, "40055000", 2016));
    index.put(&entry(4, 2, "40055000", 2016));
    let mut banded = entry(5, 2, "40055000", 1999);
    banded.brief.age_band = Some(AgeBand::of_years(44));
    banded.brief.year = None;
    index.put(&banded);
    let codes = codes("40055000");
    let [_, ages, _, years] = index.search(&all(&codes)).persons_by_dimension();
    let cells = |cells: &[(&str, u64)]| {
        cells
            .iter()
            .map(|(value, count)| ((*value).to_owned(), *count))
            .collect::<Cells>()
    };
    assert_eq!(
        years,
        cells(&[("2010-2014", 1), ("2015-2019", 2), ("unknown", 1)])
    );
    assert_eq!(ages, cells(&[("40-49", 1), ("unknown", 2)]));
}

#[test]
fn a_new_version_replaces_the_old_one_and_a_removed_record_is_not_found() {
    let mut index = SearchIndex::default();
    index.put(&entry(1, 1, "40055000", 2011));
    index.put(&entry(1, 1, "38341003", 2011));
    let found = |index: &SearchIndex, code: &str| index.search(&all(&codes(code))).persons();
    assert_eq!(
        (found(&index, "40055000"), found(&index, "38341003")),
        (0, 1)
    );
    index.remove(&RecordNumber([1; 16]));
    assert_eq!((found(&index, "38341003"), index.len()), (0, 0));
}

#[test]
fn records_that_change_for_ever_take_no_more_room() {
    let mut index = SearchIndex::default();
    for round in 0..1_000 {
        index.put(&entry(1, 1, ["40055000", "38341003"][round % 2], 2011));
    }
    let entries: usize = index.by_code.iter().map(Vec::len).sum();
    assert_eq!((index.rows.len(), entries), (1, 1));
}

#[test]
fn years_bound_the_search_inclusively_and_leave_out_unknown_years() {
    let mut index = SearchIndex::default();
    for record in 1..=5 {
        index.put(&entry(record, record, "40055000", 2009 + i32::from(record)));
    }
    let mut unknown = entry(6, 6, "40055000", 0);
    unknown.brief.year = None;
    index.put(&unknown);
    let codes = codes("40055000");
    let within = |from_year, until_year| {
        let query = Query {
            codes: &codes,
            from_year,
            until_year,
        };
        sorted(records(&index.search(&query), &pseudonyms(1)))
    };
    assert_eq!(within(Some(2011), Some(2013)), [2, 3, 4]);
    assert_eq!(within(Some(2013), None), [4, 5]);
    assert_eq!(within(None, Some(2010)), [1]);
    assert_eq!(within(None, None), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn pages_of_any_size_give_every_record_once_in_the_applicants_own_order() {
    let mut index = SearchIndex::default();
    for record in 1..=200 {
        index.put(&entry(record, record % 7, "40055000", 2011));
    }
    let codes = codes("40055000");
    let matches = index.search(&all(&codes));
    let of = pseudonyms(1);
    let whole = records(&matches, &of);
    assert_eq!(sorted(whole.clone()), (1..=200).collect::<Vec<u8>>());
    assert_ne!(whole, records(&matches, &pseudonyms(2)));
    for limit in [1, 3, 50, 199, 200] {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let (page, more) = matches.page(&of, after, limit);
            after = page.last().map(|found| found.pseudonym);
            paged.extend(page.iter().map(|found| of.id_of(found.pseudonym)[0]));
            if !more {
                break;
            }
        }
        assert_eq!(paged, whole, "{limit} a page");
    }
}

#[test]
fn an_index_filled_at_once_answers_as_one_that_grew() {
    let mut grown = SearchIndex::default();
    let mut filling = Filling::default();
    for record in 0..=255 {
        let code = ["40055000", "38341003", "195662009"][usize::from(record) % 3];
        let entry = entry(record, record % 11, code, 1990 + i32::from(record % 30));
        grown.put(&entry);
        filling.add(&entry);
    }
    let mut filled = filling.finish();
    for index in [&mut grown, &mut filled] {
        index.remove(&RecordNumber([9; 16]));
        index.put(&entry(8, 3, "40055000", 2001));
    }
    let several = BTreeSet::from(["40055000".to_owned(), "195662009".to_owned()]);
    for codes in [codes("40055000"), codes("38341003"), several] {
        let (grown, filled) = (grown.search(&all(&codes)), filled.search(&all(&codes)));
        assert_eq!(grown.persons(), filled.persons());
        assert_eq!(grown.persons_by_dimension(), filled.persons_by_dimension());
        let of = pseudonyms(1);
        assert_eq!(records(&grown, &of), records(&filled, &of));
    }
}
