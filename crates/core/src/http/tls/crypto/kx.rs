//! Key exchange over X25519 (RFC 7748) and P-256 (SEC 1), as rustls asks for it.

use p256::elliptic_curve::sec1::ToSec1Point;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// The groups, the most likely first: the first is what the client's hello already carries.
pub(super) const GROUPS: [&dyn SupportedKxGroup; 2] = [&X25519, &P256];

const NO_KEY: Error = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);

fn random() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| GetRandomFailed)?;
    Ok(bytes)
}

#[derive(Debug)]
struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = random()?;
        let public = x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES);
        Ok(Box::new(X25519Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct X25519Exchange {
    secret: [u8; 32],
    public: [u8; 32],
}

impl ActiveKeyExchange for X25519Exchange {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        let theirs = theirs.try_into().map_err(|_| NO_KEY)?;
        let shared = x25519_dalek::x25519(self.secret, theirs);
        // RFC 7748 6.1: all zeros is what a point of small order makes.
        if shared == [0; 32] { Err(NO_KEY) } else { Ok(SharedSecret::from(&shared[..])) }
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[derive(Debug)]
struct P256;

impl SupportedKxGroup for P256 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        // Zero and numbers not below the group's order are no keys: one draw in 2^32 is.
        let secret = loop {
            if let Ok(secret) = p256::SecretKey::from_slice(&random()?) {
                break secret;
            }
        };
        let public = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(Box::new(P256Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

struct P256Exchange {
    secret: p256::SecretKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for P256Exchange {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        // RFC 8446 4.2.8.2: uncompressed points alone.
        if theirs.first() != Some(&4) {
            return Err(NO_KEY);
        }
        let theirs = p256::PublicKey::from_sec1_bytes(theirs).map_err(|_| NO_KEY)?;
        let shared =
            p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), theirs.as_affine());
        Ok(SharedSecret::from(&shared.raw_secret_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}
