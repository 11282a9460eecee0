//! A notifier that sends one request, made from its settings, and fails with what came back: so that a test sees it.

wit_bindgen::generate!({ path: "../../../wit", world: "notifier-plugin" });

use std::sync::OnceLock;

use exports::tollgate::plugin::notifier::{Event, Run};
use exports::tollgate::plugin::{about, notifier};
use tollgate::plugin::http::{self, Error, HeaderValue, Method, Request, SecretValue, Signature};
use tollgate::plugin::log;
use tollgate::plugin::types::{Description, Failure, SettingsIssue};

static SETTINGS: OnceLock<String> = OnceLock::new();

struct Guest;

/// The value of a string setting. A search for the key is all the JSON that a test needs.
fn setting(key: &str) -> Option<&'static str> {
    let (_, rest) = SETTINGS.get()?.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()
}

impl about::Guest for Guest {
    fn describe() -> Description {
        Description {
            name: "caller".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "Sends one request.".to_owned(),
            rules: Vec::new(),
            capabilities: vec!["http:hook".to_owned(), "http:spare".to_owned()],
            settings_schema: None,
            properties: Vec::new(),
        }
    }

    fn configure(settings: String) -> Result<(), Vec<SettingsIssue>> {
        SETTINGS.set(settings).map_err(|_| Vec::new())
    }
}

impl notifier::Guest for Guest {
    fn interests() -> Vec<String> {
        vec!["finished".to_owned(), "failed".to_owned()]
    }

    fn notify(run: Run, event: Event) -> Result<(), Failure> {
        if setting("mode") == Some("loop") {
            loop {
                std::hint::black_box(());
            }
        }
        let mut headers = vec![("x-run".to_owned(), HeaderValue::Literal(run.id.clone()))];
        if let Some(name) = setting("secret") {
            headers.push(("x-secret".to_owned(), HeaderValue::Secret(SecretValue { secret: name.to_owned(), prefix: String::new() })));
            headers.push((
                "x-signature".to_owned(),
                HeaderValue::HmacSha256(Signature {
                    secret: name.to_owned(),
                    prefix: "sha256=".to_owned(),
                    preamble: format!("{}.", run.started_at),
                }),
            ));
        }
        if let Some(name) = setting("header") {
            headers.push((name.to_owned(), HeaderValue::Literal("from the plugin".to_owned())));
        }
        let size = setting("size").and_then(|size| size.parse().ok()).unwrap_or(0_usize);
        let body = if size > 0 { vec![b'x'; size] } else { format!("{run:?} {event:?}").into_bytes() };
        let request = Request {
            endpoint: setting("endpoint").unwrap_or("hook").to_owned(),
            method: Method::Post,
            path: setting("path").map(str::to_owned),
            headers,
            body,
        };
        match http::send(&request) {
            Ok(answer) if answer.status == 204 => Ok(()),
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                log::emit(log::Level::Warn, &text, &answer.headers);
                Err(Failure {
                    message: format!("{}: {text}", answer.status),
                    retryable: answer.status >= 500,
                })
            }
            Err(error) => Err(Failure {
                message: format!("{error:?}"),
                retryable: matches!(error, Error::TimedOut | Error::Transport(_)),
            }),
        }
    }
}

export!(Guest);
