//! What members have on their phone: an authenticator app, a passkey.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provost_testkit::server::Server;
use serde_json::{Value, json};

/// An app that has scanned a secret.
pub(crate) struct App {
    secret: Vec<u8>,
}

impl App {
    /// Takes a secret in base32 (RFC 4648).
    pub(crate) fn typed(secret: &str) -> Self {
        let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
        for letter in secret.bytes() {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'2'..=b'7' => letter - b'2' + 26,
                _ => panic!("{secret} is not base32"),
            };
            (bits, held) = (bits << 5 | u32::from(value), held + 5);
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held) as u8);
                bits &= (1 << held) - 1;
            }
        }
        Self { secret: bytes }
    }

    /// What it shows now.
    pub(crate) fn code(&self, server: &Server) -> String {
        self.code_at(server.clock.now().as_second() / 30)
    }

    /// What it shows at a step of thirty seconds (RFC 6238).
    pub(crate) fn code_at(&self, step: i64) -> String {
        let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret), &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let word = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}

/// A passkey in software: ES256, no attestation, as the browsers' platform authenticators answer
/// (WebAuthn Level 3, §6.1 and §6.5.4).
pub(crate) struct SoftPasskey {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    counter: u32,
    /// Whether it asks for a PIN or finger.
    pub(crate) verifies_user: bool,
    /// The site that it believes to be at.
    pub(crate) origin: String,
}

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const NEW_CREDENTIAL: u8 = 0x40;

impl SoftPasskey {
    /// A new one, used in a browser at this site.
    pub(crate) fn new(origin: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = key.public_key().as_ref()[1..33].to_vec();
        Self { key, id, counter: 0, verifies_user: true, origin: origin.to_owned() }
    }

    /// An older copy of it: the same key, the counter set back.
    pub(crate) fn set_back(&mut self) {
        self.counter = 0;
    }

    /// What `navigator.credentials.create` answers.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        let options = &options["publicKey"];
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        let point = self.key.public_key().as_ref().to_vec();
        // A COSE key (RFC 9053 §7.1): kty EC2, alg ES256, crv P-256, x, y.
        let mut cose = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        cose.extend(&point[1..33]);
        cose.extend([0x22, 0x58, 0x20]);
        cose.extend(&point[33..65]);
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), NEW_CREDENTIAL);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(cose);
        // CBOR: {"fmt": "none", "attStmt": {}, "authData": bytes}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        let client = self.client_data("webauthn.create", options);
        json!({ "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key", "extensions": {},
            "response": { "attestationObject": encode(&object), "clientDataJSON": encode(&client) } })
    }

    /// What `navigator.credentials.get` answers.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let options = &options["publicKey"];
        let allowed = options["allowCredentials"].as_array().unwrap();
        assert!(allowed.iter().any(|one| one["id"] == encode(&self.id)), "it is asked: {allowed:?}");
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let client = self.client_data("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, &client).as_ref());
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({ "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key", "extensions": {},
            "response": { "authenticatorData": encode(&data), "clientDataJSON": encode(&client),
                "signature": encode(signature.as_ref()), "userHandle": null } })
    }

    fn data(&mut self, rp_id: &str, flags: u8) -> Vec<u8> {
        self.counter += 1;
        let verified = if self.verifies_user { USER_VERIFIED } else { 0 };
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags | USER_PRESENT | verified);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let origin = &self.origin;
        json!({ "type": kind, "challenge": options["challenge"], "origin": origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
