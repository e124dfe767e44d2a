//! A PostgreSQL server of a test's own, which can be killed and started again.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const NOBODY: &str = "65534";

/// The server. It ends when dropped.
pub struct Postgres {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// A fresh server; none where PostgreSQL is not installed (`MEDSHARE_POSTGRES_BIN`).
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start() -> Option<Postgres> {
        let programs = PathBuf::from(std::env::var_os("MEDSHARE_POSTGRES_BIN")?);
        if !programs.join("initdb").exists() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), everybody).expect("a folder of everybody's");
        let made = unprivileged(&programs.join("initdb"))
            .args([
                "-U",
                "medshare",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "-D",
            ])
            .arg(folder.path().join("data"))
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let mut postgres = Postgres {
            programs,
            folder,
            port,
            server: None,
        };
        postgres.start_again();
        Some(postgres)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("postgres://medshare@127.0.0.1:{}", self.port)
    }

    /// Ends it at once, without a checkpoint and in the middle of whatever it does; committed rows stay.
    ///
    /// # Panics
    /// If it does not run.
    pub fn stop_at_once(&mut self) {
        let mut server = self.server.take().expect("it runs");
        let pid = Pid::from_raw(server.id().cast_signed()).expect("it has an id");
        let _ = kill_process(pid, Signal::QUIT);
        let _ = server.wait();
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_again(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let server = unprivileged(&self.programs.join("postgres"))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "max_connections=200"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres runs");
        self.server = Some(server);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while TcpStream::connect(address).is_err() || self.ask("postgres", "SELECT 1").is_none() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a statement; none when the server refuses it.
    ///
    /// # Panics
    /// If psql does not run.
    pub fn ask(&self, database: &str, statement: &str) -> Option<String> {
        let asked = Command::new(self.programs.join("psql"))
            .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .arg(format!("{}/{database}", self.url()))
            .output()
            .expect("psql runs");
        let answered = asked.status.success();
        answered.then(|| String::from_utf8_lossy(&asked.stdout).trim().to_owned())
    }

    /// All rows of a database but those that say how far its projections are, sorted.
    ///
    /// # Panics
    /// If they cannot be read.
    pub fn rows(&self, database: &str) -> Vec<String> {
        let dumped = Command::new(self.programs.join("pg_dump"))
            .args(["--data-only", "--inserts", "-T", "projection"])
            .arg(format!("{}/{database}", self.url()))
            .output()
            .expect("pg_dump runs");
        assert!(
            dumped.status.success(),
            "{}",
            String::from_utf8_lossy(&dumped.stderr)
        );
        let text = String::from_utf8_lossy(&dumped.stdout);
        let rows = text.lines().filter(|line| line.starts_with("INSERT"));
        let mut rows: Vec<String> = rows.map(str::to_owned).collect();
        rows.sort();
        rows
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.stop_at_once();
        }
    }
}

/// Servers refuse to run as root.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={NOBODY}"))
        .arg(format!("--regid={NOBODY}"))
        .arg("--clear-groups")
        .arg(program);
    command
}
