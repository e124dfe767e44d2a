//! Writing files whole: a reader sees the old content or the new, never a part.

use std::path::Path;

use anyhow::Context as _;

/// Replaces a file's content.
pub fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, content)
        .with_context(|| format!("{} cannot be written", Path::new(&new).display()))?;
    std::fs::rename(&new, file).with_context(|| format!("{} cannot be written", file.display()))
}

/// Replaces a file of mode 0600.
pub fn write_private(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    keys::secret::write_private(file, content)
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// Replaces a file's content with a value as JSON.
pub fn write_json(file: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    write(
        file,
        format!("{}\n", serde_json::to_string_pretty(value)?).as_bytes(),
    )
}

/// Reads a value from a JSON file.
pub fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} cannot be understood", file.display()))
}

/// Makes a folder that only its owner enters.
pub fn make_private_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))
}
