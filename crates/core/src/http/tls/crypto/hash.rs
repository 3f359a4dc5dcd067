//! SHA-256 and SHA-384, and HMAC over them (RFC 6234, RFC 2104), as rustls asks for them.

use hmac::digest::OutputSizeUser;
use hmac::{KeyInit, Mac};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use sha2::{Digest, Sha256, Sha384};

/// SHA-256.
pub(super) static SHA256: Sha = Sha::Sha256;
/// SHA-384.
pub(super) static SHA384: Sha = Sha::Sha384;
/// HMAC over SHA-256.
pub(super) static HMAC_SHA256: Sha = Sha::Sha256;
/// HMAC over SHA-384.
pub(super) static HMAC_SHA384: Sha = Sha::Sha384;

/// A hash, and the HMAC over it.
#[derive(Clone, Copy)]
pub(super) enum Sha {
    Sha256,
    Sha384,
}

impl Sha {
    const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

impl Hash for Sha {
    fn start(&self) -> Box<dyn Context> {
        match self {
            Self::Sha256 => Box::new(Running(Sha256::new())),
            Self::Sha384 => Box::new(Running(Sha384::new())),
        }
    }

    fn hash(&self, data: &[u8]) -> Output {
        let mut running = self.start();
        running.update(data);
        running.finish()
    }

    fn output_len(&self) -> usize {
        self.length()
    }

    fn algorithm(&self) -> HashAlgorithm {
        match self {
            Self::Sha256 => HashAlgorithm::SHA256,
            Self::Sha384 => HashAlgorithm::SHA384,
        }
    }
}

/// A hash of what has come so far.
struct Running<D>(D);

impl<D: Digest + Clone + Send + Sync + 'static> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl Hmac for Sha {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        match self {
            Self::Sha256 => Box::new(Keyed(keyed::<hmac::Hmac<Sha256>>(key))),
            Self::Sha384 => Box::new(Keyed(keyed::<hmac::Hmac<Sha384>>(key))),
        }
    }

    fn hash_output_len(&self) -> usize {
        self.length()
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 2)")
}

/// An HMAC with its key.
struct Keyed<M>(M);

impl<M: Mac + Clone + Send + Sync> Key for Keyed<M> {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(first);
        middle.iter().for_each(|part| mac.update(part));
        mac.update(last);
        Tag::new(&mac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        <M as OutputSizeUser>::output_size()
    }
}
