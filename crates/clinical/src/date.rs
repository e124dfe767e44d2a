//! FHIR dates and times without a calendar library: `date`, `dateTime` and `instant` as text in,
//! microseconds since the Unix epoch out (negative before 1970: medical histories reach back).

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// Year, 1 to 9999.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
}

/// How much of a FHIR dateTime was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// `2015`
    Year,
    /// `2015-03`
    Month,
    /// `2015-03-07`
    Day,
    /// `2015-03-07T10:35:11+00:00`, to the second or finer
    Time,
}

/// A FHIR `date`, `dateTime` or `instant`. Ordered by its first moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Its first moment in microseconds since the Unix epoch; a date without time starts at midnight UTC.
    pub micros: i64,
    /// The day as written, in the text's own offset; the first of the month or year if not given.
    pub day: Day,
    /// How much was given.
    pub precision: Precision,
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.micros, self.day, self.precision).cmp(&(other.micros, other.day, other.precision))
    }
}

impl Day {
    /// The day if it exists in the calendar.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01 (after Howard Hinnant's `days_from_civil`).
    pub fn days_since_epoch(self) -> i64 {
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = i64::from(self.month);
        let day_of_year =
            (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The day that is `days` after 1970-01-01 (after Howard Hinnant's `civil_from_days`).
    pub fn from_days_since_epoch(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        } as u8;
        let year = (year_of_era + era * 400 + i64::from(month <= 2)) as i32;
        Self { year, month, day }
    }

    /// Whole years from this day (of birth) to `at`; 0 if `at` is earlier.
    pub fn age_years_at(self, at: Day) -> u32 {
        let before_birthday = (at.month, at.day) < (self.month, self.day);
        u32::try_from(at.year - self.year - i32::from(before_birthday)).unwrap_or(0)
    }

    /// `2015-03-07`
    pub fn text(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Moment {
    /// Parses a FHIR `date`, `dateTime` or `instant`; `None` if the text is none of them.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = digits(parts.next()?, 4)?;
        let month = parts
            .next()
            .map(|part| digits(part, 2))
            .map_or(Some(None), |part| part.map(Some))?;
        let day = parts
            .next()
            .map(|part| digits(part, 2))
            .map_or(Some(None), |part| part.map(Some))?;
        if parts.next().is_some() || (time.is_some() && day.is_none()) {
            return None;
        }
        let precision = match (month, day, time) {
            (_, _, Some(_)) => Precision::Time,
            (_, Some(_), _) => Precision::Day,
            (Some(_), _, _) => Precision::Month,
            _ => Precision::Year,
        };
        let day = Day::new(
            year as i32,
            month.unwrap_or(1) as u8,
            day.unwrap_or(1) as u8,
        )?;
        let within = time.map_or(Some(0), time_micros)?;
        Some(Self {
            micros: day.days_since_epoch() * MICROS_PER_DAY + within,
            day,
            precision,
        })
    }

    /// The moment `micros` after the Unix epoch, in UTC.
    pub fn from_micros(micros: i64) -> Self {
        let day = Day::from_days_since_epoch(micros.div_euclid(MICROS_PER_DAY));
        Self {
            micros,
            day,
            precision: Precision::Time,
        }
    }

    /// `2015-03-07T10:35:11Z`, with milliseconds or microseconds only if they are not zero.
    pub fn utc_text(self) -> String {
        let day = Day::from_days_since_epoch(self.micros.div_euclid(MICROS_PER_DAY)).text();
        let within = self.micros.rem_euclid(MICROS_PER_DAY);
        let (seconds, fraction) = (within / MICROS_PER_SECOND, within % MICROS_PER_SECOND);
        let clock = format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        match fraction {
            0 => format!("{day}T{clock}Z"),
            _ if fraction % 1000 == 0 => format!("{day}T{clock}.{:03}Z", fraction / 1000),
            _ => format!("{day}T{clock}.{fraction:06}Z"),
        }
    }
}

/// Exactly `length` decimal digits.
fn digits(text: &str, length: usize) -> Option<u32> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// `hh:mm:ss` without offset, in microseconds; seconds may be 60 (a leap second) and have a fraction.
pub(crate) fn clock_micros(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let (second, fraction) = match parts.next()?.split_once('.') {
        Some((second, fraction)) => (second, Some(fraction)),
        None => return clock(hour, minute, digits(text.get(6..)?, 2)?, 0),
    };
    let fraction =
        fraction.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))?;
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    clock(hour, minute, digits(second, 2)?, micros.parse().ok()?)
}

fn clock(hour: u32, minute: u32, second: u32, micros: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60)
        .then(|| i64::from(hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND + micros)
}

/// `hh:mm:ss[.fff](Z|±hh:mm)` relative to the written day's midnight in UTC.
fn time_micros(text: &str) -> Option<i64> {
    if let Some(clock) = text.strip_suffix('Z') {
        return clock_micros(clock);
    }
    let split = text.len().checked_sub(6)?;
    let (clock, offset) = (text.get(..split)?, text.get(split..)?);
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    Some(clock_micros(clock)? - sign * i64::from(hours * 3600 + minutes * 60) * MICROS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fhir_dates_of_every_precision_are_read() {
        for (text, micros) in [
            ("1970", 0),
            ("1970-01-02", 86_400_000_000),
            ("1936-05-05T10:35:11+00:00", -1_062_163_489_000_000),
            ("2015-03-07T00:30:00+01:00", 1_425_684_600_000_000),
            ("2015-09-25T10:35:11.367+00:00", 1_443_177_311_367_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ] {
            assert_eq!(
                Moment::parse(text).map(|moment| moment.micros),
                Some(micros),
                "{text}"
            );
        }
        for text in [
            "",
            "15",
            "2015-13",
            "2015-02-29",
            "2015-03-07T10:35",
            "2015-03-07T10:35:11",
            "2015-3-7",
            "2015-03T10:00:00Z",
            "2015-03-07T24:00:00Z",
            "2015-03-07T10:35:11.Z",
            "2015-03-07 10:35:11Z",
            "日2015-03-07T10:35:11é",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
        assert_eq!(
            Moment::parse("2015-03-07T00:30:00+01:00")
                .unwrap()
                .day
                .text(),
            "2015-03-07"
        );
    }

    #[test]
    fn ages_turn_on_the_birthday() {
        let birth = Day::new(1960, 2, 29).unwrap();
        assert_eq!(birth.age_years_at(Day::new(2000, 2, 28).unwrap()), 39);
        assert_eq!(birth.age_years_at(Day::new(2000, 2, 29).unwrap()), 40);
        assert_eq!(birth.age_years_at(Day::new(1950, 1, 1).unwrap()), 0);
    }

    proptest! {
        #[test]
        fn days_and_moments_round_trip(days in -719_162i64..2_932_896, within in 0i64..86_400_000_000) {
            let day = Day::from_days_since_epoch(days);
            prop_assert_eq!(day.days_since_epoch(), days);
            let moment = Moment::from_micros(days * MICROS_PER_DAY + within);
            prop_assert_eq!(Moment::parse(&moment.utc_text()), Some(moment));
        }
    }
}
