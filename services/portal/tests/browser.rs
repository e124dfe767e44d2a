//! The browser's library (`assets/browser`), tried by node's own test runner on what the Rust code makes and judges.

use std::path::Path;
use std::process::Command;

#[test]
fn the_browsers_library_judges_receipts_and_opens_records_as_the_product_does() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let modules = assets.join("node_modules");
    if !modules.exists() {
        // Node looks for packages beside the modules that import them; git ignores the link.
        let fetched = Path::new(env!("PORTAL_NODE_MODULES"));
        std::os::unix::fs::symlink(fetched, &modules)
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => Ok(()),
                _ => Err(error),
            })
            .expect("a link to the fetched packages");
    }
    let run = Command::new("node")
        .args(["--test", "browser/tests/"])
        .current_dir(&assets)
        .output()
        .expect("node runs: the portal is built with it");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("# fail 0"), "{said}");
}
