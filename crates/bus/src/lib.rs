//! The message bus: subjects, request and reply, submission, following the ledger, trace context.
