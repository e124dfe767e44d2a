//! Disease search.

use interfaces::index::SearchDisease;

use super::api::{Api, Route};

pub(crate) fn routes(api: Api) -> Api {
    api.use_case::<SearchDisease>(
        Route::post(
            "/v1/searches",
            "Searches a disease: brief, de-identified answers, small cells suppressed",
        )
        .tag("search")
        .by("Third parties and insurers."),
    )
}
