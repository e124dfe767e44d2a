//! A fresh folder that is removed at the end.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The folder; dropping it removes it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one below `dir`, which must be on a disk: in memory, syncing would cost nothing.
    pub fn make(dir: &Path) -> anyhow::Result<Scratch> {
        std::fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        ensure_on_disk(&dir)?;
        let folder = dir.join(format!("bench-{}", chassis::clock::now()));
        crate::files::make_private_folder(&folder)?;
        Ok(Scratch(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The kind of the file system that a folder is on, which must not be one in memory: there syncing costs nothing.
pub fn ensure_on_disk(folder: &Path) -> anyhow::Result<String> {
    let kind = file_system(folder);
    ensure!(
        !matches!(kind.as_str(), "tmpfs" | "ramfs" | "devtmpfs"),
        "{} is in memory, where syncing costs nothing: name a folder on a disk with --dir",
        folder.display()
    );
    Ok(kind)
}

/// The kind of the file system that an absolute path is on, by the longest mount point above it.
fn file_system(folder: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len());
    mount.map_or("unknown", |(_, kind)| kind).to_owned()
}
