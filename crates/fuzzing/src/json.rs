//! Mutations of JSON that keep it JSON: values at their limits, members doubled, renamed, dropped, moved.

use serde_json::{Map, Value};

use crate::random::Random;

/// Stands for a number until the text is written.
const ODD_NUMBER: &str = "\"@odd-number@\"";

/// The text with one to three values changed; what is no JSON comes back as it is.
pub fn mutate(text: &[u8], random: &mut Random) -> Vec<u8> {
    let Ok(mut root) = serde_json::from_slice::<Value>(text) else {
        return text.to_vec();
    };
    for _ in 0..=random.below(3) {
        let donor = root.clone();
        let depth = random.below(9);
        change(node(&mut root, depth, random), &donor, random);
    }
    let mut text = root.to_string();
    if text.contains(ODD_NUMBER) {
        // Numbers that no serializer writes.
        let odd = ["1e400", "-0", "1E-400", "0.1e1", "-92233720368547758.08e2"];
        text = text.replace(ODD_NUMBER, odd[random.below(odd.len())]);
    }
    text.into_bytes()
}

/// Some value at most so deep below this one.
fn node<'a>(value: &'a mut Value, depth: usize, random: &mut Random) -> &'a mut Value {
    let count = match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    if depth == 0 || count == 0 {
        return value;
    }
    let chosen = random.below(count);
    let child = match value {
        Value::Array(items) => items.get_mut(chosen),
        Value::Object(members) => members.values_mut().nth(chosen),
        _ => None,
    };
    node(child.expect("there are so many"), depth - 1, random)
}

fn change(value: &mut Value, donor: &Value, random: &mut Random) {
    match (random.below(10), value) {
        (0, Value::Array(items)) if !items.is_empty() => {
            let item = items[random.below(items.len())].clone();
            items.push(item);
        }
        (1, Value::Array(items)) if !items.is_empty() => {
            items.remove(random.below(items.len()));
        }
        (0 | 1, Value::Object(members)) => change_members(members, random),
        (2, value) => {
            let mut donor = donor.clone();
            let depth = random.below(9);
            *value = node(&mut donor, depth, random).clone();
        }
        (3, value) => {
            let nested =
                (0..random.below(200)).fold(value.take(), |inner, _| Value::Array(vec![inner]));
            *value = nested;
        }
        (_, value) => *value = edge(random),
    }
}

fn change_members(members: &mut Map<String, Value>, random: &mut Random) {
    let name = members.keys().nth(random.below(members.len())).cloned();
    let removed = name.and_then(|name| Some((members.remove(&name)?, name)));
    if let Some((value, name)) = removed
        && random.chance(60)
    {
        let renamed = match random.below(4) {
            0 => format!("_{name}"),
            1 => name.to_uppercase(),
            2 => format!("{name}_"),
            _ => String::new(),
        };
        members.insert(renamed, value);
    }
}

fn edge(random: &mut Random) -> Value {
    match random.below(12) {
        0 => Value::Null,
        1 => Value::Bool(random.chance(50)),
        2 => Value::from(random.boundary()),
        3 => Value::from(random.boundary() as i64),
        4 => Value::from(f64::from_bits(random.bits())),
        5 => Value::from(""),
        6 => Value::from("x".repeat(random.below(5_000))),
        7 => Value::from("@odd-number@"),
        8 => Value::from("\u{202e}é\u{0}𝄞"),
        9 => Value::from("9999-12-31T23:59:60.999999999+14:00"),
        10 => Value::Array(Vec::new()),
        _ => Value::Object(Map::new()),
    }
}
