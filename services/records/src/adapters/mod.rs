//! What lies outside: the hospital's database.

mod hospital_database;

pub use hospital_database::{
    ConnectorError, DatabaseKind, ElementPath, EncounterRows, HospitalDatabase, KEY_BYTES_MAX,
    Mapping, MappingError, Mappings, PathError, SqlConnector, StoredEncounter, create_demo_schema,
};
