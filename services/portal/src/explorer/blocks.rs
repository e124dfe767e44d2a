//! `GET /explorer/blocks`: blocks, newest first, by height and time.

use askama::Template;
use chrono::{NaiveDateTime, TimeZone as _};

use super::parts;
use super::rows::{BlockRange, BlockRow};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::visit::Visit;
use crate::words::explorer::Explorer as Words;

const SHOWN: u32 = 25;

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<form class="explorer-filter" action="/explorer/blocks"><div><label class="nhsuk-label" for="from">{{ words.from }}</label><input class="nhsuk-input" id="from" name="from" type="datetime-local" value="{{ from }}"></div><div><label class="nhsuk-label" for="until">{{ words.until }}</label><input class="nhsuk-input" id="until" name="until" type="datetime-local" value="{{ until }}"></div><div><label class="nhsuk-label" for="height">{{ words.to_height }}</label><input class="nhsuk-input" id="height" name="height" inputmode="numeric" value="{{ height }}"></div><div class="explorer-filter__check"><div class="nhsuk-checkboxes nhsuk-checkboxes--small"><div class="nhsuk-checkboxes__item"><input class="nhsuk-checkboxes__input" id="full" name="full" type="checkbox" value="yes"{% if full %} checked{% endif %}><label class="nhsuk-label nhsuk-checkboxes__label" for="full">{{ words.full_only }}</label></div></div></div><div><button class="nhsuk-button nhsuk-button--secondary nhsuk-button--small">{{ words.show }}</button></div></form>"##
)]
struct Filter<'a> {
    words: &'a Words,
    from: &'a str,
    until: &'a str,
    height: &'a str,
    full: bool,
}

/// A local time as a form's field gives it, in microseconds.
pub(super) fn local_time(visit: &Visit, text: &str) -> Option<u64> {
    let time = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    let time = visit.locale.offset.from_local_datetime(&time).single()?;
    u64::try_from(time.timestamp_micros()).ok()
}

/// See the module.
pub(crate) async fn show(visit: Visit) -> Answer {
    let words = visit.explorer_words();
    let value = |name: &str| visit.query(name).unwrap_or_default();
    let (from, until, height) = (value("from"), value("until"), value("height"));
    let full_only = value("full") == "yes";
    let digits: String = height.chars().filter(char::is_ascii_digit).collect();
    let before = visit.query("before").and_then(|text| text.parse().ok());
    let at_most = digits.parse::<u64>().ok().map(|it| it.saturating_add(1));
    let range = BlockRange {
        before: before.or(at_most),
        full_only,
        from_us: local_time(&visit, &from),
        until_us: local_time(&visit, &until),
    };
    let explorer = &visit.portal.explorer;
    let mut blocks = explorer.blocks(range, SHOWN + 1).await?;
    let more = blocks.len() > SHOWN as usize;
    blocks.truncate(SHOWN as usize);
    let list = if blocks.is_empty() {
        text::empty(words.no_blocks, words.no_blocks_text)
    } else {
        table(&visit, &blocks)
    };
    let kept = |before: Option<u64>| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("from", &from), ("until", &until), ("height", &height)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if full_only {
            query.append_pair("full", "yes");
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        format!("/explorer/blocks?{}", query.finish())
    };
    let oldest = blocks.last().map(|block| block.height);
    let (first, next) = (kept(None), kept(oldest));
    let paging = lists::paging(
        before.map(|_| (first.as_str(), words.newest)),
        more.then_some((next.as_str(), words.older)),
    );
    let filter = Html::of(&Filter {
        words,
        from: &from,
        until: &until,
        height: &height,
        full: full_only,
    });
    let content = Html::join([filter, list, paging]);
    Ok(visit.page(visit.explorer_page(words.blocks, "/explorer/blocks", content)))
}

fn table(visit: &Visit, blocks: &[BlockRow]) -> Html {
    let words = visit.explorer_words();
    let rows: Vec<Vec<Html>> = blocks
        .iter()
        .map(|block| {
            let path = format!("/explorer/blocks/{}", block.height);
            let mut count = Html::text(visit.transactions(block.transactions));
            if block.rejected > 0 {
                let rejected = visit.count(block.rejected);
                let text = crate::words::fill(words.count_rejected, &[("count", &rejected)]);
                count = count.and(parts::sub(&Html::text(&text)));
            }
            vec![
                text::link(&path, &visit.count(block.height)),
                visit.moment(block.time_us),
                parts::cell(count),
                Html::text(block.signers.replace(',', ", ")),
                parts::number_link(&path, &parts::short(&block.hash)),
            ]
        })
        .collect();
    let head = [
        words.height,
        words.time,
        words.transactions,
        words.certified_by,
        words.hash,
    ];
    lists::table(words.blocks, &head, &rows)
}
