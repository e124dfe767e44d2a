//! What is around every page: header, navigation, footer.

use askama::Template;

use super::Html;
use crate::words::frame::Frame;

/// One page, whole.
#[derive(Template)]
#[template(path = "layout.html")]
pub(crate) struct Layout<'a> {
    pub(crate) language: &'a str,
    pub(crate) other_language: &'a str,
    pub(crate) words: &'a Frame,
    pub(crate) title: &'a str,
    /// Where assets are: a path that changes when they do.
    pub(crate) assets: &'a str,
    /// Scripts of this page, besides what every page has.
    pub(crate) scripts: &'a [&'a str],
    /// The page's own path.
    pub(crate) path: &'a str,
    pub(crate) person: Option<Person<'a>>,
    pub(crate) tabs: &'a [Tab<'a>],
    /// Where the page before is, and what it is called.
    pub(crate) back: Option<(&'a str, &'a str)>,
    /// Whether the content takes the whole width.
    pub(crate) wide: bool,
    pub(crate) content: &'a Html,
}

/// Who is signed in.
pub(crate) struct Person<'a> {
    pub(crate) name: &'a str,
    pub(crate) csrf: &'a str,
}

/// A tab of the navigation.
pub(crate) struct Tab<'a> {
    pub(crate) path: &'a str,
    pub(crate) name: &'a str,
    pub(crate) current: bool,
}
