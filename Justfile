# Recipes of the project. Run them as `./dev RECIPE`, which first fetches what they need.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

target := env("CARGO_TARGET_DIR", justfile_directory() / "target")
medshare := target / "debug" / "medshare"

# What there is to run.
default:
    @just --list --unsorted

# Builds the medshare command in the dev profile.
build:
    cargo build --locked --workspace --bins

# The same with the features that tests ask for: whoever builds the tests as well builds nothing twice.
tested:
    cargo build --locked --workspace --bins --features bus/testing,store/testing

# Starts a system of its own in a fresh folder and runs the story against it.
demo *arguments: build
    @cd "${MEDSHARE_CALLED_FROM:-.}" && exec {{ quote(medshare) }} demo "$@"

# Starts a system and leaves it running; Ctrl-C stops all of it.
up *arguments: build
    @cd "${MEDSHARE_CALLED_FROM:-.}" && exec {{ quote(medshare) }} up "$@"

# Every test; a name or nextest option narrows it.
test *arguments: tested
    @infra/tools/run-tests --workspace "$@"

# Formatting, lints, arrows between crates, licences, generated files.
check: format lint arrows deny generated

# Formatting as rustfmt has it.
format:
    cargo fmt --all --check

# Clippy and rustc warnings are errors.
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# The arrows between crates, read from cargo metadata. (Here and below: with the whole workspace's features, so that one build
# of every dependency serves all recipes.)
arrows:
    cargo test --locked -q --workspace --test architecture

# Licences, sources and bans of dependencies. (Advisories need a network: see below.)
deny:
    cargo fetch --locked
    cargo deny --offline --locked check bans licenses sources

# Published advisories about dependencies: RustSec's, fetched or from a local copy ($MEDSHARE_ADVISORY_DB), and npm's.
advisories:
    @infra/tools/advisories

# Generated files are regenerated and compared.
generated:
    @infra/tools/check-generated

# The end-to-end suites: stories, requirements, traces, chaos, attacks or pages.
e2e suite="stories" *arguments: tested
    @shift || true; infra/tools/run-tests --workspace --test {{ quote(suite) }} --ignore-default-filter "$@"

# Pictures of every page, on phone and desktop width, into screenshots/ (which git ignores).
screenshots: tested
    @rm -rf screenshots && MEDSHARE_SCREENSHOTS="$PWD/screenshots" infra/tools/run-tests --workspace --test pages --ignore-default-filter

# The seeded simulator of the ordering cluster; a wrong argument lists the right ones.
sim *arguments:
    @cargo build --locked -q --workspace --bin simulator
    @{{ quote(target / "debug" / "simulator") }} "$@"

# The simulator finds every seeded defect; a build of its own, for no shipped program has them (--ignored: finds them anew).
mutants *arguments:
    cargo test --locked -q --workspace --features simulator/mutants --test mutants -- --nocapture "$@"

# Every decoder of bytes from outside under mutated inputs, each for so many seconds.
fuzz seconds="30" *arguments:
    @shift || true; infra/tools/fuzz {{ quote(seconds) }} "$@"

# Fresh seeds, scenarios of twins, the model, the fuzz targets and the chaos suite, in turn, for so many minutes.
soak minutes="60": tested
    @infra/tools/soak {{ quote(minutes) }} {{ quote(target / "debug" / "simulator") }}

# Signatures are checked with AVX-512 where the processor has it, else with AVX2 or neither: chosen when the program runs.
# Not in .cargo/config.toml: there it would apply to every profile, and every change of it builds everything anew.
release_flags := if arch() == "x86_64" { '--cfg curve25519_dalek_backend="avx512"' } else { '' }

# Builds the medshare command in the release profile.
release:
    RUSTFLAGS={{ quote(trim(env("RUSTFLAGS", "") + " " + release_flags)) }} cargo build --locked --release -p medshare --bin medshare

# Measurements, in the release profile.
bench *arguments: release
    @cd "${MEDSHARE_CALLED_FROM:-.}" && exec {{ quote(target / "release" / "medshare") }} bench "$@"

# Removes what was built and fetched.
clean:
    cargo clean
    rm -rf -- "${MEDSHARE_DEV_DIR:?}"
