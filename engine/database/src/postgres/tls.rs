//! TLS by rustls: trust as the URL asks for it, in Prisma's words or libpq's.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::DatabaseError;
use crate::postgres::target::{PostgresTarget, Trust};

/// The connector for `target`.
pub(crate) fn connector(target: &PostgresTarget) -> Result<MakeRustlsConnect, DatabaseError> {
    Ok(MakeRustlsConnect::new(client_config(target)?))
}

/// What TLS is to do and to check for `target`.
pub(crate) fn client_config(target: &PostgresTarget) -> Result<ClientConfig, DatabaseError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(target, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failure(target, error.to_string(), None))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &target.identity {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let (chain, key) = identity(target, path)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                failure(
                    target,
                    format!("the identity in {} cannot be used: {error}", path.display()),
                    None,
                )
            })?
        }
    };
    Ok(config)
}

fn failure(target: &PostgresTarget, reason: String, help: Option<String>) -> DatabaseError {
    DatabaseError::Tls {
        target: target.describe(),
        reason,
        help,
    }
}

/// Our certificate chain and private key, from one PEM file or from two.
fn identity(
    target: &PostgresTarget,
    path: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), DatabaseError> {
    let bytes = pem(target, path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| failure(target, format!("{}: {error}", path.display()), None))?;
    let place = target.identity_key.as_deref().unwrap_or(path);
    let key = match &target.identity_key {
        None => PrivateKeyDer::from_pem_slice(&bytes),
        Some(path) => PrivateKeyDer::from_pem_slice(&pem(target, path)?),
    };
    let key = key.map_err(|error| {
        let why = match error {
            rustls::pki_types::pem::Error::NoItemsFound => "there is none in it".to_owned(),
            error => error.to_string(),
        };
        failure(
            target,
            format!("cannot read our private key in {}: {why}", place.display()),
            Some(
                "it has to be there, and not be encrypted: in the file of sslidentity together with our certificate, or by \
                 itself in that of sslkey"
                    .to_owned(),
            ),
        )
    })?;
    Ok((chain, key))
}

/// A file of our own that ought to be PEM.
fn pem(target: &PostgresTarget, path: &Path) -> Result<Vec<u8>, DatabaseError> {
    let bytes = std::fs::read(path).map_err(|error| {
        failure(
            target,
            format!("cannot read our certificate or key in {}: {error}", path.display()),
            Some("name a PEM file that this user may read".to_owned()),
        )
    })?;
    if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        return Ok(bytes);
    }
    Err(failure(
        target,
        format!("{} is no PEM file; PKCS#12 files are not supported", path.display()),
        Some("convert it: openssl pkcs12 -in identity.p12 -out identity.pem -nodes, and name identity.pem".to_owned()),
    ))
}

/// Certificates of a PEM file.
fn certificates(target: &PostgresTarget, path: &Path) -> Result<Vec<CertificateDer<'static>>, DatabaseError> {
    let problem = |error: String| {
        failure(
            target,
            format!("cannot read the root certificates in {}: {error}", path.display()),
            Some("name a PEM file with certificates that this user may read: sslrootcert=/path/root.pem".to_owned()),
        )
    };
    let bytes = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| problem(error.to_string()))?;
    if found.is_empty() {
        return Err(problem("there is none in it".to_owned()));
    }
    Ok(found)
}

/// Judges the server's certificate.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// None: believe anybody.
    chain: Option<Arc<WebPkiServerVerifier>>,
    check_name: bool,
    /// A self-signed server certificate given as root: webpki refuses those as servers, OpenSSL and so Prisma do not.
    pinned: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(target: &PostgresTarget, provider: &Arc<CryptoProvider>) -> Result<Self, DatabaseError> {
        let check_name = target.trust == Trust::ChainAndName;
        let pinned = match &target.roots {
            Some(path) => certificates(target, path)?,
            None => Vec::new(),
        };
        if target.trust == Trust::Anybody {
            return Ok(Self {
                provider: Arc::clone(provider),
                chain: None,
                check_name,
                pinned,
            });
        }
        let mut roots = RootCertStore::empty();
        if pinned.is_empty() || !target.only_these_roots {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        roots.add_parsable_certificates(pinned.iter().cloned());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| {
                failure(
                    target,
                    format!("no trusted root certificates: {error}"),
                    Some("name a PEM file with the server's root certificate: sslcert=/path/root.pem".to_owned()),
                )
            })?;
        Ok(Self {
            provider: Arc::clone(provider),
            chain: Some(chain),
            check_name,
            pinned,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(rustls::Error::InvalidCertificate(problem)) = &verdict else {
            return verdict;
        };
        match problem {
            // The chain is checked before the name, so this error says that the chain is good.
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                if self.check_name {
                    verdict
                } else {
                    Ok(ServerCertVerified::assertion())
                }
            }
            // The time is checked before everything else, and holds for a certificate that is trusted by itself, too.
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::Revoked => verdict,
            _ if self.pinned.iter().any(|known| known.as_ref() == end_entity.as_ref()) => {
                if self.check_name {
                    rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            _ => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
