//! `provost keys`: what everything secret is sealed with, changed in the database itself. The keys are of the
//! whole deployment and of no workspace, and the master key is given to no server over the network: so these
//! verbs are the operator's, run with the configuration of `serve`, whether the server runs or not.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use provost_model::Clock;
use provost_model::event::{Actor, Origin};
use provost_store::tables::data_keys::DataKeyId;
use provost_store::{DataKeyUse, KmsCommand, MasterKey, Store};
use serde_json::json;

use crate::config::{Config, ServeArgs};
use crate::node::open_store;

/// How long what is to be recorded may take at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysVerb {
    /// List the data keys, and how many sealed values still need each.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        serve: Box<ServeArgs>,
    },
    /// Make a new data key: every node seals with it within a second, and the old ones still open.
    Rotate(Box<ServeArgs>),
    /// Seal everything anew that is not sealed under the newest data key. May be cut off, and begun again.
    Reseal(Box<ServeArgs>),
    /// Retire a data key that no sealed value needs: it opens nothing any more.
    Retire {
        /// The data key, as `keys list` names it.
        id: DataKeyId,
        #[command(flatten)]
        serve: Box<ServeArgs>,
    },
    /// Take back that a data key is retired: it opens again.
    Restore {
        /// The data key, as `keys list` names it.
        id: DataKeyId,
        #[command(flatten)]
        serve: Box<ServeArgs>,
    },
    /// Wrap every data key with another master key: the current one of the configuration, or a new one.
    Rewrap(Box<RewrapArgs>),
}

/// With which master key.
#[derive(Debug, Args)]
pub(super) struct RewrapArgs {
    /// The master key in this file, which is made if it is not there.
    #[arg(long, value_name = "FILE", conflicts_with = "new_kms_command")]
    new_master_key_file: Option<PathBuf>,
    /// A command that wraps and unwraps: a program and its arguments, with commas between them.
    #[arg(long, value_name = "COMMAND", value_delimiter = ',')]
    new_kms_command: Vec<String>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Does it; what is to be printed.
pub(super) async fn run(verb: KeysVerb) -> Result<String> {
    let (actor, origin) = (Actor::system(), Origin::default());
    match verb {
        KeysVerb::List { json, serve } => {
            let store = open(*serve).await?;
            let keys = store.data_keys(true).await?;
            close(store).await;
            Ok(if json {
                format!("{:#}\n", json!(keys.iter().map(line_json).collect::<Vec<_>>()))
            } else {
                table(&keys)
            })
        }
        KeysVerb::Rotate(serve) => {
            let store = open(*serve).await?;
            let row = store.rotate_data_key(&actor, &origin).await?;
            close(store).await;
            Ok(format!("{} seals from now on. `provost keys reseal` moves to it what older keys sealed.\n", row.id))
        }
        KeysVerb::Reseal(serve) => {
            let store = open(*serve).await?;
            let done = store.reseal(&actor, &origin).await?;
            close(store).await;
            let unopened = match done.unopened {
                0 => String::new(),
                count => format!("; {count} do not open under any key, and are as they were"),
            };
            Ok(format!("{} values are sealed anew{unopened}\n", done.values))
        }
        KeysVerb::Retire { id, serve } => {
            let store = open(*serve).await?;
            store.retire_data_key(id, &actor, &origin).await?;
            close(store).await;
            Ok(format!("{id} is retired: it opens nothing any more\n"))
        }
        KeysVerb::Restore { id, serve } => {
            let store = open(*serve).await?;
            store.restore_data_key(id, &actor, &origin).await?;
            close(store).await;
            Ok(format!("{id} opens again what it sealed. `provost keys reseal` moves that to the newest key.\n"))
        }
        KeysVerb::Rewrap(args) => rewrap(*args, &actor, &origin).await,
    }
}

async fn rewrap(args: RewrapArgs, actor: &Actor, origin: &Origin) -> Result<String> {
    let config = super::load(args.serve)?;
    let (master, way) = match (&args.new_master_key_file, args.new_kms_command.as_slice()) {
        (Some(file), _) => {
            (MasterKey::from_file(file)?, format!("the one in {}: name it as keys.master_key_file", file.display()))
        }
        (None, []) => (config.keys.open(&config.data)?.current, "the one of this configuration".to_owned()),
        (None, command) => {
            let master = KmsCommand::new(command)?.into();
            (master, "that of this command: name it as keys.kms_command".to_owned())
        }
    };
    let store = open_with(&config).await?;
    let count = store.rewrap_data_keys(&master, actor, origin).await?;
    close(store).await;
    Ok(format!(
        "{count} data keys are wrapped by the master key {}, {way}.\nRunning nodes go on; to start again they want \
         this one. Keep the other as the previous one until each has started.\n",
        master.name()
    ))
}

async fn open(serve: ServeArgs) -> Result<Store> {
    open_with(&super::load(serve)?).await
}

/// Opens a database that is there; none is made.
async fn open_with(config: &Config) -> Result<Store> {
    if let Some(file) = config.database.sqlite_file() {
        std::fs::metadata(file).with_context(|| format!("there is no database {}: say --data", file.display()))?;
    }
    let store = open_store(config, Clock::system()).await?;
    if let Some(degraded) = store.degraded() {
        bail!("the keys are in the database, and {}", degraded.reason);
    }
    Ok(store)
}

async fn close(store: Store) {
    store.close(FLUSH_PATIENCE).await;
}

fn line_json(key: &DataKeyUse) -> serde_json::Value {
    let DataKeyUse { row, values, .. } = key;
    json!({
        "id": row.id, "state": key.state(), "purpose": row.purpose, "master_key": row.master_key, "values": values,
        "created_at": row.created_at, "retired_at": row.retired_at,
    })
}

fn table(keys: &[DataKeyUse]) -> String {
    let mut text = format!("{:<20} {:<8} {:>10}  {:<17} made at\n", "data key", "state", "values", "wrapped by");
    for key in keys {
        let values = key.values.map_or_else(|| "-".to_owned(), |values| values.to_string());
        let (row, state) = (&key.row, key.state());
        let made = row.created_at.strftime("%Y-%m-%d %H:%M");
        text.push_str(&format!("{:<20} {state:<8} {values:>10}  {:<17} {made}\n", row.id.to_string(), row.master_key));
    }
    text
}
