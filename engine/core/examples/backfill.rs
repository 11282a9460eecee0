//! A data migration that takes its time: it fills a column in batches, each in a transaction of its own, and holds the
//! migration lock meanwhile, so that no deploy changes the table under it. Run again after it was cut off, it goes on.
//!
//! `cargo run -p tollgate-engine --example backfill -- postgresql://…`
//!
//! It works on a table `users` with the columns `id`, `email` and `domain`. The connection is Tollgate's own, which needs
//! no libpq; diesel's `PgConnection` does as well.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use tollgate_engine::diesel::{Connection, QueryResult, RunQueryDsl, sql_query};
use tollgate_engine::{
    ConnectOptions, LockEvent, LockOptions, PgConnection, Target, connect_postgres, with_migration_lock_watched,
};

/// Short transactions: the rows that one has changed are locked until it ends.
const BATCH: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: backfill postgresql://…")?;
    let target = Target::parse(&url, Path::new("."))?;
    let options = ConnectOptions {
        application_name: "backfill".to_owned(),
        ..ConnectOptions::default()
    };
    let mut connection = connect_postgres(&target, &options)?;
    let lock = LockOptions {
        timeout: Duration::from_mins(1),
        ..LockOptions::default()
    };
    let waiting = |event| {
        if let LockEvent::Waiting { holder, .. } = event {
            let who = holder.map_or_else(|| "somebody".to_owned(), |holder| holder.describe());
            eprintln!("waiting for {who}");
        }
    };
    let filled = with_migration_lock_watched(&mut connection, &lock, waiting, fill)?;
    println!("{filled} rows filled");
    Ok(())
}

fn fill(connection: &mut PgConnection) -> QueryResult<usize> {
    let mut filled = 0;
    loop {
        // What is chosen here must be what the update changes: with a row that stays as it is, this never ends.
        let batch = connection.transaction(|connection| {
            let sql = format!(
                "UPDATE users SET domain = split_part(email, '@', 2) \
                 WHERE id IN (SELECT id FROM users WHERE domain IS NULL AND email IS NOT NULL \
                 ORDER BY id LIMIT {BATCH} FOR UPDATE)"
            );
            sql_query(sql).execute(connection)
        })?;
        if batch == 0 {
            return Ok(filled);
        }
        filled += batch;
    }
}
