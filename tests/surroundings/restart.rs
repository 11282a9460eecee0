//! A server that is restarted between two migrations.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use insta::assert_snapshot;
use tollgate_testing::postgres::{Cluster, Setup};
use tollgate_testing::restart::restart;

use crate::session::{APPLIED, BLOG_APPLIED, LEDGER, blog, on, session};

/// A listener to notifications that does something when the first migration is applied, before it answers: the deploy
/// stands still between that one and the next.
fn when_the_first_is_applied(work: impl FnOnce() + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut work = Some(work);
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let applied = posted(&stream).contains("\"event\":\"applied\"");
            if let (true, Some(work)) = (applied, work.take_if(|_| applied)) {
                work();
            }
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        }
    });
    url
}

/// The body of a request.
fn posted(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    for line in reader.by_ref().lines() {
        let line = line.unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn a_deploy_stops_and_the_next_one_goes_on() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(&Setup::default()).unwrap()));
    let database = cluster.database();
    let project = on(&database.url());
    blog(&project);
    let (done, restarted) = mpsc::channel();
    let url = when_the_first_is_applied(move || done.send(restart(cluster)).unwrap());
    project.file(
        "tollgate.toml",
        &format!("[plugins.webhook.endpoints.webhook]\nurl = \"{url}\"\nallow_private = true\n"),
    );
    assert_snapshot!(session(&project, &["deploy", "status"]), @r#"
    $ tollgate deploy
    status: 1
    -- stdout
    applied 1_users [duration]
    -- stderr
    migration-failed

      × migration "2_posts" failed: the connection was lost: terminating connection due to
      │ administrator command
       ╭─[migrations/2_posts/migration.sql:1:1]
     1 │ CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL REFERENCES users (id), title text);
       · ───────────────────────────────────────────────────┬──────────────────────────────────────────────────
       ·                                                    ╰── the connection was lost: terminating connection due to administrator command
     2 │ CREATE INDEX posts_author ON posts (author);
       ╰────
      help: SQLSTATE: 57P01
            wait until the server answers, then run `tollgate deploy`
      the database now: 1 migration of this run is in and recorded; nothing of it is in the database


    $ tollgate status
    status: 5
    -- stdout
    PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port]
    applied     1_users
    pending     2_posts
    pending     3_views
    3 migrations: 1 applied, 2 pending; next: `tollgate deploy`
    "#);
    restarted.recv().unwrap().unwrap();
    assert_snapshot!(database.psql(LEDGER), @"1_users applied");
    assert_snapshot!(session(&project, &["deploy"]), @"
    $ tollgate deploy
    status: 0
    -- stdout
    applied 2_posts [duration]
    applied 3_views [duration]
    2 migrations checked: 2 notes
    told webhook (127.0.0.1:[port])
    2 migrations applied in [duration]
    ");
    assert_eq!(database.psql(APPLIED), BLOG_APPLIED);
}
