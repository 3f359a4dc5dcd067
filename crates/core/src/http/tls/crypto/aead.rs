//! AES-GCM records of TLS 1.2 (RFC 5288) and TLS 1.3 (RFC 8446 5.2), as rustls asks for them.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, NONCE_LEN, Nonce, OutboundOpaqueMessage, OutboundPlainMessage,
    PrefixedPayload, Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
    make_tls12_aad, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

/// Bytes of the tag behind every record.
const TAG: usize = 16;
/// Bytes of the nonce that TLS 1.2 agrees on once a connection.
const FIXED: usize = 4;
/// Bytes of the nonce that TLS 1.2 sends before every record.
const EXPLICIT: usize = NONCE_LEN - FIXED;
/// The most bytes that a record may hold (RFC 5246 6.2.1).
const MOST_PLAIN: usize = 1 << 14;

/// AES-GCM by the length of its key.
#[derive(Clone, Copy)]
pub(super) enum Gcm {
    Aes128,
    Aes256,
}

impl Gcm {
    const fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }

    fn cipher(self, key: &AeadKey) -> Cipher {
        let right = "rustls derives keys of the length that key_len states";
        match self {
            Self::Aes128 => Cipher::Aes128(Aes128Gcm::new_from_slice(key.as_ref()).expect(right)),
            Self::Aes256 => Cipher::Aes256(Aes256Gcm::new_from_slice(key.as_ref()).expect(right)),
        }
    }
}

/// AES-GCM with its key.
#[expect(clippy::large_enum_variant, reason = "two a connection, each in a box already")]
enum Cipher {
    Aes128(Aes128Gcm),
    Aes256(Aes256Gcm),
}

impl Cipher {
    fn seal(&self, nonce: &Nonce, aad: &[u8], text: &mut [u8]) -> Result<[u8; TAG], Error> {
        let nonce = (&nonce.0).into();
        match self {
            Self::Aes128(cipher) => cipher.encrypt_inout_detached(nonce, aad, text.into()),
            Self::Aes256(cipher) => cipher.encrypt_inout_detached(nonce, aad, text.into()),
        }
        .map(Into::into)
        .map_err(|_| Error::EncryptError)
    }

    /// Decrypts a text with its tag behind it; the length of what is left.
    fn open(&self, nonce: &Nonce, aad: &[u8], sealed: &mut [u8]) -> Result<usize, Error> {
        let nonce = (&nonce.0).into();
        let (text, tag) = sealed.split_last_chunk_mut::<TAG>().ok_or(Error::DecryptError)?;
        let (length, tag) = (text.len(), (&*tag).into());
        match self {
            Self::Aes128(cipher) => cipher.decrypt_inout_detached(nonce, aad, text.into(), tag),
            Self::Aes256(cipher) => cipher.decrypt_inout_detached(nonce, aad, text.into(), tag),
        }
        .map_err(|_| Error::DecryptError)?;
        Ok(length)
    }
}

impl Tls13AeadAlgorithm for Gcm {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Tls13 { cipher: self.cipher(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Tls13 { cipher: self.cipher(&key), iv })
    }

    fn key_len(&self) -> usize {
        self.key_length()
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

/// One direction of a TLS 1.3 connection.
struct Tls13 {
    cipher: Cipher,
    iv: Iv,
}

impl MessageEncrypter for Tls13 {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let length = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(length);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&message.typ.to_array());
        let nonce = Nonce::new(&self.iv, sequence);
        let tag = self.cipher.seal(&nonce, &make_tls13_aad(length), payload.as_mut())?;
        payload.extend_from_slice(&tag);
        // RFC 8446 5.2: every protected record says that it is application data of TLS 1.2.
        let (kind, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
        Ok(OutboundOpaqueMessage::new(kind, version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + 1 + TAG
    }
}

impl MessageDecrypter for Tls13 {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let nonce = Nonce::new(&self.iv, sequence);
        let aad = make_tls13_aad(message.payload.len());
        let length = self.cipher.open(&nonce, &aad, &mut message.payload)?;
        message.payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

impl Tls12AeadAlgorithm for Gcm {
    fn encrypter(&self, key: AeadKey, iv: &[u8], explicit: &[u8]) -> Box<dyn MessageEncrypter> {
        let mut whole = [0; NONCE_LEN];
        whole[..FIXED].copy_from_slice(iv);
        whole[FIXED..].copy_from_slice(explicit);
        Box::new(Tls12Out { cipher: self.cipher(&key), iv: Iv::new(whole) })
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        let mut fixed = [0; FIXED];
        fixed.copy_from_slice(iv);
        Box::new(Tls12In { cipher: self.cipher(&key), fixed })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.key_length(),
            fixed_iv_len: FIXED,
            explicit_nonce_len: EXPLICIT,
        }
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

/// What a TLS 1.2 client sends.
struct Tls12Out {
    cipher: Cipher,
    iv: Iv,
}

impl MessageEncrypter for Tls12Out {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let plain = message.payload.len();
        let mut payload = PrefixedPayload::with_capacity(self.encrypted_payload_len(plain));
        let nonce = Nonce::new(&self.iv, sequence);
        payload.extend_from_slice(&nonce.0[FIXED..]);
        payload.extend_from_chunks(&message.payload);
        let aad = make_tls12_aad(sequence, message.typ, message.version, plain);
        let tag = self.cipher.seal(&nonce, &aad, &mut payload.as_mut()[EXPLICIT..])?;
        payload.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        EXPLICIT + length + TAG
    }
}

/// What a TLS 1.2 client receives.
struct Tls12In {
    cipher: Cipher,
    fixed: [u8; FIXED],
}

impl MessageDecrypter for Tls12In {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let record = &mut message.payload;
        let plain = record.len().checked_sub(EXPLICIT + TAG).ok_or(Error::DecryptError)?;
        let mut nonce = [0; NONCE_LEN];
        nonce[..FIXED].copy_from_slice(&self.fixed);
        nonce[FIXED..].copy_from_slice(&record[..EXPLICIT]);
        let aad = make_tls12_aad(sequence, message.typ, message.version, plain);
        self.cipher.open(&Nonce(nonce), &aad, &mut record[EXPLICIT..])?;
        if plain > MOST_PLAIN {
            return Err(Error::PeerSentOversizedRecord);
        }
        record.rotate_left(EXPLICIT);
        record.truncate(plain);
        Ok(message.into_plain_message())
    }
}
