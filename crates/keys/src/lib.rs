//! Member keys: signing, sealing, codes, certificates and session tokens.
