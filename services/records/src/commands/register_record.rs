//! RegisterRecord and AmendRecord: what is drawn for a version, and what goes to the ledger of it.

use contracts::RecordNumber;
use contracts::records::command::{Code, CodeHolder, Command, RegisterRecord, content_parts};
use interfaces::Base64;
use interfaces::index::IndexRow;
use keys::ContentKey;
use ledger::{Commitment, Digest, DigestAlgorithm, LedgerId, Timestamp};

use crate::facts::codes::{self, DEFAULT_VALIDITY_US, DrawnCode};
use crate::facts::patients::Match;
use crate::facts::versions::{self, Commitments, PREPARED, Version, VersionSecrets};
use crate::facts::{Connection, claims};
use crate::failure::Failure;
use crate::service::Records;

/// Commits to one version under a fresh salt.
pub fn commit_content(
    algorithm: DigestAlgorithm,
    salt: &[u8; 32],
    (patient, hospital): (&LedgerId, &LedgerId),
    (record, version): (&RecordNumber, u32),
    digests: &[Digest; 2],
) -> Commitment {
    let place = DigestAlgorithm::ALL
        .iter()
        .position(|known| *known == algorithm);
    let digest = digests[place.expect("every algorithm is in the list")];
    let parts = content_parts(patient, record, version, hospital, &digest);
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Commitment::new(algorithm, salt, &parts)
}

impl Records {
    /// The row of the search index for a version.
    pub fn index_row(
        &self,
        matched: &Match,
        (record, version): (&RecordNumber, u32),
        brief: &[u8],
        index_salt: &[u8; 32],
    ) -> IndexRow {
        IndexRow {
            record: *record,
            version,
            hospital: self.hospital,
            patient: matched.patient,
            person: Digest(matched.person),
            facts: Base64(brief.to_vec()),
            salt: Digest(*index_salt),
        }
    }

    /// Draws salts, commitments, claims' references and, for version 1, both codes; all durable before anybody hears.
    pub async fn prepare_version(
        &self,
        connection: &mut Connection,
        key: &ContentKey,
        matched: &Match,
        version: &Version,
    ) -> Result<(), Failure> {
        let secrets = version.secrets(key)?;
        let (salt, index_salt): ([u8; 32], [u8; 32]) =
            (keys::secret::random(), keys::secret::random());
        let about = (&version.record, version.version);
        let content = commit_content(
            self.algorithm,
            &salt,
            (&matched.patient, &self.hospital),
            about,
            &secrets.digests,
        );
        let index = self
            .index_row(matched, about, &secrets.brief, &index_salt)
            .commitment(self.algorithm);
        claims::insert(connection, &self.vault, key, &salt, about, &secrets.claims).await?;
        if version.version == 1 {
            codes::remove_all(connection, &version.record).await?;
            let until = Timestamp(chassis::clock::now()).plus(DEFAULT_VALIDITY_US);
            for holder in [CodeHolder::Patient, CodeHolder::Hospital] {
                let drawn = DrawnCode::draw(&version.record, holder, u32::MAX, until);
                codes::insert(connection, key, &version.record, &drawn).await?;
            }
        }
        let secrets = VersionSecrets {
            commitments: Some(Commitments {
                salt,
                content,
                index_salt,
                index,
            }),
            ..secrets
        };
        let prepared = Version {
            state: PREPARED.to_owned(),
            ..version.clone()
        };
        versions::put(connection, &self.vault, key, &prepared, &secrets).await
    }
}

/// The command for a prepared version. `drawn` are the codes of version 1.
pub fn version_command(
    version: &Version,
    commitments: &Commitments,
    patient: &LedgerId,
    drawn: &[DrawnCode],
) -> Result<Command, Failure> {
    if version.version > 1 {
        return Ok(Command::AmendRecord {
            record: version.record,
            version: version.version,
            content: commitments.content,
            index: commitments.index,
        });
    }
    let code = |holder: CodeHolder| -> Result<Code, Failure> {
        let found = drawn.iter().find(|drawn| drawn.holder == holder);
        Ok(found.ok_or(Failure::Row("codes"))?.public)
    };
    Ok(Command::RegisterRecord(RegisterRecord {
        record: version.record,
        patient: *patient,
        content: commitments.content,
        index: commitments.index,
        patient_code: code(CodeHolder::Patient)?,
        hospital_code: code(CodeHolder::Hospital)?,
    }))
}
