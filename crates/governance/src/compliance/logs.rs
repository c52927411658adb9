//! `…/logs`, `…/logs/{id}`, `…/max_event_time`: the log files.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use provost_model::compliance::LogType;
use provost_model::{LogFileId, WorkspaceId, hex};
use provost_store::tables::log_files::{self, Filter, LogFileRow};
use provost_web::App;
use serde_json::{Map, Value, json};

use super::query::Parameters;
use super::reader::Reader;
use super::refusal::{Refusal, Result};

/// How many files a page has at most.
const MOST: u32 = 100;
/// How long the address of a file's contents is good for.
const ADDRESS_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// What the mark in such an address is for.
const PURPOSE: &str = "log-file";

/// The files of some types that end after a time, the earliest first.
pub(super) async fn list(reader: Reader, State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>> {
    let query = Parameters::of(&uri)?;
    let (kinds, limit) = (query.event_types()?, query.limit(MOST)?);
    let (after, before) = (query.required_time("after")?, query.time("before")?);
    let asked: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let details = json!({ "event_types": asked, "after": after, "before": before });
    let kinds = kinds.into_iter().filter(|kind| LogType::KEPT.contains(kind)).collect();
    let filter = Filter { kinds, after, before, limit: limit + 1 };
    let mut files = log_files::list(&mut app.store.read().await?, reader.workspace_id(), &filter).await?;
    let has_more = files.len() > limit as usize;
    files.truncate(limit as usize);
    let last_end_time = files.last().map(|file| file.end_time);
    reader.record(&app, "log_files", details);
    let data: Vec<Value> = files.iter().map(shown).collect();
    Ok(axum::Json(json!({ "data": data, "has_more": has_more, "last_end_time": last_end_time })))
}

fn shown(file: &LogFileRow) -> Value {
    json!({
        "id": file.id,
        "event_type": file.kind.as_str(),
        "end_time": file.end_time,
        "file_name": format!("{}_{}.jsonl", file.kind, file.end_time),
        "file_size": file.size,
        "file_sha256": hex(&file.sha256),
    })
}

/// Leads to the contents of a file, for a short time.
pub(super) async fn show(
    reader: Reader,
    State(app): State<App>,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    let ws = reader.workspace_id();
    let id: LogFileId = id.parse().map_err(|_| Refusal::not_found("Log file"))?;
    if !log_files::exists(&mut app.store.read().await?, ws, id).await? {
        return Err(Refusal::not_found("Log file"));
    }
    reader.record(&app, "log_file", json!({ "log_file_id": id }));
    let address = Address { ws, id, expires: (app.store.clock().now() + ADDRESS_LIFETIME).as_second() };
    let location = HeaderValue::try_from(address.url(&app)).map_err(|_| Refusal::not_found("Log file"))?;
    Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response())
}

/// The contents of a file, for who has its address.
pub(super) async fn contents(
    State(app): State<App>,
    Path((ws, id)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response> {
    let query = Parameters::of(&uri)?;
    let gone =
        || Refusal::new(StatusCode::FORBIDDEN, "This address is not valid or has expired: ask for the log file again");
    let address = Address::open(&app, &ws, &id, &query).ok_or_else(gone)?;
    let found = log_files::sealed(&mut app.store.read().await?, address.ws, address.id).await?;
    let (file, sealed) = found.ok_or_else(|| Refusal::not_found("Log file"))?;
    let packed = app.store.unseal(&log_files::seal_place(address.ws, address.id), &sealed).await?;
    let contents = log_files::unpack(&file, &packed)?;
    let name = format!("attachment; filename=\"{}_{}.jsonl\"", file.kind, file.end_time);
    let name = HeaderValue::try_from(name).map_err(|_| gone())?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (http::header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, contents).into_response())
}

/// When the latest event of each type happened that is in a file.
pub(super) async fn max_event_time(reader: Reader, State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>> {
    let kinds = Parameters::of(&uri)?.event_types()?;
    let (mut tx, mut times) = (app.store.read().await?, Map::new());
    for kind in kinds {
        let at: Option<Timestamp> = log_files::max_event_at(&mut tx, reader.workspace_id(), kind).await?;
        times.insert(kind.as_str().to_owned(), json!(at));
    }
    Ok(axum::Json(json!({ "max_event_time": times })))
}

/// The address of a file's contents. Nothing of it is stored: it carries a mark that only we can make.
struct Address {
    ws: WorkspaceId,
    id: LogFileId,
    /// In seconds since 1970.
    expires: i64,
}

impl Address {
    fn said(&self) -> String {
        format!("{} {} {}", self.ws, self.id, self.expires)
    }

    fn url(&self, app: &App) -> String {
        let mark = app.store.sealer().mark(PURPOSE, self.said().as_bytes());
        let mark = hex(&mark);
        let Self { ws, id, expires } = self;
        let base = &app.public_url;
        format!("{base}/v1/compliance/workspaces/{ws}/logs/{id}/contents?expires={expires}&signature={mark}")
    }

    fn open(app: &App, ws: &str, id: &str, query: &Parameters) -> Option<Self> {
        let address = Self { ws: ws.parse().ok()?, id: id.parse().ok()?, expires: query.get("expires")?.parse().ok()? };
        let mark = from_hex(query.get("signature")?)?;
        let is_ours = app.store.sealer().is_marked(PURPOSE, address.said().as_bytes(), &mark);
        (is_ours && app.store.clock().now().as_second() <= address.expires).then_some(address)
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}
