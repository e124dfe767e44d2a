//! A form is done once, however often it is sent: back, reload and double clicks never repeat an action.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::answer::Refusal;

/// How long a form is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(30 * 60);
const REMEMBERED_MAX: usize = 100_000;

type Place = Arc<OnceCell<String>>;

/// Where each form led.
#[derive(Default)]
pub(crate) struct Once {
    forms: Mutex<HashMap<String, (Place, Instant)>>,
}

impl Once {
    /// Does the work of the form named so, unless it was done or is being done: then waits, and answers as the first time.
    /// Work that was refused may be tried again.
    pub(crate) async fn run(
        &self,
        form: String,
        work: impl Future<Output = Result<String, Refusal>>,
    ) -> Result<String, Refusal> {
        let place = self.place(form);
        place.get_or_try_init(|| work).await.cloned()
    }

    fn place(&self, form: String) -> Place {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if forms.len() >= REMEMBERED_MAX {
            forms.retain(|_, (_, at)| at.elapsed() < REMEMBERED_FOR);
        }
        if forms.len() >= REMEMBERED_MAX {
            forms.clear();
        }
        forms
            .entry(form)
            .or_insert_with(|| (Place::default(), Instant::now()))
            .0
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_form_that_is_sent_twice_at_once_is_done_once_and_leads_to_the_same_place() {
        let once = Once::default();
        let done = AtomicU32::new(0);
        let work = || async {
            tokio::task::yield_now().await;
            Ok(format!("/{}", done.fetch_add(1, Ordering::Relaxed)))
        };
        let (first, second) = tokio::join!(
            once.run("form".to_owned(), work()),
            once.run("form".to_owned(), work())
        );
        assert_eq!(first.unwrap(), "/0");
        assert_eq!(second.unwrap(), "/0");
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_was_refused_may_be_tried_again() {
        let once = Once::default();
        let refused = once
            .run("form".to_owned(), async {
                Err(interfaces::Problem::busy("full").into())
            })
            .await;
        assert!(refused.is_err());
        let tried_again = once
            .run("form".to_owned(), async { Ok("/there".to_owned()) })
            .await;
        assert_eq!(tried_again.unwrap(), "/there");
    }
}
