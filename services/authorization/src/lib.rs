//! Authorization: the application workflow and sealed delivery.
