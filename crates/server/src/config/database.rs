//! The database's URL, which may hold a password and so never shows itself whole.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use serde::Deserialize;

use super::settings::way_out;

/// `postgres://…` or `sqlite:FILE`.
///
/// Reading one from a flag never fails, because clap quotes what it refuses;
/// [`DatabaseUrl::checked`] looks at it afterwards and quotes nothing.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The default: `provost.db` in the data directory.
    pub fn file_in(data: &Path) -> Self {
        Self(format!("sqlite:{}", data.join("provost.db").display()))
    }

    /// The whole URL, password included: for the store, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The database file, when it is SQLite.
    pub fn sqlite_file(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite:").map(Path::new)
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.0.starts_with("postgres://") || self.0.starts_with("postgresql://")
    }

    pub(super) fn checked(self) -> Result<Self> {
        self.known().map_err(|error| anyhow!("the database URL: {error}\n  {}", way_out("database_url")))
    }

    /// Itself with a known scheme. `sqlite://PATH`, as other tools write it, becomes `sqlite:PATH`.
    fn known(mut self) -> Result<Self, &'static str> {
        if let Some(path) = self.0.strip_prefix("sqlite://") {
            self.0 = format!("sqlite:{path}");
        }
        let file = self.sqlite_file().is_some_and(|file| !file.as_os_str().is_empty());
        if file || self.is_postgres() { Ok(self) } else { Err("neither PostgreSQL's nor SQLite's") }
    }
}

/// Without the password, and without the query, which can hold one too.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://").filter(|_| self.is_postgres()) else {
            return match self.sqlite_file() {
                Some(_) => f.write_str(&self.0),
                None => f.write_str("(not a database URL)"),
            };
        };
        let (base, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        if query.contains('@') {
            // A raw `?` inside the password, or an `@` inside the query: not worth a guess.
            return write!(f, "{scheme}://(hidden)");
        }
        let (user, place) = match base.rsplit_once('@') {
            Some((credentials, place)) => (credentials.split(':').next(), place),
            None => (None, base),
        };
        match user {
            Some(user) => write!(f, "{scheme}://{user}:***@{place}"),
            None => write!(f, "{scheme}://{place}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<Self, &'static str> {
        Self(url).known()
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(url: &str) -> Result<Self, Infallible> {
        Ok(Self(url.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://db.example.com/provost", "postgres://db.example.com/provost"),
            ("postgres://me:s3cret@db/provost", "postgres://me:***@db/provost"),
            ("postgresql://me:s3cr@et@db/provost", "postgresql://me:***@db/provost"),
            ("postgres://me:s3c/ret@db/provost", "postgres://me:***@db/provost"),
            ("postgres://me:s3c?ret@db/provost", "postgres://(hidden)"),
            ("postgres://db/provost?password=s3cret", "postgres://db/provost"),
            ("postgres://db/provost?user=me@corp&password=s3cret", "postgres://(hidden)"),
            ("sqlite:data/provost.db", "sqlite:data/provost.db"),
            ("mysql://me:s3cret@db/provost", "(not a database URL)"),
        ] {
            let url = DatabaseUrl(url.to_owned());
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"));
        }
    }

    #[test]
    fn the_file_of_a_sqlite_url_is_found_in_both_spellings() {
        for url in ["sqlite:/var/lib/provost.db", "sqlite:///var/lib/provost.db"] {
            let url = DatabaseUrl(url.to_owned()).known().expect("SQLite's");
            assert_eq!(url.expose(), "sqlite:/var/lib/provost.db");
            assert_eq!(url.sqlite_file(), Some(Path::new("/var/lib/provost.db")));
        }
    }
}
