//! A server that stands for GitHub: the part of its API that a workflow uses, with what it was asked; and the downloads of a
//! release.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What it is like, and what has happened to it.
#[derive(Default)]
pub struct State {
    /// Comments on pull request 7: author, kind of author, body.
    pub comments: Vec<(String, String, String)>,
    /// Environments and whether they have required reviewers.
    pub environments: BTreeMap<String, bool>,
    /// The token may only read, as in a run for a fork.
    pub read_only: bool,
    /// How many requests are answered with 502 first.
    pub failing: usize,
    /// What was said of deployments: environment, task and run, or number and state.
    pub deployments: Vec<String>,
    made: Vec<Value>,
    /// Files below `/releases`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Method and path of every request.
    pub requests: Vec<String>,
}

/// The server; it ends with the test program.
pub struct Hub {
    pub url: String,
    state: Arc<Mutex<State>>,
}

/// The token that it takes.
pub const TOKEN: &str = "ghs_a-token-that-nobody-may-see";

impl Hub {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = serve(&stream, &shared);
            }
        });
        Self { url, state }
    }

    /// Looks at it or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap())
    }
}

fn serve(mut stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut parts = line.split_whitespace();
    let (method, path) = (
        parts.next().unwrap_or("").to_owned(),
        parts.next().unwrap_or("").to_owned(),
    );
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut state = state.lock().unwrap();
    let (status, answer) = if let Some(file) = path.strip_prefix("/releases/") {
        state
            .files
            .get(file)
            .map_or((404, Vec::new()), |bytes| (200, bytes.clone()))
    } else {
        state.requests.push(format!("{method} {path}"));
        let authorized = authorization == format!("Bearer {TOKEN}");
        let (status, answer) = if authorized {
            state.answer(&method, &path, &body)
        } else {
            (401, json!({}))
        };
        (status, answer.to_string().into_bytes())
    };
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    )?;
    stream.write_all(&answer)
}

const COMMENTS: &str = "/repos/acme/shop/issues/7/comments";

impl State {
    fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        if self.failing > 0 {
            self.failing -= 1;
            return (502, json!({ "message": "Bad Gateway" }));
        }
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        if let Some(name) = place.strip_prefix("/repos/acme/shop/environments/") {
            let rules = |reviewers: &bool| {
                let reviewed = json!([{ "id": 1, "type": "required_reviewers", "reviewers": [{ "type": "Team" }] }]);
                if *reviewers {
                    reviewed
                } else {
                    json!([{ "id": 2, "type": "wait_timer" }])
                }
            };
            return match self.environments.get(name) {
                Some(reviewers) => (200, json!({ "name": name, "protection_rules": rules(reviewers) })),
                None => (404, json!({ "message": "Not Found" })),
            };
        }
        if let Some(answer) = self.deployment(method, place, body) {
            return answer;
        }
        match (method, place) {
            ("GET", "/repos/acme/shop/commits/c0ffee/pulls") => (200, json!([{ "number": 7, "state": "open" }])),
            ("GET", "/user") => (200, json!({ "login": "mona", "type": "User" })),
            ("GET", COMMENTS) => (200, self.page(query)),
            _ if self.read_only => (403, json!({ "message": "Resource not accessible by integration" })),
            ("POST", COMMENTS) => {
                let text = body["body"].as_str().unwrap_or_default().to_owned();
                self.comments
                    .push(("github-actions[bot]".to_owned(), "Bot".to_owned(), text));
                (201, self.document(self.comments.len() - 1))
            }
            ("PATCH", _) => {
                let number = place.rsplit('/').next().and_then(|id| id.parse::<usize>().ok());
                let Some(at) = number.map(|id| id - 1).filter(|at| *at < self.comments.len()) else {
                    return (404, json!({ "message": "Not Found" }));
                };
                body["body"]
                    .as_str()
                    .unwrap_or_default()
                    .clone_into(&mut self.comments[at].2);
                (200, self.document(at))
            }
            _ => (404, json!({ "message": "Not Found" })),
        }
    }

    /// Deployments and their statuses; what GitHub asks for has to be there.
    fn deployment(&mut self, method: &str, place: &str, body: &Value) -> Option<(u16, Value)> {
        let rest = place.strip_prefix("/repos/acme/shop/deployments")?;
        let text = |name: &str| {
            body[name]
                .as_str()
                .unwrap_or_else(|| panic!("{name} is missing in {body}"))
                .to_owned()
        };
        if method == "GET" {
            return Some((200, json!(self.made)));
        }
        if rest.is_empty() {
            let mut made = body.clone();
            made["id"] = json!(self.made.len() + 1);
            self.deployments.push(format!(
                "made {} {} of {}",
                text("environment"),
                text("task"),
                text("ref")
            ));
            self.made.push(made.clone());
            return Some((201, made));
        }
        let states = [
            "error",
            "failure",
            "inactive",
            "in_progress",
            "queued",
            "pending",
            "success",
        ];
        assert!(states.contains(&text("state").as_str()), "{body}");
        assert!(text("description").chars().count() <= 140);
        self.deployments.push(format!(
            "{} {}: {} ({})",
            rest,
            text("state"),
            text("description"),
            text("log_url")
        ));
        Some((201, json!({})))
    }

    fn page(&self, query: &str) -> Value {
        let number = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            value.and_then(|value| value.parse::<usize>().ok()).unwrap_or(1)
        };
        let (size, page) = (number("per_page"), number("page"));
        let all = (0..self.comments.len()).map(|at| self.document(at));
        all.skip((page - 1) * size).take(size).collect()
    }

    fn document(&self, at: usize) -> Value {
        let (author, kind, body) = &self.comments[at];
        json!({
            "id": at + 1,
            "body": body,
            "html_url": format!("https://github.com/acme/shop/pull/7#issuecomment-{}", at + 1),
            "user": { "login": author, "type": kind },
        })
    }
}
