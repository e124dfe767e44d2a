-- Projection: the patients' standing consents. No row: nothing was set, and both are on.

CREATE TABLE ledger_consents (
    patient TEXT PRIMARY KEY,
    share_for_treatment BIGINT NOT NULL,
    research BIGINT NOT NULL
);
