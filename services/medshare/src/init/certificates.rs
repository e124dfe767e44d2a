//! The certificate authority, and the certificates that are issued beside identity: the first ones, those of newcomers,
//! and those that ended while the system was down.

use std::io::Write as _;

use anyhow::Context as _;
use keys::MemberKey;
use keys::certificate::{Authority, LeafKey, LeafKind, LeafRequest, certificate_digest};
use keys::tls::TlsFiles;
use ledger::{LedgerId, Timestamp};
use serde::Serialize;
use zeroize::Zeroizing;

use super::replica_number;
use crate::consortium::{Consortium, Tls};
use crate::files;
use crate::layout::Layout;
use crate::system::{ProcessDescription, SystemDescription};

const YEAR_US: u64 = 365 * 24 * 3600 * 1_000_000;
/// Clocks of different machines differ a little.
const BACKDATED_US: u64 = 60_000_000;

/// What identity enters into its database, one line each: see `services/identity/src/issued.rs`.
#[derive(Serialize)]
struct Issued<'a> {
    serial: &'a str,
    holder: &'a str,
    fingerprint: String,
    issued: u64,
    not_after: u64,
}

/// Makes root and issuing authority: the issuing one belongs to identity; the root's key belongs in a safe.
pub(super) fn make_authority(
    consortium: &Consortium,
    layout: &Layout,
    now: Timestamp,
) -> anyhow::Result<Authority> {
    let root = Authority::root(&consortium.name, now, Timestamp(now.0 + 20 * YEAR_US))?;
    let folder = layout.authority();
    files::make_private_folder(&folder)?;
    for file in [folder.join("root.pem"), layout.root_certificate()] {
        files::write(&file, root.certificate_pem().as_bytes())?;
    }
    let safe = layout.organisation(&consortium.authority().slug);
    files::make_private_folder(&safe)?;
    files::write_private(&safe.join("root.key.pem"), root.expose_key_pem().as_bytes())?;
    make_issuing(&root, consortium, layout, now)?;
    Ok(root)
}

/// Makes an issuing authority under the root, in place of the one before.
pub(crate) fn make_issuing(
    root: &Authority,
    consortium: &Consortium,
    layout: &Layout,
    now: Timestamp,
) -> anyhow::Result<()> {
    let site = consortium.portal.iter().map(|site| &site.host);
    let hosts = consortium.hosts.values().flatten().chain(site);
    let domains: Vec<String> = hosts.cloned().collect();
    let end = Timestamp(now.0 + 5 * YEAR_US);
    let issuing = root.issuing(&consortium.name, &domains, now, end)?;
    let folder = layout.authority();
    files::write_private(
        &folder.join("issuing.key.pem"),
        issuing.expose_key_pem().as_bytes(),
    )?;
    files::write(
        &folder.join("issuing.pem"),
        issuing.certificate_pem().as_bytes(),
    )
}

/// Issues certificates with the issuing authority's key, as whoever operates identity may.
pub(crate) struct Issuer<'a> {
    authority: Authority,
    consortium: &'a Consortium,
    layout: &'a Layout,
}

impl<'a> Issuer<'a> {
    /// With the key in identity's folder.
    pub(crate) fn open(
        layout: &'a Layout,
        consortium: &'a Consortium,
    ) -> anyhow::Result<Issuer<'a>> {
        let folder = layout.authority();
        let certificate = std::fs::read_to_string(folder.join("issuing.pem"))
            .context("the issuing authority's certificate")?;
        let key = keys::secret::read_private(&folder.join("issuing.key.pem"))?;
        Ok(Issuer {
            authority: Authority::from_pem(&certificate, &key)?,
            consortium,
            layout,
        })
    }

    /// Issues a process's certificate, with a new key.
    pub(crate) fn process(&self, process: &ProcessDescription) -> anyhow::Result<()> {
        let kind = match process.command.as_str() {
            "ordering" => LeafKind::Replica,
            // Whoever is connected to is a server, and connects to others as well.
            "broker" | "gateway" | "portal" => LeafKind::Server,
            _ => LeafKind::Service,
        };
        let mut names = Vec::new();
        if kind == LeafKind::Server {
            names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
            names.extend(self.consortium.hosts_of(&process.name).cloned());
        }
        let key_file = self.layout.process(&process.name).join("keys/member.json");
        let holder = match (replica_number(&process.name), MemberKey::load(&key_file)) {
            (None, Ok(key)) => key.ledger_id().to_string(),
            _ => process.name.clone(),
        };
        let file = process_files(self.layout, &process.name);
        self.issue_file(kind, &process.name, &holder, names, &file)
    }

    /// Issues a certificate for an organisation's partner systems: by it they reach the gateway.
    pub(crate) fn organisation(&self, slug: &str) -> anyhow::Result<()> {
        let folder = self.layout.organisation(slug);
        let key = MemberKey::load(&folder.join("member.json"))
            .or_else(|_| MemberKey::load(&folder.join("operator.json")))
            .with_context(|| format!("the key of {slug}"))?;
        let id = key.ledger_id().to_string();
        let file = organisation_files(self.layout, slug);
        self.issue_file(LeafKind::Organisation, &id, &id, Vec::new(), &file)
    }

    /// Issues a device's certificate for the key that the device made; gives the chain, PEM.
    pub(crate) fn device(&self, id: &LedgerId, request_pem: String) -> anyhow::Result<String> {
        let id = id.to_string();
        let key = LeafKey::Requested(request_pem);
        let (_, chain) = self.issue(LeafKind::Device, &id, &id, Vec::new(), key)?;
        Ok(chain)
    }

    fn issue_file(
        &self,
        kind: LeafKind,
        subject: &str,
        holder: &str,
        names: Vec<String>,
        file: &TlsFiles,
    ) -> anyhow::Result<()> {
        let (key, chain) = self.issue(kind, subject, holder, names, LeafKey::NewEd25519)?;
        let key = key.context("a new key was asked for")?;
        Ok(file.save(&key, &chain)?)
    }

    /// Issues and writes down; gives the key, if it is new, and the chain.
    fn issue(
        &self,
        kind: LeafKind,
        subject: &str,
        holder: &str,
        names: Vec<String>,
        key: LeafKey,
    ) -> anyhow::Result<(Option<Zeroizing<String>>, String)> {
        let now = chassis::clock::now();
        let life_us = (self.consortium.certificate_hours * 3.6e9) as u64;
        let not_after = Timestamp(now + life_us);
        let leaf = self.authority.issue(&LeafRequest {
            kind,
            subject: subject.to_owned(),
            names,
            not_before: Timestamp(now.saturating_sub(BACKDATED_US.min(life_us / 10))),
            not_after,
            key,
        })?;
        let line = serde_json::to_string(&Issued {
            serial: &leaf.serial,
            holder,
            fingerprint: certificate_digest(&leaf.certificate_pem)?.to_string(),
            issued: now,
            not_after: not_after.0,
        })?;
        let mut issued = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.layout.authority().join("issued.jsonl"))?;
        issued.write_all(format!("{line}\n").as_bytes())?;
        let chain = leaf.certificate_pem + self.authority.certificate_pem();
        Ok((leaf.key_pem, chain))
    }
}

/// Where a process's certificate lies.
pub(crate) fn process_files(layout: &Layout, name: &str) -> TlsFiles {
    TlsFiles {
        identity_file: layout.process(name).join("keys/tls.pem"),
        root_file: layout.root_certificate(),
    }
}

/// Where the certificate of an organisation's partner systems lies.
pub fn organisation_files(layout: &Layout, slug: &str) -> TlsFiles {
    TlsFiles {
        identity_file: layout.organisation(slug).join("tls.pem"),
        root_file: layout.root_certificate(),
    }
}

/// Issues anew what ended, or will within a third of its life, while the system was down: a process whose certificate
/// has ended can no longer ask identity for the next one. Only where the issuing authority's key lies.
pub(crate) fn renew_ended(layout: &Layout, system: &SystemDescription) -> anyhow::Result<()> {
    if !layout.consortium().exists() || !layout.authority().join("issuing.key.pem").exists() {
        return Ok(());
    }
    let consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    if consortium.tls == Tls::Plain {
        return Ok(());
    }
    let issuer = Issuer::open(layout, &consortium)?;
    for process in &system.processes {
        if ends_soon(&process_files(layout, &process.name)) {
            issuer.process(process)?;
        }
    }
    for organisation in &consortium.organisations {
        if ends_soon(&organisation_files(layout, &organisation.slug)) {
            issuer.organisation(&organisation.slug)?;
        }
    }
    Ok(())
}

fn ends_soon(file: &TlsFiles) -> bool {
    let Ok(identity) = file.load() else {
        return true;
    };
    let leaf = identity.leaf();
    let life = leaf.not_after.0.saturating_sub(leaf.not_before.0);
    leaf.not_after.0.saturating_sub(chassis::clock::now()) < life / 3
}
