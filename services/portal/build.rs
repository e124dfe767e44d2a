//! Fetches the npm packages the pages load (`npm ci --ignore-scripts`, by the committed lock file) and prepares them for
//! embedding. Node is needed to build; nothing of it is needed to run.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let assets = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("assets");
    let out = PathBuf::from(variable("OUT_DIR"));
    for watched in [
        "package.json",
        "package-lock.json",
        "build.mjs",
        "bundle.mjs",
        "source",
        "browser",
    ] {
        let path = assets.join(watched);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let packages = out.join("npm");
    fetch(&assets, &packages);
    println!(
        "cargo::rustc-env=PORTAL_NODE_MODULES={}",
        packages.join("node_modules").display()
    );
    let mut prepare = Command::new("node");
    prepare
        .arg(assets.join("build.mjs"))
        .arg(packages.join("node_modules"))
        .arg(out.join("static"));
    run(&mut prepare, "preparing the portal's assets");
}

/// Installs the locked packages, unless these very ones are there already.
fn fetch(assets: &Path, packages: &Path) {
    let lock = read(&assets.join("package-lock.json"));
    let stamp = packages.join("fetched-lock.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|fetched| fetched == lock) {
        return;
    }
    let _ = std::fs::remove_dir_all(packages);
    std::fs::create_dir_all(packages).expect("OUT_DIR can be written");
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(assets.join(name), packages.join(name)).expect("OUT_DIR can be written");
    }
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
    ])
    .current_dir(packages);
    run(
        &mut npm,
        "fetching the portal's npm packages (a network or a filled npm cache is needed once)",
    );
    std::fs::write(&stamp, lock).expect("OUT_DIR can be written");
}

fn run(command: &mut Command, what: &str) {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => fail(&format!(
            "{what} failed ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => fail(&format!(
            "{what}: `{program}` cannot be run ({error}). The portal's pages are built with Node.js 20 or later and its npm: \
             install them, and see that `node` and `npm` are in PATH"
        )),
    }
}

fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    std::process::exit(1);
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
