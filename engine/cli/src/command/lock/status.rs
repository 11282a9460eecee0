//! `tollgate lock status`

use jiff::Timestamp;
use serde::Serialize;
use tollgate_engine::{Lease, LockHolder, lock_status};

use super::documents::{EXCERPT, HolderDocument, LeaseDocument};
use super::table::{Column, list, table, text, whole};
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

/// From this width on there is room for statements in the table; they stand below a narrower one.
const WIDE: usize = 150;

/// Runs the command.
pub fn run(_: &Args, context: &Context<'_>) -> Result<Exit, Failure> {
    let ui = context.ui;
    let config = context.config()?;
    let target = project::target(&config, ui)?;
    let status = lock_status(&target)?;
    let counts = |lease: &&Lease| lease.is_valid() && lease.ledger == status.ledger;
    let locked = !status.holders.is_empty() || status.leases.iter().any(|lease| counts(&lease));
    ui.line(paint(DIM, shortened(&target.describe())));
    if !status.holders.is_empty() {
        ui.line(format!("the lock is held by\n{}", holders(&status.holders, width())));
    }
    if !status.leases.is_empty() {
        ui.line(format!("leases\n{}", leases(&status.leases, width())));
    }
    if !locked && status.leases.is_empty() {
        ui.line(paint(GOOD, "nobody holds the lock or has a lease"));
    } else if !locked {
        // Those that are shown are over, or another ledger's.
        let free = format!(
            "nobody holds the lock, and no lease counts for the ledger {}",
            status.ledger
        );
        ui.line(paint(GOOD, free));
    }
    ui.document(&Shown {
        target: target.describe(),
        locked,
        holders: status.holders.iter().map(HolderDocument::from).collect(),
        leases: status.leases.iter().map(LeaseDocument::from).collect(),
    });
    Ok(Exit::Done)
}

/// A time that a narrow column may break where the day ends.
fn moment(time: Timestamp) -> String {
    format!("{time:.0}").replace('T', " ")
}

const HOLDERS: [Column; 9] = [
    whole("pid"),
    text("user"),
    text("application"),
    whole("client"),
    text("state"),
    text("since"),
    text("query start"),
    whole("duration"),
    text("query"),
];

fn holders(holders: &[LockHolder], width: usize) -> String {
    let row = |holder: &LockHolder, query: bool| {
        [
            holder.process().map(|pid| pid.to_string()),
            holder.user.clone(),
            holder.application.clone(),
            holder.client.clone(),
            holder.state.clone(),
            holder.since.map(moment),
            holder.query_start.map(moment),
            holder.query_age.map(words),
            holder.excerpt(EXCERPT).filter(|_| query),
        ]
    };
    let rows = |query: bool| holders.iter().map(|holder| row(holder, query)).collect::<Vec<_>>();
    let wide = width >= WIDE;
    let Some(mut text) = table(HOLDERS, &rows(wide), width) else {
        return list(HOLDERS, &rows(true));
    };
    for holder in holders.iter().filter(|holder| holder.prepared.is_some()) {
        text.push_str(&format!("\n{} ends it", holder.ending()));
    }
    for holder in holders.iter().filter(|_| !wide) {
        if let Some(query) = holder.excerpt(EXCERPT) {
            text.push_str(&format!("\n{} runs, or ran last: {query}", holder.pid));
        }
    }
    text
}

const LEASES: [Column; 8] = [
    text("ledger"),
    text("owner"),
    whole("host"),
    whole("pid"),
    text("since"),
    text("until"),
    whole("left"),
    text("why"),
];

fn leases(leases: &[Lease], width: usize) -> String {
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
    let rows: Vec<_> = leases.iter().map(row).collect();
    table(LEASES, &rows, width).unwrap_or_else(|| list(LEASES, &rows))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn holders_are_shown_in_whatever_width_there_is() {
        let holder = |pid, application: Option<&str>, query: &str| LockHolder {
            pid,
            user: Some("deployer".to_owned()),
            application: application.map(str::to_owned),
            client: Some("192.168.100.200".to_owned()),
            state: Some("idle in transaction".to_owned()),
            since: "2026-11-23T06:47:36.5Z".parse().ok(),
            query_start: "2026-11-23T06:47:40.5Z".parse().ok(),
            query_age: Some(Duration::from_secs(3_700)),
            query: Some(query.to_owned()),
            ..LockHolder::default()
        };
        let both = [
            holder(4711, Some("tollgate lock run: moving the users"), "SELECT 1"),
            holder(4_194_303, None, "UPDATE users SET email = 'x'"),
        ];
        let seen = [60, 80, 110, 160].map(|width| format!("{width}\n{}", holders(&both, width)));
        insta::assert_snapshot!(seen.join("\n\n"), @"
        60
          pid          4711
          user         deployer
          application  tollgate lock run: moving the users
          client       192.168.100.200
          state        idle in transaction
          since        2026-11-23 06:47:36Z
          query start  2026-11-23 06:47:40Z
          duration     1 h 1 min
          query        SELECT ?

          pid          4194303
          user         deployer
          client       192.168.100.200
          state        idle in transaction
          since        2026-11-23 06:47:36Z
          query start  2026-11-23 06:47:40Z
          duration     1 h 1 min
          query        UPDATE users SET email = ?

        80
          pid          4711
          user         deployer
          application  tollgate lock run: moving the users
          client       192.168.100.200
          state        idle in transaction
          since        2026-11-23 06:47:36Z
          query start  2026-11-23 06:47:40Z
          duration     1 h 1 min
          query        SELECT ?

          pid          4194303
          user         deployer
          client       192.168.100.200
          state        idle in transaction
          since        2026-11-23 06:47:36Z
          query start  2026-11-23 06:47:40Z
          duration     1 h 1 min
          query        UPDATE users SET email = ?

        110
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
         pid       user       application    client            state          since          query start    duration
        ══════════════════════════════════════════════════════════════════════════════════════════════════════════════
         4711      deployer   tollgate       192.168.100.200   idle in        2026-11-23     2026-11-23     1 h 1 min
                              lock run:                        transaction    06:47:36Z      06:47:40Z
                              moving the
                              users
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
         4194303   deployer   –              192.168.100.200   idle in        2026-11-23     2026-11-23     1 h 1 min
                                                               transaction    06:47:36Z      06:47:40Z
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
        4711 runs, or ran last: SELECT ?
        4194303 runs, or ran last: UPDATE users SET email = ?

        160
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         pid       user       application           client            state                 since                 query start           duration    query
        ════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════
         4711      deployer   tollgate lock run:    192.168.100.200   idle in transaction   2026-11-23            2026-11-23            1 h 1 min   SELECT ?
                              moving the users                                              06:47:36Z             06:47:40Z
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         4194303   deployer   –                     192.168.100.200   idle in transaction   2026-11-23            2026-11-23            1 h 1 min   UPDATE users SET
                                                                                            06:47:36Z             06:47:40Z                         email = ?
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        ");
    }
}
