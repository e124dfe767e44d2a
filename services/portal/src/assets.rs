//! What pages load, embedded in the binary: style sheet, scripts, mark. The path changes with the content, so browsers keep
//! it for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use interfaces::Problem;
use rust_embed::RustEmbed;

use crate::answer::{Answer, Refusal};

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/static"]
struct Embedded;

/// The path of this build's assets.
pub(crate) fn path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let mut names: Vec<_> = Embedded::iter().collect();
        names.sort();
        let mut all = Vec::new();
        for name in names {
            all.extend_from_slice(name.as_bytes());
            if let Some(file) = Embedded::get(&name) {
                all.extend_from_slice(&file.metadata.sha256_hash());
            }
        }
        let digest = ledger::DigestAlgorithm::Sha256.digest(&all);
        format!("/assets/{}", HEXLOWER.encode(&digest.0[..8]))
    });
    &PATH
}

/// Whether a path is an asset's.
pub(crate) fn is_asset(path: &str) -> bool {
    path.starts_with("/assets/")
}

/// The content of an embedded file that is served elsewhere than among the assets.
///
/// # Errors
/// 404 when there is none of this name.
pub(crate) fn content(name: &str) -> Result<Vec<u8>, Refusal> {
    Embedded::get(name)
        .map(|file| file.data.into_owned())
        .ok_or_else(|| Problem::not_found("no such asset").into())
}

/// `GET /assets/{build}/{*name}`
pub(crate) async fn serve(
    Path((build, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let unknown = || Refusal::from(Problem::not_found("no such asset"));
    let accepts = |encoding: &str| {
        headers
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.split(',').any(|one| one.trim().starts_with(encoding)))
    };
    let kind = kind(&name).ok_or_else(unknown)?;
    let (encoding, file) = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts(encoding))
        .find_map(|(encoding, ending)| {
            Some((Some(encoding), Embedded::get(&format!("{name}{ending}"))?))
        })
        .or_else(|| Some((None, Embedded::get(&name)?)))
        .ok_or_else(unknown)?;
    let mut response: Response = file.data.into_owned().into_response();
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answered.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // A page of an older build may still ask by its path: it gets what there is, and keeps it not.
    let keep = if path().ends_with(&build) {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Some(encoding) = encoding {
        answered.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Ok(response)
}

fn kind(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" | "mjs" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "json" => Some("application/json"),
        "html" => Some("text/html; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_a_page_names_is_embedded_and_nothing_loads_from_elsewhere() {
        for name in [
            "medshare.css",
            "medshare.js",
            "start.js",
            "live.js",
            "htmx.js",
            "nhsuk-frontend.js",
            "mark.svg",
        ] {
            assert!(Embedded::get(name).is_some(), "{name}");
        }
        let css = Embedded::get("medshare.css").unwrap();
        let css = String::from_utf8_lossy(&css.data).into_owned();
        assert!(!css.contains("@font-face") && !css.contains("assets.nhs.uk"));
    }
}
