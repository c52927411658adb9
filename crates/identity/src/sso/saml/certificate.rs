//! Certificates of an identity provider. They are trusted because an admin put them there: who issued
//! them and until when they are valid says nothing here (SAML metadata interoperability profile §2.6.1).

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The shortest RSA key, in bits.
const MIN_RSA_BITS: usize = 2048;
/// The longest certificate, in Base64.
const MAX_CHARS: usize = 16 * 1024;

/// RFC 6931 names algorithms under this.
const MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#";

/// Whether an algorithm of signatures is good enough: no SHA-1, no DSA, and no HMAC, whose key would
/// be what everybody knows.
pub(super) fn is_strong(algorithm: &str) -> bool {
    let known = ["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"];
    algorithm.strip_prefix(MORE).is_some_and(|name| known.contains(&name))
}

/// A certificate's key.
pub(super) struct Certificate {
    kind: Kind,
    /// RSA: the `RSAPublicKey` of RFC 8017; elliptic curves: the point.
    key: Vec<u8>,
    der: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    P521,
}

impl Certificate {
    /// From PEM, or from the bare Base64 that metadata has.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let body: String =
            text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::split_ascii_whitespace).collect();
        if body.len() > MAX_CHARS {
            return Err("it is too long for a certificate");
        }
        let der = STANDARD.decode(body).map_err(|_| "it is not a certificate in PEM")?;
        let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| "it is not a certificate in PEM")?;
        if !rest.is_empty() {
            return Err("it has more than one certificate: give each by itself");
        }
        let info = certificate.public_key();
        let key = info.subject_public_key.data.to_vec();
        let curve = info.algorithm.parameters.as_ref().and_then(|found| found.as_oid().ok());
        let kind = match (info.algorithm.algorithm.to_id_string().as_str(), curve.map(|oid| oid.to_id_string())) {
            ("1.2.840.113549.1.1.1", _) => Kind::Rsa,
            ("1.2.840.10045.2.1", Some(curve)) => match curve.as_str() {
                "1.2.840.10045.3.1.7" => Kind::P256,
                "1.3.132.0.34" => Kind::P384,
                "1.3.132.0.35" => Kind::P521,
                _ => return Err("its key is on a curve that is not supported: use P-256, P-384 or P-521"),
            },
            _ => return Err("its key is neither RSA nor ECDSA"),
        };
        let bits = info.parsed().map_or(0, |key| key.key_size());
        if kind == Kind::Rsa && bits < MIN_RSA_BITS {
            return Err("its RSA key is shorter than 2048 bits");
        }
        Ok(Self { kind, key, der })
    }

    /// In PEM, always the same way.
    pub(super) fn to_pem(&self) -> String {
        let body = STANDARD.encode(&self.der);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().map(|byte| char::from(*byte)));
            pem.push('\n');
        }
        pem + "-----END CERTIFICATE-----\n"
    }

    /// Whether its key made this signature. RSA and ECDSA with SHA-256 or better; other algorithms,
    /// and those of another kind of key, verify nothing.
    pub(super) fn verifies(&self, algorithm: &str, message: &[u8], value: &[u8]) -> bool {
        let Some(algorithm) = self.algorithm(algorithm) else { return false };
        UnparsedPublicKey::new(algorithm, &self.key).verify(message, value).is_ok()
    }

    /// ECDSA's values are the two numbers side by side (XML Signature §6.4.3).
    fn algorithm(&self, uri: &str) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self.kind, uri.strip_prefix(MORE)?) {
            (Kind::Rsa, "rsa-sha256") => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, "rsa-sha384") => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, "rsa-sha512") => &signature::RSA_PKCS1_2048_8192_SHA512,
            (Kind::P256, "ecdsa-sha256") => &signature::ECDSA_P256_SHA256_FIXED,
            (Kind::P384, "ecdsa-sha384") => &signature::ECDSA_P384_SHA384_FIXED,
            (Kind::P521, "ecdsa-sha512") => &signature::ECDSA_P521_SHA512_FIXED,
            _ => return None,
        })
    }
}
