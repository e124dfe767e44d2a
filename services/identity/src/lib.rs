//! Identity: certificate authority, registration, endorsement, sign-in, custody of natural persons' keys.
