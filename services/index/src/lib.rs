//! Index: disease search with brief, de-identified answers.
