//! The few algorithms that a TLS client must have, from RustCrypto and dalek, in the form that
//! rustls asks for. No algorithm is implemented here, and no signature is checked: see the parent.

mod aead;
mod hash;
mod kx;

use std::sync::Arc;

use rustls::crypto::tls12::PrfUsingHmac;
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{
    CipherSuiteCommon, CryptoProvider, GetRandomFailed, KeyExchangeAlgorithm, KeyProvider,
    SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{
    CipherSuite, Error, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};

use aead::Gcm;
use hash::{HMAC_SHA256, HMAC_SHA384, SHA256, SHA384};

/// What RFC 8446 9.1 makes every implementation have, its stronger sibling, and the same for
/// TLS 1.2, which older servers of Java and Windows speak at most.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            SupportedCipherSuite::Tls13(&TLS13_AES_128),
            SupportedCipherSuite::Tls13(&TLS13_AES_256),
            SupportedCipherSuite::Tls12(&ECDSA_AES_128),
            SupportedCipherSuite::Tls12(&RSA_AES_128),
            SupportedCipherSuite::Tls12(&ECDSA_AES_256),
            SupportedCipherSuite::Tls12(&RSA_AES_256),
        ],
        kx_groups: kx::GROUPS.to_vec(),
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        secure_random: &SystemRandom,
        key_provider: &NoKeys,
    }
}

/// The signatures that servers may sign with. All common ones: none is checked.
pub(super) const SIGNATURES: [SignatureScheme; 10] = {
    use SignatureScheme as S;
    [
        S::ECDSA_NISTP256_SHA256,
        S::RSA_PSS_SHA256,
        S::RSA_PKCS1_SHA256,
        S::ED25519,
        S::ECDSA_NISTP384_SHA384,
        S::RSA_PSS_SHA384,
        S::RSA_PKCS1_SHA384,
        S::ECDSA_NISTP521_SHA512,
        S::RSA_PSS_SHA512,
        S::RSA_PKCS1_SHA512,
    ]
};

/// As rustls has it for AES-GCM: records that one key may protect (RFC 8446 5.5).
const RECORDS: u64 = 1 << 24;

static PRF_SHA256: PrfUsingHmac<'static> = PrfUsingHmac(&HMAC_SHA256);
static PRF_SHA384: PrfUsingHmac<'static> = PrfUsingHmac(&HMAC_SHA384);

static TLS13_AES_128: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &SHA256,
        confidentiality_limit: RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&HMAC_SHA256),
    aead_alg: &Gcm::Aes128,
    quic: None,
};

static TLS13_AES_256: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        hash_provider: &SHA384,
        confidentiality_limit: RECORDS,
    },
    hkdf_provider: &HkdfUsingHmac(&HMAC_SHA384),
    aead_alg: &Gcm::Aes256,
    quic: None,
};

static ECDSA_AES_128: Tls12CipherSuite =
    tls12_aes_128(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
static RSA_AES_128: Tls12CipherSuite =
    tls12_aes_128(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
static ECDSA_AES_256: Tls12CipherSuite =
    tls12_aes_256(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
static RSA_AES_256: Tls12CipherSuite =
    tls12_aes_256(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384);

const fn tls12_aes_128(suite: CipherSuite) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: CipherSuiteCommon { suite, hash_provider: &SHA256, confidentiality_limit: RECORDS },
        prf_provider: &PRF_SHA256,
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: &SIGNATURES,
        aead_alg: &Gcm::Aes128,
    }
}

const fn tls12_aes_256(suite: CipherSuite) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: CipherSuiteCommon { suite, hash_provider: &SHA384, confidentiality_limit: RECORDS },
        prf_provider: &PRF_SHA384,
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: &SIGNATURES,
        aead_alg: &Gcm::Aes256,
    }
}

/// The system's random numbers.
#[derive(Debug)]
struct SystemRandom;

impl SecureRandom for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(bytes).map_err(|_| GetRandomFailed)
    }
}

/// A client without a certificate of its own loads no keys.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("no keys are loaded".to_owned()))
    }
}
