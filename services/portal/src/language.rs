//! The languages of the pages, and how each writes dates, numbers and money.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Timelike};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Language {
    /// English.
    #[default]
    English,
    /// Chinese, simplified.
    Chinese,
}

impl Language {
    /// The tag in `lang` and in the cookie (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        }
    }

    /// The one the switch offers.
    pub(crate) fn other(self) -> Language {
        match self {
            Language::English => Language::Chinese,
            Language::Chinese => Language::English,
        }
    }

    /// By its tag.
    pub(crate) fn from_tag(tag: &str) -> Option<Language> {
        match tag {
            "en" => Some(Language::English),
            "zh-Hans" => Some(Language::Chinese),
            _ => None,
        }
    }

    /// The best of an `Accept-Language` header (RFC 9110, 12.5.4): the first of the highest quality that we have.
    pub(crate) fn accepted(header: &str) -> Language {
        let mut best = (Language::English, 0);
        for range in header.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let quality = parts
                .find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u32;
            let language = match tag.split('-').next() {
                Some("zh") => Language::Chinese,
                Some("en") => Language::English,
                _ => continue,
            };
            if thousandths > best.1 {
                best = (language, thousandths);
            }
        }
        best.0
    }
}

/// How the one who looks at a page reads dates and amounts: language, place and currency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locale {
    pub(crate) language: Language,
    pub(crate) offset: FixedOffset,
    pub(crate) currency: Currency,
}

/// The consortium's one currency, as amounts show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum Currency {
    /// Renminbi.
    #[default]
    CNY,
    /// Euro.
    EUR,
    /// United States dollar.
    USD,
    /// Pound sterling.
    GBP,
}

impl Currency {
    fn sign(self, language: Language) -> &'static str {
        match (self, language) {
            (Currency::CNY, Language::Chinese) => "¥",
            (Currency::CNY, Language::English) => "CN¥",
            (Currency::EUR, _) => "€",
            (Currency::USD, Language::English) => "$",
            (Currency::USD, Language::Chinese) => "US$",
            (Currency::GBP, _) => "£",
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Locale {
    /// A day and time, from RFC 3339; what can't be read is shown as it is.
    pub(crate) fn time(&self, rfc3339: &str) -> String {
        let Ok(time) = DateTime::parse_from_rfc3339(rfc3339) else {
            return self.day(rfc3339);
        };
        let time = time.with_timezone(&self.offset);
        let clock = format!("{:02}:{:02}", time.hour(), time.minute());
        match self.language {
            Language::English => format!("{}, {clock}", self.date(time.date_naive())),
            Language::Chinese => format!("{} {clock}", self.date(time.date_naive())),
        }
    }

    /// The end of a time that began at `start`: without its day where that is the same.
    pub(crate) fn end(&self, start: &str, end: &str) -> String {
        let whole = self.time(end);
        let day = self.day(end);
        match whole.strip_prefix(&day) {
            Some(clock) if self.day(start) == day && !clock.is_empty() => {
                clock.trim_start_matches([',', ' ']).to_owned()
            }
            _ => whole,
        }
    }

    /// A day, from anything that begins with YYYY, YYYY-MM or YYYY-MM-DD; a time with an offset counts where we are.
    pub(crate) fn day(&self, text: &str) -> String {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return self.date(time.with_timezone(&self.offset).date_naive());
        }
        let start: String = text.chars().take(10).collect();
        if let Ok(date) = NaiveDate::parse_from_str(&start, "%Y-%m-%d") {
            return self.date(date);
        }
        let mut parts = start.split('-').map(|part| part.parse::<u32>());
        match (parts.next(), parts.next(), self.language) {
            (Some(Ok(year)), Some(Ok(month @ 1..=12)), Language::English) => {
                format!("{} {year}", MONTHS[month as usize - 1])
            }
            (Some(Ok(year)), Some(Ok(month)), Language::Chinese) => format!("{year}年{month}月"),
            (Some(Ok(year)), None, Language::Chinese) => format!("{year}年"),
            _ => text.to_owned(),
        }
    }

    fn date(&self, date: NaiveDate) -> String {
        match self.language {
            Language::English => format!(
                "{} {} {}",
                date.day(),
                MONTHS[date.month0() as usize],
                date.year()
            ),
            Language::Chinese => format!("{}年{}月{}日", date.year(), date.month(), date.day()),
        }
    }

    /// The calendar year of a time, for headings of lists.
    pub(crate) fn year(&self, text: &str) -> String {
        let year: String = text.chars().take(4).collect();
        match self.language {
            Language::English => year,
            Language::Chinese => format!("{year}年"),
        }
    }

    /// An amount in minor units, with the currency's sign.
    pub(crate) fn money(&self, minor: i64) -> String {
        let sign = if minor < 0 { "−" } else { "" };
        let units = self.number(minor.unsigned_abs() / 100);
        let cents = minor.unsigned_abs() % 100;
        format!(
            "{sign}{}{units}.{cents:02}",
            self.currency.sign(self.language)
        )
    }

    /// A whole number, grouped by thousands.
    pub(crate) fn number(&self, number: u64) -> String {
        let digits = number.to_string();
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(language: Language) -> Locale {
        Locale {
            language,
            offset: FixedOffset::east_opt(8 * 3600).unwrap(),
            currency: Currency::CNY,
        }
    }

    #[test]
    fn the_browsers_first_choice_among_our_languages_is_taken() {
        assert_eq!(
            Language::accepted("zh-CN,zh;q=0.9,en;q=0.8"),
            Language::Chinese
        );
        assert_eq!(
            Language::accepted("fr,en-GB;q=0.8,zh;q=0.7"),
            Language::English
        );
        assert_eq!(
            Language::accepted("en;q=0.3, zh-TW;q=0.4"),
            Language::Chinese
        );
        assert_eq!(Language::accepted("fr"), Language::English);
        assert_eq!(Language::accepted(""), Language::English);
    }

    #[test]
    fn dates_and_amounts_follow_the_language() {
        let (english, chinese) = (locale(Language::English), locale(Language::Chinese));
        let time = "2026-11-25T20:05:00Z";
        assert_eq!(english.time(time), "26 November 2026, 04:05");
        assert_eq!(chinese.time(time), "2026年11月26日 04:05");
        assert_eq!(english.end(time, "2026-11-25T20:35:00Z"), "04:35");
        assert_eq!(chinese.end(time, "2026-11-25T20:35:00Z"), "04:35");
        assert_eq!(
            english.end(time, "2026-11-26T20:05:00Z"),
            "27 November 2026, 04:05"
        );
        assert_eq!(english.end("2026-11-25", "2026-11-25"), "25 November 2026");
        assert_eq!(english.day("2026-11"), "November 2026");
        assert_eq!(english.day("1936-02-01"), "1 February 1936");
        assert_eq!(english.money(-123_456_789), "−CN¥1,234,567.89");
        assert_eq!(chinese.money(5), "¥0.05");
        assert_eq!(english.number(1_000), "1,000");
    }
}
