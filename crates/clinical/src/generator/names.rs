//! Names put together from syllables.

use super::random::Random;

const STARTS: [&str; 20] = [
    "bre", "cal", "dor", "fen", "gar", "hil", "jor", "kel", "lum", "mar", "nor", "oth", "pel",
    "quil", "ros", "sel", "tam", "ulm", "var", "wen",
];
const MIDDLES: [&str; 16] = [
    "a", "bo", "cri", "da", "el", "fa", "go", "hi", "la", "mi", "no", "or", "pa", "ri", "sa", "ti",
];
const FAMILY_ENDS: [&str; 12] = [
    "brack", "coll", "dask", "feld", "gorn", "hart", "lund", "mond", "rick", "stok", "tholm",
    "vand",
];
const MALE_ENDS: [&str; 8] = ["dan", "gor", "len", "mir", "ro", "ton", "vik", "zad"];
const FEMALE_ENDS: [&str; 8] = ["bela", "dira", "lin", "mei", "nora", "sha", "tia", "wyn"];
const TOWN_ENDS: [&str; 6] = ["bridge", "bury", "ford", "haven", "stead", "wick"];

fn capital(word: String) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

fn word(random: &mut Random, ends: &[&str]) -> String {
    let (start, middle, end) = (
        *random.pick(&STARTS),
        *random.pick(&MIDDLES),
        *random.pick(ends),
    );
    capital(format!("{start}{middle}{end}"))
}

pub(super) fn family(random: &mut Random) -> String {
    word(random, &FAMILY_ENDS)
}

pub(super) fn given(random: &mut Random, female: bool) -> String {
    word(random, if female { &FEMALE_ENDS } else { &MALE_ENDS })
}

pub(super) fn town(random: &mut Random) -> String {
    word(random, &TOWN_ENDS)
}

pub(super) fn street(random: &mut Random) -> String {
    let number = random.between(1, 999);
    format!("{number} {} Street", word(random, &FAMILY_ENDS))
}

pub(super) fn telephone(random: &mut Random) -> String {
    format!("555-{}-{}", random.digits(3), random.digits(4))
}
