//! The master key, which wraps the data keys: 32 bytes in a file or a variable, or a command.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::kms::KmsCommand;
use super::{random, wrong};
use crate::Result;
use crate::tables::data_keys::DataKeyRow;

/// What a KMS is called among master keys: which of its keys it used is its own affair.
const KMS: &str = "kms";
/// The first byte of what a master key of ours wrapped.
const WRAPPED: u8 = 1;
const NONCE_BYTES: usize = 12;
const CHECK_BYTES: usize = 8;

/// A master key. Cheap to clone; printed, it shows its name only.
#[derive(Clone)]
pub struct MasterKey(Arc<Kind>);

enum Kind {
    Own(Own),
    Kms(KmsCommand),
}

/// One that is in this process.
struct Own {
    secret: [u8; 32],
    wrapping: RandomizedNonceKey,
    fingerprint: String,
    /// Where it belongs, if it was made just now and is not there yet.
    unsaved: Option<PathBuf>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.name())
    }
}

impl MasterKey {
    /// From its 32 bytes.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self::own(secret, None)
    }

    /// A command that wraps and unwraps.
    pub(super) fn kms(command: KmsCommand) -> Self {
        Self(Arc::new(Kind::Kms(command)))
    }

    fn own(secret: [u8; 32], unsaved: Option<PathBuf>) -> Self {
        // Keys of their own for each use: before there were data keys, it sealed values itself.
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"provost").extract(&secret);
        let (wrapping, print) = (expand(&derived, b"data keys"), expand(&derived, b"fingerprint"));
        let wrapping = RandomizedNonceKey::new(&AES_256_GCM, &wrapping).expect("the key has the length of AES-256");
        let fingerprint = provost_model::hex(&print[..8]);
        Self(Arc::new(Kind::Own(Own { secret, wrapping, fingerprint, unsaved })))
    }

    /// Reads a key from its base64 text.
    pub fn from_text(text: &str) -> Result<Self> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self::new).ok_or_else(|| wrong("the master key must be 32 bytes in base64"))
    }

    /// Reads the key in a file. If there is none, a new key is made, which is written there (mode 0600) when
    /// it wraps its first data key: never for a database that wants another.
    pub fn from_file(path: &Path) -> Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                warn_of_mode(path);
                Self::from_text(&text).map_err(|error| wrong(format!("{}: {error}", path.display())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::own(random(), Some(path.to_owned())))
            }
            Err(error) => Err(wrong(format!("the master key {} cannot be read: {error}", path.display()))),
        }
    }

    /// Which one it is: a fingerprint that says nothing about it, or `kms`.
    pub fn name(&self) -> &str {
        match &*self.0 {
            Kind::Own(own) => &own.fingerprint,
            Kind::Kms(_) => KMS,
        }
    }

    /// How an error tells the operator about it.
    fn describe(&self) -> String {
        match &*self.0 {
            Kind::Own(Own { unsaved: Some(path), .. }) => format!("none ({} is not there)", path.display()),
            Kind::Own(own) => own.fingerprint.clone(),
            Kind::Kms(_) => "a KMS command".to_owned(),
        }
    }

    /// The key itself, where it is in this process.
    pub(crate) fn secret(&self) -> Option<&[u8; 32]> {
        match &*self.0 {
            Kind::Own(own) if own.unsaved.is_none() => Some(&own.secret),
            _ => None,
        }
    }

    /// The key in the file that another process wrote meanwhile, if that is where it belongs.
    pub(super) fn settled(self) -> Result<Self> {
        match &*self.0 {
            Kind::Own(Own { unsaved: Some(path), .. }) if path.exists() => Self::from_file(path),
            _ => Ok(self),
        }
    }

    /// Writes a key that was made just now into its file. Before anything counts that it wrapped.
    pub(super) fn save(&self) -> Result<()> {
        let Kind::Own(Own { secret, unsaved: Some(path), .. }) = &*self.0 else { return Ok(()) };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut file| {
            file.write_all(STANDARD.encode(secret).as_bytes())?;
            file.sync_all()
        });
        // The new name is on disk only with its directory.
        let synced = written.and_then(|()| path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all()));
        synced.map_err(|error| wrong(format!("the master key {} cannot be written: {error}", path.display())))
    }

    /// Wraps a data key for its row.
    pub(super) async fn wrap(&self, row: &DataKeyRow, secret: &[u8; 32]) -> Result<Vec<u8>> {
        let plain = [secret.as_slice(), &check(row, secret)].concat();
        match &*self.0 {
            Kind::Own(own) => {
                let mut body = plain;
                let sealed = own.wrapping.seal_in_place_append_tag(Aad::from(place(row)), &mut body);
                let nonce = sealed.expect("a key is shorter than AES-GCM's limit");
                Ok([&[WRAPPED], nonce.as_ref().as_slice(), &body].concat())
            }
            Kind::Kms(command) => {
                let wrapped = command.run("wrap", &plain).await?;
                // What it cannot give back would be lost with all that is sealed under it.
                if command.run("unwrap", &wrapped).await? != plain {
                    return Err(wrong("the KMS command does not unwrap what it wrapped: nothing was changed"));
                }
                Ok(wrapped)
            }
        }
    }

    /// Unwraps the data key of a row.
    async fn unwrap(&self, row: &DataKeyRow) -> Result<[u8; 32]> {
        let plain = match &*self.0 {
            Kind::Own(own) => own.open(row),
            Kind::Kms(command) => Some(command.run("unwrap", &row.wrapped).await?),
        };
        let secret = plain.as_deref().and_then(|plain| {
            let (secret, found) = plain.split_first_chunk::<32>()?;
            verify_slices_are_equal(&check(row, secret), found).ok().map(|()| *secret)
        });
        secret.ok_or_else(|| {
            let (id, name) = (row.id, self.name());
            wrong(format!("the master key ({name}) does not unwrap the data key {id}: the data key was altered"))
        })
    }
}

impl Own {
    fn open(&self, row: &DataKeyRow) -> Option<Vec<u8>> {
        let (nonce, body) = row.wrapped.strip_prefix(&[WRAPPED])?.split_at_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        self.wrapping.open_in_place(nonce, Aad::from(place(row)), &mut body).ok().map(|plain| plain.to_vec())
    }
}

/// The key that marks were made with before there were data keys.
pub(super) fn first_mark(secret: &[u8; 32]) -> [u8; 32] {
    expand(&hkdf::Salt::new(hkdf::HKDF_SHA256, b"provost").extract(secret), b"marks")
}

fn expand(derived: &hkdf::Prk, use_: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let uses = [use_];
    let expanded = derived.expand(&uses, hmac::HMAC_SHA256).and_then(|okm| okm.fill(&mut key));
    expanded.expect("one block of the hash");
    key
}

fn place(row: &DataKeyRow) -> String {
    format!("data_key:{}:{}", row.id, row.purpose.as_str())
}

/// What tells that it is the key of this row and no other, nor what a command made up.
fn check(row: &DataKeyRow, secret: &[u8; 32]) -> [u8; CHECK_BYTES] {
    let mut context = Context::new(&SHA256);
    context.update(place(row).as_bytes());
    context.update(&[0]);
    context.update(secret);
    *context.finish().as_ref().first_chunk().expect("SHA-256 is longer")
}

#[cfg(unix)]
fn warn_of_mode(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map(|file| file.permissions().mode() & 0o777).unwrap_or_default();
    if mode & 0o077 != 0 {
        let mode = format!("{mode:04o}");
        tracing::warn!(path = %path.display(), mode, "others on this machine can read the master key: chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_of_mode(_: &Path) {}

/// The master key that wraps, and those that still unwrap.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    /// Wraps new data keys.
    pub current: MasterKey,
    /// Unwrap what they wrapped, while nodes change over to the current one.
    pub previous: Vec<MasterKey>,
}

impl From<MasterKey> for MasterKeys {
    fn from(current: MasterKey) -> Self {
        Self { current, previous: Vec::new() }
    }
}

impl MasterKeys {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Whether the one of this name is among them.
    pub(super) fn hold(&self, name: &str) -> bool {
        self.iter().any(|key| key.name() == name)
    }

    /// Unwraps the data key of a row, with whichever wraps it.
    pub(super) async fn unwrap(&self, row: &DataKeyRow) -> Result<[u8; 32]> {
        let mut failed = None;
        for key in self.iter().filter(|key| key.name() == row.master_key) {
            match key.unwrap(row).await {
                Ok(secret) => return Ok(secret),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or_else(|| self.lack(&row.master_key)))
    }

    /// That the master key is another one, and what to do.
    pub(super) fn lack(&self, wanted: &str) -> crate::Error {
        let given: Vec<String> = self.iter().map(MasterKey::describe).collect();
        let wanted = match wanted {
            KMS => "a KMS".to_owned(),
            fingerprint => format!("the master key {fingerprint}"),
        };
        wrong(format!(
            "the data keys are wrapped by {wanted}, and this Provost was given {}: give it back the one that was \
             there ([keys] in the configuration, or PROVOST_MASTER_KEY), or beside its successor as the previous one \
             (PROVOST_PREVIOUS_MASTER_KEY)",
            given.join(" and ")
        ))
    }
}
