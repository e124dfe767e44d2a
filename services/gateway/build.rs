//! Compiles `proto/` into Rust, without protoc.

use std::path::Path;

const FILES: [&str; 2] = ["medshare/v1/ledger.proto", "grpc/health/v1/health.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    for file in FILES {
        println!("cargo:rerun-if-changed={}", root.join(file).display());
    }
    let descriptors = protox::compile(FILES, [&root])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
