//! A server with several certificates to show, and the files that a URL may name.

use tollgate_testing::postgres::Cluster;
use tollgate_testing::tls::{Authority, Identity, setup};
use tollgate_tests::Project;

use crate::session::blog;

/// Who may connect how. The first line that fits decides.
const ACCESS: [&str; 4] = [
    "hostssl all must_encrypt 127.0.0.1/32 trust",
    "hostnossl all must_not_encrypt 127.0.0.1/32 trust",
    "hostssl all must_identify 127.0.0.1/32 trust clientcert=verify-ca",
    "hostssl all must_be_itself 127.0.0.1/32 cert",
];

/// The roles that it is about.
const ROLES: [&str; 4] = ["must_encrypt", "must_not_encrypt", "must_identify", "must_be_itself"];

/// A server that can show one of several certificates, and a project with the files that a URL may name.
pub(super) struct Fixture {
    pub(super) cluster: Cluster,
    pub(super) project: Project,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let (ours, theirs) = (Authority::new("our root"), Authority::new("another root"));
        let project = Project::new();
        blog(&project);
        let expired = ours.expired(&["localhost"]);
        let good = ours.server(&["localhost"]);
        let client = ours.common_name("must_be_itself");
        for (name, text) in [
            ("root", ours.certificate()),
            ("other", theirs.certificate()),
            ("expired", expired.certificate.clone()),
            ("good", good.certificate.clone()),
            ("client", client.together()),
            ("certificate", client.certificate.clone()),
            ("key", client.key.clone()),
            ("somebody", ours.common_name("somebody").together()),
            ("foreign", theirs.common_name("must_be_itself").together()),
            ("keyless", ours.common_name("must_be_itself").certificate),
            ("empty", String::new()),
        ] {
            project.file(&format!("{name}.pem"), &text);
        }
        let middle = ours.intermediate("in the middle");
        let mut chained = middle.server(&["localhost"]);
        chained.certificate += &middle.certificate();
        let identities: [(&str, Identity); 8] = [
            ("good", good),
            ("address", ours.server(&["127.0.0.1"])),
            ("elsewhere", ours.server(&["db.example.com", "*.example.com"])),
            ("several", ours.server(&["db.example.com", "localhost"])),
            ("expired", expired),
            ("stranger", theirs.server(&["localhost"])),
            ("chained", chained),
            ("nameless", ours.common_name("localhost")),
        ];
        let cluster = server(&identities, &ours);
        Self { cluster, project }
    }

    /// Lets the server show this certificate.
    pub(super) fn show(&self, name: &str) {
        self.cluster
            .admin(&format!(
                "ALTER SYSTEM SET ssl_cert_file = '{name}.crt';\nALTER SYSTEM SET ssl_key_file = '{name}.key';\n\
                 SELECT pg_reload_conf();"
            ))
            .unwrap();
        // A session that knows the new setting was begun by a server that shows the new certificate.
        let shown = format!("{name}.key\n");
        while self.cluster.admin("SHOW ssl_key_file").unwrap() != shown {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    pub(super) fn url(&self, role: &str, host: &str, parameters: &str) -> String {
        let port = self.cluster.port().unwrap();
        format!("postgresql://{role}@{host}:{port}/shop?{parameters}")
    }

    /// What `status` says with such a URL: that it is connected, or the error and what to do.
    pub(super) fn attempt(&mut self, role: &str, host: &str, parameters: &str) -> String {
        let url = self.url(role, host, parameters);
        self.project.set("DATABASE_URL", &url);
        let outcome = self.project.run(&["status", "--format", "json"]);
        if outcome.status == Some(5) {
            return "connected".to_owned();
        }
        assert_eq!(outcome.status, Some(1), "{outcome}");
        let error = &outcome.json()["errors"][0];
        let said = |part: &str| error[part].as_str().unwrap_or_default().to_owned();
        let port = format!("{host}:{}", self.cluster.port().unwrap());
        let text = format!("{}\n    help: {}", said("message"), said("help"));
        text.replace(
            &format!("PostgreSQL database \"shop\", schema \"public\" at {port}"),
            "THE SERVER",
        )
        .replace(&format!("{}/", self.project.path().display()), "")
    }
}

fn server(identities: &[(&str, Identity)], clients: &Authority) -> Cluster {
    let mut setup = setup(&identities[0].1, clients, &ACCESS);
    // They may not come by the lines that let everybody in.
    setup.access.push(format!("host all {} all reject", ROLES.join(",")));
    for (name, identity) in identities {
        setup.files.push((format!("{name}.crt"), identity.certificate.clone()));
        setup.files.push((format!("{name}.key"), identity.key.clone()));
    }
    let cluster = Cluster::start(&setup).unwrap();
    for role in ROLES {
        cluster.admin(&format!("CREATE ROLE {role} SUPERUSER LOGIN")).unwrap();
    }
    cluster.admin("CREATE DATABASE shop").unwrap();
    cluster
}
