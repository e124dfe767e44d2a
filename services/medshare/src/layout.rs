//! Where everything of a system lies, below the one folder that it is set up in.

use std::path::{Path, PathBuf};

/// The folder of a system.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The description that the system was made from.
    pub fn consortium(&self) -> PathBuf {
        self.root.join("consortium.toml")
    }

    /// The genesis file.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// Public keys of all processes by bus name.
    pub fn directory(&self) -> PathBuf {
        self.root.join("directory.json")
    }

    /// The certificate authority's root certificate.
    pub fn root_certificate(&self) -> PathBuf {
        self.root.join("root.pem")
    }

    /// The issuing authority, and what was issued beside identity.
    pub fn authority(&self) -> PathBuf {
        self.process("identity").join("authority")
    }

    /// Which processes there are.
    pub fn system(&self) -> PathBuf {
        self.root.join("system.toml")
    }

    /// Who may connect to the brokers, one JSON file each; the brokers take up changes while they run.
    pub fn broker_users(&self) -> PathBuf {
        self.root.join("broker-users")
    }

    /// A process's own folder: configuration, keys, data.
    pub fn process(&self, name: &str) -> PathBuf {
        self.root.join("processes").join(name)
    }

    /// An organisation's own keys, which no process reads.
    pub fn organisation(&self, slug: &str) -> PathBuf {
        self.root.join("organisations").join(slug)
    }

    /// What the running system writes about itself.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// A process's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.run().join("logs").join(format!("{name}.log"))
    }

    /// Process ids and states, rewritten at each change.
    pub fn processes(&self) -> PathBuf {
        self.run().join("processes.json")
    }

    /// Where each process listens.
    pub fn addresses(&self) -> PathBuf {
        self.run().join("addresses.json")
    }

    /// The ports last used, to be used again.
    pub fn ports(&self) -> PathBuf {
        self.run().join("ports.json")
    }

    /// Where the supervisor is to be asked, and the secret to ask with.
    pub fn control(&self) -> PathBuf {
        self.run().join("control.json")
    }
}
