//! Files that are whole or absent: certificates and keys on disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Mode of a private key: its owner only.
pub(super) const SECRET: u32 = 0o600;

/// Mode of a certificate: it is meant to be handed out.
pub(super) const PUBLIC: u32 = 0o644;

/// Makes `directory` for its owner only, unless it is there, and takes its lock until the returned
/// file is dropped: two processes that start at once take turns.
pub(super) fn lock(directory: &Path) -> Result<File> {
    let shown = directory.display();
    DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(|| format!("cannot make {shown}"))?;
    let path = directory.join(".lock");
    let mut options = OpenOptions::new();
    let lock = options.create(true).truncate(false).write(true).mode(SECRET).open(&path);
    let lock = lock.with_context(|| format!("cannot open {}", path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(lock)
}

/// Puts `content` at `path` in one step: a reader, or a crash, sees the old file or the new one.
/// The caller holds the directory's lock, so the temporary name is its own.
pub(super) fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    let temporary = path.with_extension("new");
    let store = || -> std::io::Result<()> {
        // A crashed predecessor may have left one, with another mode.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options.create_new(true).write(true).mode(mode).open(&temporary)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    store().with_context(|| format!("cannot write {}", path.display()))
}

/// The text of a file, or `None` when there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The certificates of a PEM file, in its order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let pem = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .with_context(|| format!("{shown} is not a PEM file of certificates"))?;
    anyhow::ensure!(!chain.is_empty(), "{shown} holds no certificate (PEM)");
    Ok(chain)
}

/// The private key of a PEM file. Errors never quote the file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let shown = path.display();
    let pem = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| anyhow::anyhow!("{shown} holds no unencrypted private key (PEM)"))
}
