//! What the encoder writes is what postcard writes.

use std::collections::BTreeMap;

use fuzzing::random::Random;
use fuzzing::structure::{self, Part};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(u64),
    Pair(i32, Option<String>),
    Named {
        list: Vec<(u8, bool)>,
        map: BTreeMap<String, i64>,
    },
}

fn shapes() -> Vec<Shape> {
    vec![
        Shape::Unit,
        Shape::New(300),
        Shape::Pair(-70_000, Some("text".into())),
        Shape::Named {
            list: vec![(1, true), (200, false)],
            map: [("a".into(), i64::MIN), ("b".into(), 7)].into(),
        },
    ]
}

#[test]
fn the_encoding_is_postcards() {
    let whole = (shapes(), 1.5_f64, 'é', (), [3_u16; 4]);
    let ours = structure::encode(&whole);
    assert_eq!(ours.bytes, postcard::to_stdvec(&whole).unwrap());
    let sequences = |part: &&Part| matches!(part, Part::Sequence { .. });
    assert_eq!(ours.parts.iter().filter(sequences).count(), 3);
}

#[test]
fn many_mutated_encodings_are_still_encodings_of_something_else() {
    let seed = structure::encode(&shapes());
    let mut random = Random::new(7);
    let mut decoded = 0;
    for _ in 0..1_000 {
        let mutated = structure::mutate(&seed, &seed, &mut random);
        if mutated != seed.bytes && postcard::from_bytes::<Vec<Shape>>(&mutated).is_ok() {
            decoded += 1;
        }
    }
    assert!(decoded > 200, "{decoded} of 1,000");
}
