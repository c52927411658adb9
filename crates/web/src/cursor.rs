use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provost_store::tables::Page;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{Error, Result};

/// The most rows of one page.
const MAX_LIMIT: u32 = 1_000;
const DEFAULT_LIMIT: u32 = 100;

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// At most so many rows: 1 to 1000, 100 if absent.
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl ListQuery {
    /// The page, with one row more than asked for: whether there is a next page shows by it.
    pub fn page(&self) -> Result<Page> {
        Ok(Page { after: self.after()?, limit: self.limit()? + 1 })
    }

    /// How many rows are asked for.
    pub fn limit(&self) -> Result<u32> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(Error::invalid("limit", "out_of_range", format!("`limit` is between 1 and {MAX_LIMIT}")))
    }

    /// What the cursor stands for: the key of the last row of the page before.
    pub fn after(&self) -> Result<Option<String>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let after = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|after| !after.contains('\0'));
        let message = "`cursor` is the `next_cursor` of the page before; start again without it";
        after.map(Some).ok_or_else(|| Error::invalid("cursor", "invalid_cursor", message))
    }

    /// Of a list of events, newest first: the place before which the page begins.
    pub fn place(&self) -> Result<i64> {
        let Some(after) = self.after()? else { return Ok(i64::MAX) };
        let message = "`cursor` is the `next_cursor` of the page before; start again without it";
        after.parse().map_err(|_| Error::invalid("cursor", "invalid_cursor", message))
    }

    /// The cursor after a row with this key.
    pub(crate) fn cursor_after(key: &str) -> String {
        URL_SAFE_NO_PAD.encode(key)
    }
}
