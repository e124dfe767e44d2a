//! What `/proc` says of processes.

use anyhow::Context as _;
use serde::Serialize;

/// What a process has in memory, in MB (10^6 bytes).
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// All that is resident.
    pub resident_mb: f64,
    /// As that, with pages shared by n processes counted as one nth.
    pub proportional_mb: f64,
}

/// The memory of a process.
///
/// # Errors
/// If it is gone.
pub fn memory(id: u32) -> anyhow::Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"))
        .with_context(|| format!("process {id} is gone"))?;
    let of = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kib.unwrap_or_default() * 1024.0 / 1e6
    };
    Ok(Memory {
        resident_mb: of("Rss:"),
        proportional_mb: of("Pss:"),
    })
}

/// The processes below one, each with a name: the folder it works in for our own, and the program of others behind the
/// name of what started it.
pub fn descendants(parent: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut open = vec![(parent, None::<String>)];
    let children = parents();
    while let Some((id, above)) = open.pop() {
        for (child, _) in children.iter().filter(|(_, parent)| *parent == id) {
            let name = match &above {
                None => folder_name(*child),
                Some(above) => format!("{above}/{}", program_name(*child)),
            };
            found.push((*child, name.clone()));
            open.push((*child, Some(name)));
        }
    }
    found.sort();
    found
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in parentheses may hold spaces; state and parent follow it.
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        Some((id, parent.parse().ok()?))
    })
    .collect()
}

fn folder_name(id: u32) -> String {
    let folder = std::fs::read_link(format!("/proc/{id}/cwd")).unwrap_or_default();
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| id.to_string())
}

fn program_name(id: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    name.trim().to_owned()
}
