//! `medshare bench pages`: the portal's lists over many records, applications and blocks, as a browser asks for them.
//!
//! The databases are filled before the system starts: records of one hospital as intake and ledger make them, applications as
//! the desk has them, blocks as the explorer keeps them. A doctor and a patient sign in, and each page is asked for one at a
//! time; its server time is what the portal says in `Server-Timing`. Every page is checked for the number of its entries.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use contracts::membership::command::MemberKind;
use contracts::{ApplicationId, RecordNumber};
use interfaces::Committed;
use interfaces::identity::{RegisterPerson, RegisteredPerson};
use keys::{MemberKey, Secret};
use ledger::LedgerId;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::PagesBench;
use super::measure::{Conditions, Latencies};
use super::report::Report;
use super::whole_system::WholeSystem;
use crate::demo::story::wait_for;
use crate::layout::Layout;

const ROWS_AT_ONCE: u64 = 10_000;
const RECORDS_PER_PATIENT: u64 = 40;
const DOCTORS: u64 = 200;
/// Of so many records one has the disease that is searched.
const DISEASE_EVERY: u64 = 100;
const DISEASE: &str = "40055000";
const OTHER_DISEASE: &str = "195662009";
/// Entries of a page of the portal's lists.
const ENTRIES: usize = 25;
/// The explorer's rows begin here: below are the system's own blocks.
const FIRST_BLOCK: u64 = 1_000_000;
/// 2020-01-01, in microseconds since the Unix epoch.
const FIRST_START_US: i64 = 1_577_836_800_000_000;
const MINUTE_US: i64 = 60_000_000;
const NOT_MEASURED: usize = 5;

#[derive(Debug, Serialize)]
struct Figures {
    records: u64,
    applications: u64,
    blocks: u64,
    fill_seconds: f64,
    /// Server time of each page, as the portal says it.
    pages: BTreeMap<&'static str, Latencies>,
}

/// Measures as asked.
pub async fn run(arguments: &PagesBench) -> anyhow::Result<Report> {
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    let conditions = Conditions::of(format!(
        "{} records of one hospital, {} applications for records of one patient, {} blocks; SQLite; {profile} profile; one page at a time",
        arguments.records, arguments.applications, arguments.blocks
    ));
    let began = Instant::now();
    let mut fill_seconds = 0.0;
    let whole = WholeSystem::start(&arguments.dir, async |layout| {
        fill_records(layout, arguments.records).await?;
        fill_blocks(layout, arguments.blocks).await?;
        fill_seconds = began.elapsed().as_secs_f64();
        Ok(())
    })
    .await?;
    let patient = person(&whole, MemberKind::Patient, "P-1").await?;
    let owner = *patient
        .ids
        .values()
        .next()
        .context("a patient without ledger id")?;
    let began = Instant::now();
    fill_applications(whole.layout(), owner, arguments.applications).await?;
    fill_seconds += began.elapsed().as_secs_f64();
    let doctor = person(&whole, MemberKind::Doctor, "D-1").await?;
    let id = doctor
        .ids
        .get("self")
        .context("a doctor without ledger id")?;
    let path = whole.hospital_path(&format!("doctors/{id}"))?;
    let _: Committed = whole
        .hospital
        .put(&path, &serde_json::json!({ "days": 30 }))
        .await?;

    let portal = whole
        .system
        .address("portal", "web")
        .context("the portal does not say where it listens")?;
    let mut browser = Browser::new(portal);
    browser.sign_in(&doctor).await?;
    let mut pages = BTreeMap::new();
    let middle = arguments.records / 2;
    let deep = format!(
        "/hospital/records?after={}.{}",
        start_us(middle),
        record(middle)
    );
    let by_patient = browser
        .search(&[("patient", &patient_number(arguments.records - 1))])
        .await?;
    let by_disease = browser.search(&[("disease", DISEASE)]).await?;
    let by_doctor = browser.search(&[("doctor", &doctor_number(7))]).await?;
    let card = "<li><div class=\"medshare-row\">";
    let mut asked = vec![
        ("records: newest", "/hospital/records".to_owned()),
        ("records: in the middle", deep),
        ("records: of a patient", by_patient),
        ("records: of a doctor", by_doctor),
        ("records: of a disease", by_disease),
    ];
    for (name, path) in asked.drain(..) {
        let figures = browser.measure(&path, card, arguments.samples).await;
        pages.insert(name, figures.with_context(|| name.to_owned())?);
    }
    let mut browser = Browser::new(portal);
    browser.sign_in(&patient).await?;
    let deep = format!("/history?after={}", arguments.applications / 2);
    for (name, path) in [
        ("applications: newest", "/history".to_owned()),
        ("applications: in the middle", deep),
        ("applications: that wait", "/requests".to_owned()),
    ] {
        let figures = browser.measure(&path, card, arguments.samples).await;
        pages.insert(name, figures.with_context(|| name.to_owned())?);
    }
    let mut browser = Browser::new(portal);
    let middle = FIRST_BLOCK + arguments.blocks / 2;
    for (name, path) in [
        ("blocks: newest", "/explorer/blocks?full=yes".to_owned()),
        (
            "blocks: in the middle",
            format!("/explorer/blocks?height={middle}"),
        ),
    ] {
        let figures = browser
            .measure(&path, "class=\"nhsuk-table__row\"", arguments.samples)
            .await;
        pages.insert(name, figures.with_context(|| name.to_owned())?);
    }
    whole.system.shut_down().await;
    let figures = Figures {
        records: arguments.records,
        applications: arguments.applications,
        blocks: arguments.blocks,
        fill_seconds,
        pages,
    };
    let rows = figures
        .pages
        .iter()
        .map(|(name, latencies)| ((*name).to_owned(), latencies.text()))
        .collect();
    Report::new("pages", rows, conditions, &figures)
}

fn database(layout: &Layout, process: &str, file: &str) -> anyhow::Result<String> {
    let file = layout.process(process).join("data").join(file);
    crate::files::make_private_folder(file.parent().context("a file is in a folder")?)?;
    Ok(store::sqlite_url(&file))
}

fn parts(count: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    (0..count)
        .step_by(ROWS_AT_ONCE as usize)
        .map(move |from| from..(from + ROWS_AT_ONCE).min(count))
}

fn record(number: u64) -> RecordNumber {
    RecordNumber(spread(number))
}

/// Sixteen bytes that look drawn, the same in every run.
fn spread(number: u64) -> [u8; 16] {
    let mut state =
        u128::from(number.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    state ^= state >> 65;
    state
        .wrapping_mul(0xbf58_476d_1ce4_e5b9_94d0_49bb_1331_11eb)
        .to_be_bytes()
}

fn start_us(number: u64) -> i64 {
    FIRST_START_US + i64::try_from(number).unwrap_or(i64::MAX / MINUTE_US) * MINUTE_US
}

fn patient_number(number: u64) -> String {
    format!("N-{}", number / RECORDS_PER_PATIENT)
}

fn doctor_number(number: u64) -> String {
    format!("D-{}", number % DOCTORS)
}

async fn fill_records(layout: &Layout, count: u64) -> anyhow::Result<()> {
    let url = database(layout, "records-lakeside", "records-lakeside.db")?;
    let key_file = layout.organisation("lakeside").join("member.json");
    let process = layout.process("records-lakeside");
    let master_file = process.join("keys/master.secret");
    let filled = |number: u64| records::Filled {
        record: record(number),
        patient: LedgerId(spread(number / RECORDS_PER_PATIENT)),
        patient_number: patient_number(number),
        doctor: doctor_number(number),
        disease: match number.is_multiple_of(DISEASE_EVERY) {
            true => DISEASE.to_owned(),
            false => OTHER_DISEASE.to_owned(),
        },
        start: (
            interfaces::time_text(ledger::Timestamp(start_us(number).unsigned_abs())),
            start_us(number),
        ),
        title: "Outpatient visit".to_owned(),
    };
    let made = parts(count).map(|part| part.map(filled).collect());
    let filled = records::fill(&url, &key_file, &master_file, made).await?;
    ensure!(filled == count, "{filled} records were filled in");
    Ok(())
}

async fn fill_blocks(layout: &Layout, count: u64) -> anyhow::Result<()> {
    let url = database(layout, "portal", "portal.db")?;
    portal::fill_blocks(&url, FIRST_BLOCK, count, chassis::clock::now()).await
}

async fn fill_applications(layout: &Layout, patient: LedgerId, count: u64) -> anyhow::Result<()> {
    let url = database(layout, "authorization", "authorization.db")?;
    let member = |slug: &str| -> anyhow::Result<LedgerId> {
        let file = layout.organisation(slug).join("member.json");
        Ok(MemberKey::load(&file)?.ledger_id())
    };
    let (hospital, applicant) = (member("lakeside")?, member("mutual")?);
    let filled = |number: u64| authorization::Filled {
        application: ApplicationId(spread(number)),
        place: i64::try_from(number).unwrap_or(i64::MAX),
        record: record(number),
        hospital,
        patient,
        applicant,
        // Those that wait are the oldest: whoever looks for them from the newest on looks through all.
        state: match number < ENTRIES as u64 {
            true => "patient_pending",
            false => "patient_refused",
        },
    };
    let made = parts(count).map(|part| part.map(filled).collect());
    let filled = authorization::fill(&url, made).await?;
    ensure!(filled == count, "{filled} applications were filled in");
    Ok(())
}

/// Who signs in at the portal.
struct Person {
    login: String,
    password: String,
    ids: BTreeMap<String, LedgerId>,
}

async fn person(whole: &WholeSystem, kind: MemberKind, number: &str) -> anyhow::Result<Person> {
    let password = Secret::random().expose_hex().to_string();
    let login = format!("login-{number}");
    let request = RegisterPerson {
        kind,
        real_name: "Bench".to_owned(),
        identity_id: number.to_owned(),
        login: login.clone(),
        password: password.clone(),
    };
    let registered: RegisteredPerson = whole.client.post("/v1/persons", &request).await?;
    wait_for("a person is endorsed", async || {
        Ok(Some(whole.client.sign_in(&login, &password).await?))
    })
    .await?;
    Ok(Person {
        login,
        password,
        ids: registered.ledger_ids,
    })
}

/// What a browser keeps: cookies.
struct Browser {
    portal: SocketAddr,
    cookies: BTreeMap<String, String>,
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What the portal says of its own time.
    fn server_time(&self) -> Option<Duration> {
        let (_, rest) = self.header("server-timing")?.split_once("dur=")?;
        let digits = rest.split(|character: char| !character.is_ascii_digit() && character != '.');
        let millis: f64 = digits.into_iter().next()?.parse().ok()?;
        Some(Duration::from_secs_f64(millis / 1000.0))
    }

    fn hidden(&self, name: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(rest.split('"').next()?.to_owned())
    }
}

impl Browser {
    fn new(portal: SocketAddr) -> Browser {
        Browser {
            portal,
            cookies: BTreeMap::new(),
        }
    }

    async fn ask(&mut self, path: &str, form: Option<&[(&str, &str)]>) -> anyhow::Result<Answer> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let (method, body) = match form {
            None => ("GET", String::new()),
            Some(fields) => ("POST", encoded(fields)),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept-language: en\r\nconnection: close\r\ncookie: {}\r\n\
             sec-fetch-site: same-origin\r\norigin: http://{}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            self.portal,
            cookies.join("; "),
            self.portal,
            body.len()
        );
        let mut stream = TcpStream::connect(self.portal).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        let answer = parsed(&String::from_utf8_lossy(&bytes))?;
        for (name, value) in &answer.headers {
            let cookie = value.split(';').next().unwrap_or_default();
            if name == "set-cookie"
                && let Some((name, value)) = cookie.split_once('=')
            {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    async fn sign_in(&mut self, person: &Person) -> anyhow::Result<()> {
        let form = [
            ("login", person.login.as_str()),
            ("password", person.password.as_str()),
            ("next", ""),
        ];
        let answer = self.ask("/sign-in", Some(&form)).await?;
        ensure!(answer.status == 303, "signing in answers {}", answer.status);
        Ok(())
    }

    /// Sends the search form; gives the path of what it found.
    async fn search(&mut self, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        let page = self.ask("/hospital/records", None).await?;
        let csrf = page.hidden("csrf").context("the form has no mark")?;
        let mut form = vec![("csrf", csrf.as_str())];
        form.extend(fields);
        let answer = self.ask("/hospital/records", Some(&form)).await?;
        let place = answer.header("location").map(str::to_owned);
        place.with_context(|| format!("a search answers {}", answer.status))
    }

    /// Asks for a page so many times; each must have a whole part of a list.
    async fn measure(
        &mut self,
        path: &str,
        entry: &str,
        samples: usize,
    ) -> anyhow::Result<Latencies> {
        let mut times = Vec::with_capacity(samples);
        for number in 0..samples + NOT_MEASURED {
            let answer = self.ask(path, None).await?;
            ensure!(answer.status == 200, "{path} answers {}", answer.status);
            let entries = answer.body.matches(entry).count();
            ensure!(entries >= ENTRIES, "{entries} entries are on {path}");
            if number >= NOT_MEASURED {
                times.push(answer.server_time().context("the portal says no time")?);
            }
        }
        Ok(Latencies::of(times))
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    pairs.join("&")
}

fn parsed(text: &str) -> anyhow::Result<Answer> {
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let Some(Ok(status)) = status.map(str::parse) else {
        bail!("an answer without status: {head}");
    };
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_what_the_portal_says_of_its_time() {
        let text = "HTTP/1.1 200 OK\r\nServer-Timing: page;dur=12.5\r\n\r\n<input name=\"csrf\" value=\"a-b\">";
        let answer = parsed(text).unwrap();
        assert_eq!(answer.server_time(), Some(Duration::from_micros(12_500)));
        assert_eq!(answer.hidden("csrf").as_deref(), Some("a-b"));
        assert!(parsed("nothing").is_err());
    }

    #[test]
    fn made_up_records_differ() {
        let numbers: std::collections::BTreeSet<_> = (0..10_000).map(record).collect();
        assert_eq!(numbers.len(), 10_000);
    }
}
