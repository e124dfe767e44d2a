//! Choosing ports: the one used last, else the usual one, else any that is free, so that two systems run side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context as _;

use crate::layout::Layout;
use crate::system::ProcessDescription;

/// The ports of a system's listeners, by `<process>/<listener>`.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    chosen: BTreeMap<String, u16>,
}

impl Ports {
    /// The ports of the last run, each still to be checked when it is asked for.
    pub fn last_used(layout: &Layout) -> BTreeMap<String, u16> {
        crate::files::read_json(&layout.ports()).unwrap_or_default()
    }

    /// Chooses a port for each listener of `processes` that has none yet, and writes down all.
    pub fn choose(
        &mut self,
        layout: &Layout,
        processes: &[ProcessDescription],
    ) -> anyhow::Result<()> {
        let last = Self::last_used(layout);
        let mut taken: BTreeSet<u16> = self.chosen.values().copied().collect();
        for process in processes {
            for listener in &process.listeners {
                let key = format!("{}/{}", process.name, listener.name);
                if self.chosen.contains_key(&key) {
                    continue;
                }
                let wanted = last.get(&key).copied().into_iter().chain([listener.port]);
                let port = match wanted
                    .filter(|port| *port != 0 && !taken.contains(port))
                    .find(|port| is_free(*port))
                {
                    Some(port) => port,
                    None => any_free(&taken).with_context(|| format!("no free port for {key}"))?,
                };
                taken.insert(port);
                self.chosen.insert(key, port);
            }
        }
        crate::files::write_json(&layout.ports(), &self.chosen)
    }

    /// The port chosen for a listener.
    pub fn port(&self, process: &str, listener: &str) -> Option<u16> {
        self.chosen.get(&format!("{process}/{listener}")).copied()
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// Where free ports are looked for: below what operating systems give to outgoing connections (Linux: from 32768), one of
/// which could take the port before its listener does.
const LISTENING: std::ops::Range<u16> = 15_000..32_000;

/// How often a place is tried there, before any free port will do.
const TRIES: usize = 64;

/// A free port that is none of these.
pub(crate) fn any_free(taken: &BTreeSet<u16>) -> std::io::Result<u16> {
    for _ in 0..TRIES {
        let random = u16::from_be_bytes(keys::secret::random());
        let port = LISTENING.start + random % (LISTENING.end - LISTENING.start);
        if !taken.contains(&port) && is_free(port) {
            return Ok(port);
        }
    }
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        if !taken.contains(&port) {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Listener;

    #[test]
    fn a_port_that_is_taken_gives_way_to_a_free_one_and_is_kept_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.run()).unwrap();
        let occupied = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = occupied.local_addr().unwrap().port();
        let process = ProcessDescription {
            name: "gateway".into(),
            command: "gateway".into(),
            operator: "authority".into(),
            stage: 0,
            brokers: vec![],
            listeners: vec![Listener {
                name: "rest".into(),
                key: "rest.address".into(),
                port,
            }],
        };
        let mut ports = Ports::default();
        ports
            .choose(&layout, std::slice::from_ref(&process))
            .unwrap();
        let chosen = ports.port("gateway", "rest").unwrap();
        assert_ne!(chosen, port);
        assert!(
            LISTENING.contains(&chosen),
            "no outgoing connection takes it"
        );
        drop(occupied);
        let mut again = Ports::default();
        again.choose(&layout, &[process]).unwrap();
        assert_eq!(again.port("gateway", "rest"), Some(chosen));
    }
}
