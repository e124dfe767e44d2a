//! Records: one process per hospital; intake, commitment, viewing, codes, amendments.
