//! TLS under a request, by rustls, with neither certificate nor signature checked: the question
//! is whether a server on this machine answers, nothing secret is sent, and what comes back is
//! believed no more than without TLS.

mod crypto;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, StreamOwned,
};

use super::line::Line;
use super::{Connection, HttpError, start};

/// Whether this build speaks TLS.
pub(super) const SPOKEN: bool = true;

/// A connection under TLS.
pub(super) struct Secured<'a> {
    stream: StreamOwned<ClientConnection, Line<'a>>,
    wants: Arc<NoCertificate>,
}

/// Makes the handshake.
///
/// # Errors
/// It fails, or time runs out, or the server does not speak TLS.
pub(super) fn over<'a>(line: Line<'a>, host: &str) -> Result<Secured<'a>, HttpError> {
    let wants = Arc::new(NoCertificate::default());
    let failed = |error: &Error| HttpError::Tls(error.to_string());
    let connection = client(host, wants.clone()).map_err(|error| failed(&error))?;
    let mut secured = Secured { stream: StreamOwned::new(connection, line), wants };
    let StreamOwned { conn, sock } = &mut secured.stream;
    match conn.complete_io(sock) {
        Ok(_) => Ok(secured),
        Err(error) => Err(match sock.ended() {
            Some(ended) => ended.unwrap_or(HttpError::NoHandshake),
            None => secured.explain(&error).unwrap_or(HttpError::Closed),
        }),
    }
}

fn client(host: &str, wants: Arc<NoCertificate>) -> Result<ClientConnection, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unverified))
        .with_client_cert_resolver(wants);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).or_else(|_| "localhost".try_into());
    let name = name.map_err(|_| Error::General("not a host name".to_owned()))?;
    ClientConnection::new(Arc::new(config), name)
}

impl Read for Secured<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.stream.read(buffer) {
            // Many servers close without saying so in TLS; a cut head is noticed all the same.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(0),
            other => other,
        }
    }
}

impl Write for Secured<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

impl<'a> Connection for Secured<'a> {
    fn line(&self) -> &Line<'_> {
        &self.stream.sock
    }

    /// `None` where the connection merely ended.
    fn explain(&self, error: &std::io::Error) -> Option<HttpError> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        let first = self.stream.sock.first();
        Some(match error {
            Error::AlertReceived(AlertDescription::CertificateRequired) => {
                HttpError::WantsCertificate
            }
            // TLS 1.2 has no such alert: servers say handshake_failure or bad_certificate.
            Error::AlertReceived(_) if self.wants.asked() => HttpError::WantsCertificate,
            Error::AlertReceived(AlertDescription::NoApplicationProtocol) => HttpError::Http2,
            // Neither a handshake nor an alert record (RFC 8446 5.1).
            Error::InvalidMessage(_) if !matches!(first, [0x15 | 0x16, 3, ..]) => {
                HttpError::NotTls(start(first))
            }
            other => HttpError::Tls(other.to_string()),
        })
    }
}

/// Answers a request for a certificate with none, and remembers that there was one.
#[derive(Debug, Default)]
struct NoCertificate(AtomicBool);

impl NoCertificate {
    fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    // Without this rustls does not ask.
    fn has_certs(&self) -> bool {
        true
    }
}

/// Takes every certificate and signature; see the head of this file.
#[derive(Debug)]
struct Unverified;

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        crypto::SIGNATURES.to_vec()
    }
}
