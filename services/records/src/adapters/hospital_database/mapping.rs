//! Where a hospital's own tables hold what a record is made of.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::element::{ElementPath, PathError};

/// Tables and columns of one hospital, as a TOML file says.
///
/// A mapping that records were read under is never changed: a change is a new file with the next version, and the
/// old one is kept, so that old rows are still read as they were committed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Its version, recorded beside every record.
    pub version: u32,
    /// The patients' master data.
    pub patient: PatientTable,
    /// One row per encounter.
    pub encounter: EncounterTable,
    /// One row per resource of an encounter.
    pub resource: ResourceTable,
    /// Elements that live in columns of the encounter's row instead of the resource's body.
    #[serde(default)]
    pub column: Vec<ElementColumn>,
}

/// Columns of the table of patients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientTable {
    /// The table.
    pub table: String,
    /// The hospital's patient number: the key.
    pub number: String,
    /// The identity ID; may be null.
    pub identity_id: String,
    /// The name.
    pub name: String,
}

/// Columns of the table of encounters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncounterTable {
    /// The table.
    pub table: String,
    /// The encounter's key.
    pub key: String,
    /// The patient's number.
    pub patient_number: String,
    /// The doctor's number; may be null.
    pub doctor: String,
    /// Start, as FHIR writes it.
    pub started: String,
    /// Encounter class.
    pub class: String,
}

/// Columns of the table of resources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceTable {
    /// The table.
    pub table: String,
    /// The encounter's key.
    pub encounter_key: String,
    /// The resource's full URL; with the encounter's key it is the key.
    pub full_url: String,
    /// The FHIR type.
    pub kind: String,
    /// JSON text of the resource, without what is in columns.
    pub body: String,
}

/// A string element that has a column of its own in the encounter's row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementColumn {
    /// `Patient` or `Encounter`: of these there is one in a record.
    pub resource: String,
    /// The element, for example `name[0].family`.
    pub element: ElementPath,
    /// The column.
    pub column: String,
}

/// Why a mapping can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// No mapping has that name, and no such file can be read.
    #[error("there is no mapping {0:?}: give \"a\", \"b\" or the path of a TOML file")]
    Unknown(String),
    /// Not TOML, or not of this form.
    #[error("mapping: {0}")]
    Form(#[from] toml::de::Error),
    /// An element's path is not one.
    #[error("mapping: {0}")]
    Path(#[from] PathError),
    /// A name that can't stand in SQL.
    #[error(
        "mapping: {0:?} is no name of a table or column: letters, digits and _, not starting with a digit"
    )]
    Name(String),
    /// Only elements of resources that occur once in a record can have a column.
    #[error(
        "mapping: elements of {0} can't have a column: only those of Patient and Encounter can"
    )]
    Resource(String),
    /// Two elements in one column, or one element in two.
    #[error("mapping: column {0:?} or its element is given twice")]
    Twice(String),
    /// Two mappings with one version.
    #[error("mapping: version {0} is given twice")]
    VersionTwice(u32),
}

impl Mapping {
    /// A built-in mapping (`a`, `b`), or the TOML file of that path.
    pub fn load(name: &str) -> Result<Mapping, MappingError> {
        match name {
            "a" => Mapping::parse(include_str!("mappings/a.toml")),
            "b" => Mapping::parse(include_str!("mappings/b.toml")),
            path => {
                let text = std::fs::read_to_string(path)
                    .map_err(|_| MappingError::Unknown(path.to_owned()))?;
                Mapping::parse(&text)
            }
        }
    }

    /// Reads and checks the TOML text.
    pub fn parse(text: &str) -> Result<Mapping, MappingError> {
        let mapping: Mapping = toml::from_str(text)?;
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), MappingError> {
        let Mapping {
            patient,
            encounter,
            resource,
            column,
            ..
        } = self;
        let names = [
            &patient.table,
            &patient.number,
            &patient.identity_id,
            &patient.name,
            &encounter.table,
            &encounter.key,
            &encounter.patient_number,
            &encounter.doctor,
            &encounter.started,
            &encounter.class,
            &resource.table,
            &resource.encounter_key,
            &resource.full_url,
            &resource.kind,
            &resource.body,
        ];
        let columns = column.iter().map(|element| &element.column);
        for name in names.into_iter().chain(columns) {
            if !is_name(name) {
                return Err(MappingError::Name(name.clone()));
            }
        }
        let mut columns = BTreeSet::new();
        let mut elements = BTreeSet::new();
        for element in column {
            if !["Patient", "Encounter"].contains(&element.resource.as_str()) {
                return Err(MappingError::Resource(element.resource.clone()));
            }
            let known = (element.resource.clone(), element.element.to_string());
            if !columns.insert(element.column.clone()) || !elements.insert(known) {
                return Err(MappingError::Twice(element.column.clone()));
            }
        }
        Ok(())
    }
}

/// The current mapping and the earlier ones, by version.
#[derive(Clone, Debug)]
pub struct Mappings {
    current: u32,
    by_version: BTreeMap<u32, Mapping>,
}

impl Mappings {
    /// `current` for what is written, and `earlier` for what was written before.
    pub fn new(current: Mapping, earlier: Vec<Mapping>) -> Result<Mappings, MappingError> {
        let version = current.version;
        let mut by_version = BTreeMap::from([(version, current)]);
        for mapping in earlier {
            let version = mapping.version;
            if by_version.insert(version, mapping).is_some() {
                return Err(MappingError::VersionTwice(version));
            }
        }
        Ok(Mappings {
            current: version,
            by_version,
        })
    }

    /// The mapping that is written under.
    pub fn current(&self) -> &Mapping {
        &self.by_version[&self.current]
    }

    /// The mapping of a version.
    pub fn version(&self, version: u32) -> Option<&Mapping> {
        self.by_version.get(&version)
    }
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && name.len() <= 63
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_mappings_are_well_formed() {
        for name in ["a", "b"] {
            Mapping::load(name).unwrap();
        }
    }

    #[test]
    fn a_name_that_could_carry_sql_is_refused() {
        let text =
            include_str!("mappings/a.toml").replace("\"mrn\"", "\"mrn; DROP TABLE patient\"");
        assert!(matches!(Mapping::parse(&text), Err(MappingError::Name(_))));
    }

    #[test]
    fn one_column_for_two_elements_is_refused() {
        let text = include_str!("mappings/b.toml").replace("\"first_name\"", "\"family_name\"");
        assert!(matches!(Mapping::parse(&text), Err(MappingError::Twice(_))));
    }

    #[test]
    fn elements_of_a_resource_that_may_occur_twice_have_no_column() {
        let text = include_str!("mappings/b.toml")
            .replace("resource = \"Encounter\"", "resource = \"Observation\"");
        assert!(matches!(
            Mapping::parse(&text),
            Err(MappingError::Resource(_))
        ));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = format!("colour = \"red\"\n{}", include_str!("mappings/a.toml"));
        assert!(matches!(Mapping::parse(&text), Err(MappingError::Form(_))));
    }
}
