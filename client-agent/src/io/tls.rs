//! TLS towards origins and proxies: the system's roots and further ones, and what is asked of dates.
//!
//! Nothing that an origin sends is believed because of TLS; it is there for privacy. So a certificate that has expired is, by
//! default, no reason to do without the origin: the fix for an expired certificate must not wait for another.

use std::sync::{Arc, OnceLock};

use mulberry_shared::limits::X509Limits;
use mulberry_shared::x509::{Certificate, Purpose};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::config::TlsDates;

mod dates;

/// What every TLS connection of the agent is made with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ClientConfig>);

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file holds no certificate, or one that cannot be a root.
    #[error("no usable root: {0}; give a PEM file with -----BEGIN CERTIFICATE-----")]
    Root(String),
    /// Anything else.
    #[error("TLS cannot be set up: {0}")]
    Other(Error),
}

impl Tls {
    /// With the system's roots and the `extra` ones.
    ///
    /// A system without roots is no error: an origin may speak plain HTTP.
    ///
    /// # Errors
    /// The cryptographic library offers no version of TLS.
    pub fn new(dates: TlsDates, extra: Vec<CertificateDer<'static>>) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let inner: Arc<dyn ServerCertVerifier> =
            match Verifier::new_with_extra_roots(extra.iter().cloned(), provider.clone()) {
                Ok(verifier) => Arc::new(verifier),
                Err(error) => {
                    tracing::debug!(%error, "no certificate of an https origin can be verified");
                    Arc::new(NoRoots(provider.clone()))
                }
            };
        let roots = OnceLock::new();
        let verifier = Arc::new(AsOf { inner, dates, provider: provider.clone(), extra, roots });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// What reqwest takes.
    pub(super) fn config(&self) -> ClientConfig {
        (*self.0).clone()
    }
}

/// The certificates in a file, each usable as a root.
///
/// # Errors
/// There is none, or one cannot be used.
pub fn parse_roots(bytes: &[u8], limits: &X509Limits) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |error: &dyn std::fmt::Display| TlsError::Root(error.to_string());
    let usable = |found: &Vec<CertificateDer<'static>>| {
        found.iter().try_for_each(|certificate| RootCertStore::empty().add(certificate.clone()))
    };
    // Roots of proxies are laxer than certificates of add-ons have to be, so PEM is read as rustls reads it.
    let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    if let Some(found) = pem.ok().filter(|found| !found.is_empty() && usable(found).is_ok()) {
        return Ok(found);
    }
    let found = Certificate::read_file(bytes, Purpose::Pool, limits).map_err(|error| bad(&error))?;
    let found = found.iter().map(|certificate| certificate.der().to_vec().into()).collect();
    usable(&found).map_err(|error| bad(&error))?;
    Ok(found)
}

/// Verifies as of now; where dates do not matter, and only they are wrong, each certificate at a time at which it holds.
#[derive(Debug)]
struct AsOf {
    inner: Arc<dyn ServerCertVerifier>,
    dates: TlsDates,
    provider: Arc<CryptoProvider>,
    /// The further roots; the system's are read when they are needed.
    extra: Vec<CertificateDer<'static>>,
    roots: OnceLock<RootCertStore>,
}

impl AsOf {
    fn roots(&self) -> &RootCertStore {
        self.roots.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots.add_parsable_certificates(self.extra.iter().cloned());
            roots
        })
    }
}

impl ServerCertVerifier for AsOf {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let as_of_now =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let dates_are_wrong = matches!(
            &as_of_now,
            Err(Error::InvalidCertificate(
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
            ))
        );
        if self.dates == TlsDates::Verify || !dates_are_wrong {
            return as_of_now;
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        dates::verify(end_entity, intermediates, server_name, self.roots(), algorithms)?;
        let server = server_name.to_str();
        tracing::warn!(%server, "the dates of a TLS certificate do not hold; it is taken all the same");
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// For a system without roots: no certificate verifies.
#[derive(Debug)]
struct NoRoots(Arc<CryptoProvider>);

impl NoRoots {
    fn refusal() -> Error {
        #[derive(Debug, thiserror::Error)]
        #[error(
            "this system has no TLS roots; install its package of CA certificates, or name one with extra_roots"
        )]
        struct Missing;
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Missing))))
    }
}

impl ServerCertVerifier for NoRoots {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(Self::refusal())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Self::refusal())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Self::refusal())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
