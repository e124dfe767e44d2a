//! Compiles the gateway's gRPC interface from `proto/`, as a partner would, without protoc.

use std::path::Path;

const FILE: &str = "medshare/v1/ledger.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    println!("cargo:rerun-if-changed={}", root.join(FILE).display());
    let descriptors = protox::compile([FILE], [&root])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(descriptors)?;
    Ok(())
}
