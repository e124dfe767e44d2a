//! Reaching a system's gateway as a partner system of one of its organisations.

use std::net::SocketAddr;

use anyhow::Context as _;
use client::Client;
use ledger::GenesisFile;

use crate::consortium::{Consortium, Tls};
use crate::init::organisation_files;
use crate::layout::Layout;

/// A client of the gateway at `address`: with mutual TLS, where the system has it, as the authority's partner system.
///
/// # Errors
/// If the system's files cannot be read.
pub fn client(
    layout: &Layout,
    address: SocketAddr,
    genesis: GenesisFile,
) -> anyhow::Result<Client> {
    let consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    if consortium.tls == Tls::Plain {
        return Ok(Client::new(&format!("http://{address}"), genesis)?);
    }
    let files = organisation_files(layout, &consortium.authority().slug);
    let identity = files.load().context("the authority's certificate")?;
    Ok(Client::with_certificate(
        &format!("https://{address}"),
        genesis,
        &identity,
    )?)
}
