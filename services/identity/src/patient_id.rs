//! The patient ID: what a patient shows together with an authorization code.

/// Draws a patient ID: nine random digits and a Luhn check digit (ISO/IEC 7812-1, annex B), in groups `123-456-7897`.
pub fn draw() -> String {
    let random = u64::from_be_bytes(keys::secret::random());
    let mut digits: Vec<u8> = (0..9)
        .scan(random, |rest, _| {
            let digit = (*rest % 10) as u8;
            *rest /= 10;
            Some(digit)
        })
        .collect();
    digits.push(check_digit(&digits));
    let text: String = digits
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .collect();
    format!("{}-{}-{}", &text[..3], &text[3..6], &text[6..])
}

/// The form that is stored and compared: digits alone.
pub fn normalised(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let doubled = u32::from(digit) * if place % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_luhns() {
        assert_eq!(check_digit(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1]), 3);
    }

    #[test]
    fn a_patient_id_has_ten_digits_and_any_grouping_means_the_same() {
        let drawn = draw();
        assert_eq!(normalised(&drawn).len(), 10);
        assert_eq!(normalised("123 456-7897"), normalised("123-456-7897"));
    }
}
