//! Notifiers: what they are told, where they may send it, and what they never learn.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tollgate_host::types::{Event, Finding, MigrationFindings, Run, Severity, Verdict};
use tollgate_host::{Endpoint, FailureKind, Kind, Limits, PluginError};

use crate::support::{host, logging_host, notifier, request, shown};

/// In every URL and secret below: it must not turn up anywhere else.
const MARKER: &str = "MARKER-4711-MARKER";

/// A server that answers every request the same way and keeps what it was sent.
struct Server {
    url: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` may hold `{request}`, which becomes what was sent.
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook/{MARKER}", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&stream);
                let body = answer.split_once("\r\n\r\n").unwrap().1.replace("{request}", &request);
                let head = answer.split_once("\r\n\r\n").unwrap().0;
                kept.lock().unwrap().push(request);
                // The other side may have hung up, which is what some tests are about.
                drop(write!(
                    stream,
                    "{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                ));
            }
        });
        Self { url, received }
    }

    fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::new(&self.url);
        endpoint.allow_private = true;
        endpoint.secrets.insert("signing".to_owned(), MARKER.to_owned());
        endpoint
            .headers
            .push(("x-fixed".to_owned(), "from the configuration".to_owned()));
        endpoint
    }

    fn requests(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(|length| length.parse().unwrap())
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn run() -> Run {
    Run {
        id: "run-1".to_owned(),
        environment: Some("production".to_owned()),
        target: "db.example.com/shop".to_owned(),
        actor: None,
        dry_run: false,
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        command: "deploy".to_owned(),
        commit: None,
        link: None,
    }
}

fn notify(settings: serde_json::Value, endpoint: Endpoint) -> Result<(), PluginError> {
    let endpoints = BTreeMap::from([("hook".to_owned(), endpoint)]);
    let plugin = notifier(host(), settings, &["http:hook"], endpoints).unwrap();
    let result = plugin.notify(
        &run(),
        &Event::Planned {
            migrations: vec!["20260101000000_test".to_owned()],
        },
    );
    assert!(!format!("{plugin:?} {result:?}").contains(MARKER), "{result:?}");
    result
}

#[test]
fn a_request_arrives_with_what_only_the_host_knows() {
    let server = Server::start("HTTP/1.1 204 No Content\r\n\r\n");
    notify(json!({ "secret": "signing", "header": "x-fixed" }), server.endpoint()).unwrap();
    let [request] = server.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut head: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with("host: ") && !line.starts_with("content-length"))
        .collect();
    head[1..].sort_unstable();
    insta::assert_snapshot!(head.join("\n"), @"
    POST /hook/MARKER-4711-MARKER HTTP/1.1
    accept: */*
    user-agent: tollgate/0.1.0
    x-fixed: from the configuration
    x-run: run-1
    x-secret: MARKER-4711-MARKER
    x-signature: sha256=31eb405dbe646c44d5641a7d36f231f80901960ec95b16e161769994baa0e8ae
    ");
    insta::assert_snapshot!(body, @r#"Run { id: "run-1", environment: Some("production"), target: "db.example.com/shop", actor: None, dry-run: false, started-at: "2026-01-01T00:00:00Z", command: "deploy", commit: None, link: None } Event::Planned(["20260101000000_test"])"#);
}

#[test]
fn secrets_that_an_answer_repeats_are_taken_out() {
    let server = Server::start("HTTP/1.1 500 Oops\r\nx-echo: MARKER-4711-MARKER\r\n\r\nyou sent {request}");
    let (host, lines) = logging_host();
    let endpoints = BTreeMap::from([("hook".to_owned(), server.endpoint())]);
    let plugin = notifier(&host, json!({ "secret": "signing" }), &["http:hook"], endpoints).unwrap();
    let error = plugin
        .notify(&run(), &Event::Planned { migrations: Vec::new() })
        .unwrap_err();
    assert_eq!(error.kind, FailureKind::Failed);
    assert!(error.retryable);
    assert!(error.message.contains("x-secret: [redacted]"), "{error}");
    let lines = format!("{:?}", lines.lock().unwrap());
    assert!(lines.contains("(\"x-echo\", \"[redacted]\")"), "{lines}");
    assert!(!format!("{error:?} {lines}").contains(MARKER));
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Server::start("HTTP/1.1 204 No Content\r\n\r\n");
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\n\r\nover there", elsewhere.url);
    let server = Server::start(answer.leak());
    let error = notify(json!({}), server.endpoint()).unwrap_err();
    assert_eq!(error.message, "302: over there");
    assert!(elsewhere.requests().is_empty());
}

/// The environment of a process cannot be changed safely while it runs, so the test runs itself in another one.
#[test]
fn proxies_of_the_environment_are_not_used() {
    const CHILD: &str = "TOLLGATE_TEST_PROXIED";
    if std::env::var_os(CHILD).is_some() {
        let server = Server::start("HTTP/1.1 204 No Content\r\n\r\n");
        notify(json!({}), server.endpoint()).unwrap();
        assert_eq!(server.requests().len(), 1);
        return;
    }
    // Nothing listens there.
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "notifier::proxies_of_the_environment_are_not_used"])
        .env(CHILD, "1");
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        child.env(name, format!("http://{proxy}"));
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn what_a_plugin_may_not_do_has_names() {
    let server = Server::start("HTTP/1.1 204 No Content\r\n\r\n");
    let mut private = server.endpoint();
    private.allow_private = false;
    let mut public_name = Endpoint::new(server.url.replace("127.0.0.1", "localhost"));
    public_name.allow_private = false;
    let cases = [
        ("private address", json!({}), private),
        ("name of a private address", json!({}), public_name),
        ("path", json!({ "path": "other" }), server.endpoint()),
        ("unknown secret", json!({ "secret": "other" }), server.endpoint()),
        ("reserved header", json!({ "header": "Host" }), server.endpoint()),
        ("not granted", json!({ "endpoint": "spare" }), server.endpoint()),
        ("not asked for", json!({ "endpoint": "made-up" }), server.endpoint()),
        ("large body", json!({ "size": "5000000" }), server.endpoint()),
    ];
    let messages = cases
        .map(|(name, settings, endpoint)| format!("{name}: {}\n", shown(&notify(settings, endpoint).unwrap_err())));
    assert!(server.requests().is_empty());
    insta::assert_snapshot!(messages.concat(), @r#"
    private address: plugin `caller` failed (failed): Error::Denied("the endpoint's host has no public address, and `allow_private` is not set")
    name of a private address: plugin `caller` failed (failed): Error::Denied("the endpoint's host has no public address, and `allow_private` is not set")
    path: plugin `caller` failed (failed): Error::Denied("the endpoint does not allow a path")
    unknown secret: plugin `caller` failed (failed): Error::Denied("the endpoint has no secret `other`")
    reserved header: plugin `caller` failed (failed): Error::Denied("the header `host` is not for plugins to set")
    not granted: plugin `caller` failed (refused-capability): used the capability `http:spare`, which it was not given: Error::Denied("the capability `http:spare` was not granted")
        help: If you trust the plugin with it, add `http:spare` to its `grant` in the configuration.
    not asked for: plugin `caller` failed (refused-capability): used the capability `http:made-up`, which it was not given: Error::Denied("the capability `http:made-up` was not granted")
        help: If you trust the plugin with it, add `http:made-up` to its `grant` in the configuration.
    large body: plugin `caller` failed (failed): Error::TooLarge
    "#);
}

#[test]
fn a_path_goes_below_the_endpoint_where_that_is_allowed() {
    let server = Server::start("HTTP/1.1 204 No Content\r\n\r\n");
    let mut endpoint = server.endpoint();
    endpoint.allow_path = true;
    notify(json!({ "path": "a/b?c=d" }), endpoint).unwrap();
    let expected = format!("POST /hook/{MARKER}/a/b?c=d HTTP/1.1");
    assert_eq!(server.requests()[0].lines().next().unwrap(), expected);
}

#[test]
fn a_granted_capability_without_an_endpoint_is_said_so() {
    let plugin = notifier(host(), json!({}), &["http:hook"], BTreeMap::new()).unwrap();
    let error = plugin
        .notify(&run(), &Event::Planned { migrations: Vec::new() })
        .unwrap_err();
    insta::assert_snapshot!(error, @r#"plugin `caller` failed (failed): Error::UnknownEndpoint("hook")"#);
}

#[test]
fn networks_fail_in_words_of_our_own() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut refused = Endpoint::new(format!("http://{closed}/{MARKER}"));
    refused.allow_private = true;
    // Takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slow = Endpoint::new(format!("http://{}/{MARKER}", silent.local_addr().unwrap()));
    slow.allow_private = true;
    slow.timeout = Duration::from_millis(100);
    let unknown = Endpoint::new(format!("https://tollgate.invalid/{MARKER}"));
    let long = Server::start("HTTP/1.1 200 OK\r\n\r\n{request}");
    let mut long = long.endpoint();
    long.max_response_bytes = 20;
    let plain = Server::start("HTTP/1.1 200 OK\r\n\r\n");
    let mut no_tls = Endpoint::new(plain.url.replace("http:", "https:"));
    no_tls.allow_private = true;
    let nonsense = Server::start("220 mail.example.com ESMTP\r\n\r\n");
    let cases = [
        ("refused", refused),
        ("slow", slow),
        ("unknown host", unknown),
        ("long answer", long),
        ("no HTTP", nonsense.endpoint()),
    ];
    let messages = cases.map(|(name, endpoint)| {
        let error = notify(json!({}), endpoint).unwrap_err();
        format!("{name}: {error}, again later: {}\n", error.retryable)
    });
    insta::assert_snapshot!(messages.concat(), @r#"
    refused: plugin `caller` failed (failed): Error::Transport("the connection failed: connection refused"), again later: true
    slow: plugin `caller` failed (failed): Error::TimedOut, again later: true
    unknown host: plugin `caller` failed (failed): Error::Transport("the endpoint's host name cannot be resolved"), again later: true
    long answer: plugin `caller` failed (failed): Error::TooLarge, again later: false
    no HTTP: plugin `caller` failed (failed): Error::Transport("the endpoint gave no valid HTTP answer"), again later: true
    "#);
    let error = notify(json!({}), no_tls).unwrap_err();
    assert!(error.retryable, "{error}");
}

#[test]
fn requests_of_a_call_are_counted() {
    let server = Server::start("HTTP/1.1 204 No Content\r\n\r\n");
    for (allowed, works) in [(1, true), (0, false)] {
        let mut request = request("caller", json!({}));
        request.granted = vec!["http:hook".to_owned()];
        request.endpoints = BTreeMap::from([("hook".to_owned(), server.endpoint())]);
        request.limits = Some(Limits {
            http_requests: allowed,
            ..Limits::default()
        });
        let result = host()
            .load(&request)
            .unwrap()
            .notify(&run(), &Event::Planned { migrations: Vec::new() });
        assert_eq!(result.is_ok(), works, "{result:?}");
    }
}

#[test]
fn the_clock_bounds_a_notifier() {
    let mut request = request("caller", json!({ "mode": "loop" }));
    request.limits = Some(Limits {
        notifier_deadline_ms: 100,
        fuel: 1_000,
        ..Limits::default()
    });
    let plugin = host().load(&request).unwrap();
    let error = plugin
        .notify(&run(), &Event::Planned { migrations: Vec::new() })
        .unwrap_err();
    assert_eq!(error.kind, FailureKind::TimedOut);
    insta::assert_snapshot!(shown(&error), @"plugin `caller` failed (timed-out): ran for longer than 100 ms");
}

#[test]
fn a_notifier_says_what_interests_it() {
    let plugin = host().load(&request("caller", json!({}))).unwrap();
    assert_eq!(plugin.kind(), Kind::Notifier);
    assert_eq!(plugin.interests().unwrap(), ["finished", "failed"]);
}

#[test]
fn every_event_arrives_whole() {
    let server = Server::start("HTTP/1.1 204 No Content\r\n\r\n");
    let finding = Finding {
        statement: Some(1),
        span: Some(tollgate_sql::Span::new(3, 9)),
        help: Some("keep it".to_owned()),
        properties: vec![("rows".to_owned(), "7".to_owned())],
        ..Finding::new("drop-table", Severity::High, "loses t")
    };
    let findings = vec![MigrationFindings {
        migration: "m".to_owned(),
        findings: vec![finding],
    }];
    let events = [
        Event::Planned {
            migrations: vec!["m".to_owned()],
        },
        Event::Checked {
            verdict: Verdict::Blocked,
            findings: findings.clone(),
        },
        Event::Applied {
            migration: "m".to_owned(),
            duration_ms: 12,
        },
        Event::Failed {
            migration: "m".to_owned(),
            statement: Some(2),
            message: "no".to_owned(),
            sqlstate: Some("42P01".to_owned()),
        },
        Event::RolledBack {
            migration: "m".to_owned(),
            duration_ms: 13,
        },
        Event::Finished {
            applied: vec!["m".to_owned()],
            findings,
            succeeded: true,
            duration_ms: 14,
        },
        Event::Other {
            tag: "approved".to_owned(),
            details: json!({ "by": "someone" }),
        },
    ];
    let endpoints = BTreeMap::from([("hook".to_owned(), server.endpoint())]);
    let plugin = notifier(host(), json!({}), &["http:hook"], endpoints).unwrap();
    for event in &events {
        plugin.notify(&run(), event).unwrap();
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), event);
    }
    let bodies: Vec<String> = server
        .requests()
        .iter()
        .map(|request| {
            request
                .split_once("\r\n\r\n")
                .unwrap()
                .1
                .split_once(" Event::")
                .unwrap()
                .1
                .to_owned()
        })
        .collect();
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    Planned(["m"])
    Checked(Checked { verdict: Verdict::Blocked, findings: [("m", [Finding { rule: "drop-table", severity: Severity::High, message: "loses t", statement: Some(1), at: Some(Span { start: 3, end: 9 }), labels: [], help: Some("keep it"), suggestions: [], properties: [("rows", "7")] }])] })
    Applied(Applied { migration: "m", duration-ms: 12 })
    Failed(Failed { migration: "m", statement: Some(2), message: "no", sqlstate: Some("42P01") })
    RolledBack(Applied { migration: "m", duration-ms: 13 })
    Finished(Finished { applied: ["m"], findings: [("m", [Finding { rule: "drop-table", severity: Severity::High, message: "loses t", statement: Some(1), at: Some(Span { start: 3, end: 9 }), labels: [], help: Some("keep it"), suggestions: [], properties: [("rows", "7")] }])], succeeded: true, duration-ms: 14 })
    Other(OtherEvent { tag: "approved", details: "{\"by\":\"someone\"}" })
    "#);
}
