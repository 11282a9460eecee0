//! Certificates for servers and clients, made in the test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::postgres::Setup;

/// Somebody who signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its private key, as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, followed by those between it and the root, if there are any.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Identity {
    /// Both in one file, as Prisma's `sslidentity` has them.
    pub fn together(&self) -> String {
        self.certificate.clone() + &self.key
    }
}

/// When certificates are valid. Far away from now on both sides, so that no clock and no time zone matters.
const FROM: i32 = 2000;
const UNTIL: i32 = 4000;
/// When expired ones were.
const EXPIRED: i32 = 2001;

#[expect(clippy::expect_used, reason = "a test without certificates cannot go on")]
impl Authority {
    /// A root of this name.
    ///
    /// # Panics
    /// When the certificate library refuses.
    pub fn new(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name), key()).expect("a root can be made");
        Self { issuer }
    }

    /// Another authority, signed by this one.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        let issuer = CertifiedIssuer::signed_by(authority(name), key(), &self.issuer);
        Self {
            issuer: issuer.expect("an intermediate certificate can be made"),
        }
    }

    /// Its own certificate as PEM.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these host names and addresses.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn server(&self, names: &[&str]) -> Identity {
        self.sign(names.first().copied().unwrap_or("server"), names, UNTIL)
    }

    /// The same, expired.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn expired(&self, names: &[&str]) -> Identity {
        self.sign(names.first().copied().unwrap_or("server"), names, EXPIRED)
    }

    /// A certificate with this common name and no other: a client's, or an old-fashioned server's.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn common_name(&self, name: &str) -> Identity {
        self.sign(name, &[], UNTIL)
    }

    fn sign(&self, common: &str, names: &[&str], until: i32) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut parameters = CertificateParams::new(names).expect("the names are valid");
        parameters.distinguished_name.push(DnType::CommonName, common);
        parameters.not_before = date_time_ymd(FROM, 1, 1);
        parameters.not_after = date_time_ymd(until, 1, 1);
        let key = key();
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .expect("a certificate can be signed");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

#[expect(clippy::expect_used, reason = "a test without keys cannot go on")]
fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

#[expect(clippy::expect_used, reason = "no names are given, so none can be invalid")]
fn authority(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).expect("there are no names");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(FROM, 1, 1);
    parameters.not_after = date_time_ymd(UNTIL, 1, 1);
    parameters
}

/// A server that shows `identity` and believes clients whom `clients` has signed; lines for its `pg_hba.conf`.
pub fn setup(identity: &Identity, clients: &Authority, access: &[&str]) -> Setup {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Setup {
        settings: vec![
            pair("ssl", "on"),
            pair("ssl_cert_file", "server.crt"),
            pair("ssl_key_file", "server.key"),
            pair("ssl_ca_file", "root.crt"),
        ],
        access: access.iter().map(|&line| line.to_owned()).collect(),
        files: vec![
            pair("server.crt", &identity.certificate),
            pair("server.key", &identity.key),
            pair("root.crt", &clients.certificate()),
        ],
    }
}
