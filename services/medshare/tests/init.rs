//! What `init` writes from the description of a consortium, as the services themselves read it.

use medshare::consortium::{Consortium, PortalSite, Tls};
use medshare::init;
use medshare::layout::Layout;
use portal::WebTls;
use serde::de::DeserializeOwned;

/// The configuration of a process of a system that is made anew; nothing is started.
fn configured<C: DeserializeOwned>(consortium: &Consortium, process: &str) -> C {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path().join("system"));
    init::init(consortium, layout.root()).unwrap();
    let file = layout.process(process).join("config.toml");
    let mut table: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    // The part that every process has; a service's own configuration knows nothing of it.
    table.remove("process").unwrap();
    table.try_into().unwrap()
}

fn consortium(tls: Tls, portal: Option<PortalSite>) -> Consortium {
    Consortium {
        tls,
        portal,
        ..Consortium::built_in()
    }
}

fn site() -> PortalSite {
    PortalSite {
        host: "records.example".to_owned(),
        certificate_file: Some("/etc/site/chain.pem".into()),
        key_file: Some("/etc/site/key.pem".into()),
    }
}

fn pages(tls: Tls, portal: Option<PortalSite>) -> Option<WebTls> {
    let configuration: portal::Config = configured(&consortium(tls, portal), "portal");
    configuration.web.tls
}

#[test]
fn under_mutual_tls_the_pages_have_the_organisations_certificate_or_else_the_process_s_own() {
    let theirs = WebTls {
        certificate_file: "/etc/site/chain.pem".into(),
        key_file: "/etc/site/key.pem".into(),
    };
    assert_eq!(pages(Tls::Mutual, Some(site())), Some(theirs));
    let own = WebTls {
        certificate_file: "keys/tls.pem".into(),
        key_file: "keys/tls.pem".into(),
    };
    let named_only = PortalSite {
        certificate_file: None,
        key_file: None,
        ..site()
    };
    assert_eq!(pages(Tls::Mutual, Some(named_only)), Some(own.clone()));
    assert_eq!(pages(Tls::Mutual, None), Some(own));
    assert_eq!(pages(Tls::Plain, None), None);
}

#[test]
fn passkeys_belong_to_the_host_of_the_pages() {
    let host = |portal: Option<PortalSite>| {
        let configuration: identity::Config =
            configured(&consortium(Tls::Mutual, portal), "identity");
        configuration.passkey_host
    };
    assert_eq!(host(Some(site())), "records.example");
    assert_eq!(host(None), "localhost");
}
