//! Every word of the pages, in every language: a text that lacks a translation does not compile.
//!
//! One file a part of the portal, one [`words!`] table a file. Texts with places to fill in write them as `{name}`; see
//! [`fill`].

use crate::language::Language;

/// A table of texts: a name, the English, the Chinese.
macro_rules! words {
    ($(#[$attribute:meta])* $table:ident { $($name:ident: $english:literal, $chinese:literal;)* }) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub(crate) struct $table {
            $(pub(crate) $name: &'static str,)*
        }

        impl $table {
            /// The texts in a language.
            pub(crate) fn of(language: $crate::language::Language) -> &'static $table {
                static ENGLISH: $table = $table { $($name: $english,)* };
                static CHINESE: $table = $table { $($name: $chinese,)* };
                match language {
                    $crate::language::Language::English => &ENGLISH,
                    $crate::language::Language::Chinese => &CHINESE,
                }
            }
        }

        #[cfg(test)]
        mod table_tests {
            #[test]
            fn both_languages_fill_in_the_same_places() {
                $({
                    let (english, chinese) = ($crate::words::places($english), $crate::words::places($chinese));
                    assert_eq!(english, chinese, "{}", stringify!($name));
                })*
            }
        }
    };
}

pub(crate) mod authorization;
pub(crate) mod clinical;
pub(crate) mod delegation;
pub(crate) mod desk;
pub(crate) mod emergency;
pub(crate) mod explorer;
pub(crate) mod factors;
pub(crate) mod frame;
pub(crate) mod kinds;
pub(crate) mod organisations;
pub(crate) mod patient;
pub(crate) mod people;
pub(crate) mod problems;
pub(crate) mod staff;

/// Fills in places: `fill("{who} viewed", &[("who", name)])`.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = text.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

/// The places of a text, ascending.
#[cfg(test)]
pub(crate) fn places(text: &str) -> std::collections::BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .collect()
}

/// The words of a language, by part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) factors: &'static factors::Factors,
    pub(crate) frame: &'static frame::Frame,
    pub(crate) people: &'static people::People,
    pub(crate) problems: &'static problems::Problems,
    pub(crate) patient: &'static patient::Patient,
    pub(crate) authorization: &'static authorization::Authorization,
    pub(crate) clinical: &'static clinical::Clinical,
    pub(crate) delegation: &'static delegation::Delegation,
    pub(crate) staff: &'static staff::Staff,
    pub(crate) desk: &'static desk::Desk,
    pub(crate) emergency: &'static emergency::Emergency,
    pub(crate) kinds: &'static kinds::Kinds,
    pub(crate) organisations: &'static organisations::Organisations,
}

impl Words {
    /// All words of a language.
    pub(crate) fn of(language: Language) -> Words {
        Words {
            factors: factors::Factors::of(language),
            frame: frame::Frame::of(language),
            people: people::People::of(language),
            problems: problems::Problems::of(language),
            patient: patient::Patient::of(language),
            authorization: authorization::Authorization::of(language),
            clinical: clinical::Clinical::of(language),
            delegation: delegation::Delegation::of(language),
            staff: staff::Staff::of(language),
            desk: desk::Desk::of(language),
            emergency: emergency::Emergency::of(language),
            kinds: kinds::Kinds::of(language),
            organisations: organisations::Organisations::of(language),
        }
    }
}
