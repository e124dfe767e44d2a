//! Fields, forms, error summaries.

use askama::Template;

use super::Html;

/// What a field takes.
pub(crate) enum Control {
    /// One line; the `type` and the `autocomplete` of an input, its width in characters (0: the whole width).
    Line {
        kind: &'static str,
        autocomplete: &'static str,
        width: u8,
    },
    /// A password, which can be shown: texts show, hide, label of both, announcements of both.
    Password {
        autocomplete: &'static str,
        texts: [&'static str; 6],
    },
    /// Several lines.
    Text { rows: u8 },
    /// A file of these kinds.
    File { accept: &'static str },
    /// One of a few: (value, name, hint).
    Radios(Vec<(String, String, String)>),
    /// Any of a few: (value, name, hint).
    Checkboxes(Vec<(String, String, String)>),
    /// One of many: (value, name).
    Select(Vec<(String, String)>),
}

/// A field of a form.
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) hint: &'a str,
    /// What this field and those behind it are about, up to the next that says so; nothing for none of them.
    pub(crate) section: &'a str,
    pub(crate) value: String,
    pub(crate) error: Option<&'a str>,
    pub(crate) control: Control,
}

impl<'a> Field<'a> {
    /// A field of one line.
    pub(crate) fn line(name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(
            name,
            label,
            Control::Line {
                kind: "text",
                autocomplete: "off",
                width: 0,
            },
        )
    }

    /// Any field.
    pub(crate) fn new(name: &'a str, label: &'a str, control: Control) -> Field<'a> {
        Field {
            name,
            label,
            hint: "",
            section: "",
            value: String::new(),
            error: None,
            control,
        }
    }

    /// With a hint.
    pub(crate) fn hint(mut self, hint: &'a str) -> Self {
        self.hint = hint;
        self
    }

    /// The first of those about something.
    pub(crate) fn section(mut self, section: &'a str) -> Self {
        self.section = section;
        self
    }

    /// With a value.
    pub(crate) fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// With an error, where there is one for it.
    pub(crate) fn error(mut self, errors: &[(&str, &'a str)]) -> Self {
        self.error = errors
            .iter()
            .find(|(name, _)| *name == self.name)
            .map(|(_, error)| *error);
        self
    }

    /// As wide as so many characters.
    pub(crate) fn width(mut self, characters: u8) -> Self {
        if let Control::Line { width, .. } = &mut self.control {
            *width = characters;
        }
        self
    }

    /// What the browser may fill in.
    pub(crate) fn autocomplete(mut self, wanted: &'static str) -> Self {
        if let Control::Line { autocomplete, .. } = &mut self.control {
            *autocomplete = wanted;
        }
        self
    }

    /// Whether a checkbox is ticked: the values of a field with several are separated by spaces.
    fn is_chosen(&self, value: &str) -> bool {
        self.value.split(' ').any(|chosen| chosen == value)
    }

    fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.error.map(|_| format!("{}-error", self.name));
        hint.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

/// A form. It is sent by POST unless it only asks.
#[derive(Template)]
#[template(path = "form.html")]
pub(crate) struct Form<'a> {
    /// Where it goes.
    pub(crate) action: &'a str,
    /// Whether it only asks (GET).
    pub(crate) asks: bool,
    /// Names and values that nobody sees.
    pub(crate) hidden: Vec<(&'a str, String)>,
    /// The fields.
    pub(crate) fields: Vec<Field<'a>>,
    /// The button.
    pub(crate) button: &'a str,
    /// What is said while it works.
    pub(crate) busy: &'a str,
    /// The button's look: "", " nhsuk-button--secondary", " nhsuk-button--warning", " nhsuk-button--small".
    pub(crate) look: &'a str,
    /// What a screen reader adds to the button.
    pub(crate) about: &'a str,
    /// Where not to do it leads: path and name.
    pub(crate) cancel: Option<(&'a str, &'a str)>,
    /// For scripts: an id.
    pub(crate) id: &'a str,
}

impl<'a> Form<'a> {
    /// A form that changes something.
    pub(crate) fn new(action: &'a str, button: &'a str) -> Form<'a> {
        Form {
            action,
            asks: false,
            hidden: Vec::new(),
            fields: Vec::new(),
            button,
            busy: "",
            look: "",
            about: "",
            cancel: None,
            id: "",
        }
    }

    /// The markup.
    pub(crate) fn html(&self) -> Html {
        Html::of(self)
    }

    /// Whether one of its fields takes a file.
    fn brings_a_file(&self) -> bool {
        let mut fields = self.fields.iter();
        fields.any(|field| matches!(field.control, Control::File { .. }))
    }

    /// The place of the first field that says what it and those behind it are about; behind the last where none does.
    fn first_section(&self) -> usize {
        let mut fields = self.fields.iter();
        let first = fields.position(|field| !field.section.is_empty());
        first.unwrap_or(self.fields.len())
    }
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<div class="nhsuk-error-summary" data-module="nhsuk-error-summary"><div role="alert"><h2 class="nhsuk-error-summary__title">{{ title }}</h2><div class="nhsuk-error-summary__body"><ul class="nhsuk-list nhsuk-error-summary__list">{% for (name, text) in errors %}<li><a href="#{{ name }}">{{ text }}</a></li>{% endfor %}</ul></div></div></div>"##
)]
struct ErrorSummary<'a> {
    title: &'a str,
    errors: &'a [(&'a str, &'a str)],
}

/// What is wrong with a form, each linked to its field; nothing where nothing is.
pub(crate) fn error_summary(title: &str, errors: &[(&str, &str)]) -> Html {
    if errors.is_empty() {
        return Html::none();
    }
    Html::of(&ErrorSummary { title, errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_about_one_thing_stand_in_a_fieldset_that_ends_where_the_next_begins() {
        let form = |sections: &[&'static str]| {
            let fields = sections
                .iter()
                .map(|section| Field::line("amount", "Amount").section(section));
            Form {
                fields: fields.collect(),
                ..Form::new("/rules", "Publish")
            }
            .html()
            .to_string()
        };
        let count = |html: &str, text: &str| html.matches(text).count();
        let grouped = form(&["", "Hospital stay", "", "Medicines", ""]);
        assert_eq!(count(&grouped, "<fieldset"), 2);
        assert_eq!(count(&grouped, "</fieldset>"), 2);
        assert_eq!(count(&grouped, "Hospital stay"), 1);
        assert_eq!(count(&form(&["", ""]), "fieldset"), 0);
    }
}
