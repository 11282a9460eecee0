//! `tollgate lock status`

use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;
use serde::Serialize;
use tollgate_engine::{Lease, LockHolder, LockStatus, lock_status};

use super::documents::{EXCERPT, HolderDocument, LeaseDocument};
use super::time::words;
use crate::command::Context;
use crate::engine::project;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::documents::Body;
use crate::output::path::shortened;
use crate::output::style::{DIM, GOOD, paint};
use crate::output::width;

/// Show who holds the lock and who has leases
#[derive(Debug, clap::Args)]
pub struct Args {}

/// The document of `lock status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown {
    /// The database, without credentials.
    target: String,
    /// A deploy by somebody without a token of the lease would have to wait or be refused.
    locked: bool,
    /// Sessions that hold the lock now.
    holders: Vec<HolderDocument>,
    /// Leases of all ledgers of the database, those that are over included.
    leases: Vec<LeaseDocument>,
}

impl Body for Shown {}

/// From this width on there is room for statements in the table; in a narrower one they stand below it.
const WIDE: u16 = 150;

/// Runs the command.
pub fn run(_: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let target = project::target(&config, ui)?;
    let status = lock_status(&target)?;
    let counts = |lease: &&Lease| lease.is_valid() && lease.ledger == status.ledger;
    let locked = !status.holders.is_empty() || status.leases.iter().any(|lease| counts(&lease));
    ui.line(paint(DIM, shortened(&target.describe())));
    let width = u16::try_from(width()).unwrap_or(u16::MAX);
    if !status.holders.is_empty() {
        ui.line(format!("the lock is held by\n{}", holders(&status.holders, width)));
    }
    if !status.leases.is_empty() {
        ui.line(format!("leases\n{}", leases(&status, width)));
    }
    if !locked {
        ui.line(paint(GOOD, "nobody holds the lock or has a lease"));
    }
    ui.document(&Shown {
        target: target.describe(),
        locked,
        holders: status.holders.iter().map(HolderDocument::from).collect(),
        leases: status.leases.iter().map(LeaseDocument::from).collect(),
    });
    Ok(Exit::Done)
}

/// A table without the columns in which nothing stands.
fn table<const N: usize>(head: [&str; N], rows: &[[Option<String>; N]], width: u16) -> Table {
    let filled = |column: &usize| rows.iter().any(|row| row[*column].is_some());
    let columns: Vec<usize> = (0..N).filter(filled).collect();
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(columns.iter().map(|column| head[*column]));
    for row in rows {
        let cell = |column: &usize| row[*column].as_deref().unwrap_or("–").replace(char::is_control, " ");
        table.add_row(columns.iter().map(cell));
    }
    table
}

/// A time that a narrow column may break where the day ends.
fn moment(time: Timestamp) -> String {
    format!("{time:.0}").replace('T', " ")
}

fn holders(holders: &[LockHolder], width: u16) -> String {
    let head = [
        "pid",
        "user",
        "application",
        "client",
        "state",
        "since",
        "query start",
        "duration",
        "query",
    ];
    let wide = width >= WIDE;
    let row = |holder: &LockHolder| {
        [
            Some(holder.pid.to_string()),
            holder.user.clone(),
            holder.application.clone(),
            holder.client.clone(),
            holder.state.clone(),
            holder.since.map(moment),
            holder.query_start.map(moment),
            holder.query_age.map(words),
            holder.excerpt(EXCERPT).filter(|_| wide),
        ]
    };
    let mut text = table(head, &holders.iter().map(row).collect::<Vec<_>>(), width).to_string();
    for holder in holders.iter().filter(|_| !wide) {
        if let Some(query) = holder.excerpt(EXCERPT) {
            text.push_str(&format!("\n{} runs, or ran last: {query}", holder.pid));
        }
    }
    text
}

fn leases(status: &LockStatus, width: u16) -> Table {
    let head = ["ledger", "owner", "host", "pid", "since", "until", "left", "why"];
    let row = |lease: &Lease| {
        [
            Some(lease.ledger.clone()),
            Some(lease.owner.clone()),
            lease.host.clone(),
            lease.pid.map(|pid| pid.to_string()),
            Some(moment(lease.acquired_at)),
            Some(moment(lease.expires_at)),
            Some(lease.remaining.map_or_else(|| "over".to_owned(), words)),
            lease.reason.clone(),
        ]
    };
    table(head, &status.leases.iter().map(row).collect::<Vec<_>>(), width)
}
