//! Tests of notifiers: requests are recorded, answers are given by the test.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;

use super::configured;
use crate::contract::{Event, Failure, Run};
use crate::http::{Http, HttpError, Request, Response};
use crate::plugin::Notifier;

/// What the plugin is told, and what its requests are answered.
#[derive(Debug, Clone)]
pub struct NotifierTest<P> {
    settings: serde_json::Value,
    answers: Vec<Result<Response, HttpError>>,
    plugin: PhantomData<fn() -> P>,
}

/// What a notifier did with one event.
#[derive(Debug)]
pub struct Sent {
    /// Its requests, in order.
    pub requests: Vec<Request>,
    /// What it returned.
    pub result: Result<(), Failure>,
}

impl Sent {
    /// The body of the only request, as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let [request] = self.requests.as_slice() else {
            panic!("expected one request, not {}", self.requests.len())
        };
        serde_json::from_slice(&request.body).unwrap_or_else(|error| panic!("the body is not JSON: {error}"))
    }
}

/// Records requests; answers 200 when the test has given no other answer.
struct FakeHttp {
    requests: RefCell<Vec<Request>>,
    answers: RefCell<VecDeque<Result<Response, HttpError>>>,
}

impl Http for FakeHttp {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        self.requests.borrow_mut().push(request.clone());
        let ok = Response {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
        };
        self.answers.borrow_mut().pop_front().unwrap_or(Ok(ok))
    }
}

impl<P: Notifier> NotifierTest<P> {
    pub(super) fn new() -> Self {
        let settings = serde_json::Value::Object(serde_json::Map::new());
        Self {
            settings,
            answers: Vec::new(),
            plugin: PhantomData,
        }
    }

    /// The plugin's table in the configuration.
    #[must_use]
    pub fn settings(mut self, settings: serde_json::Value) -> Self {
        self.settings = settings;
        self
    }

    /// The next request is answered with this status and body.
    #[must_use]
    pub fn answer(mut self, status: u16, body: &str) -> Self {
        self.answers.push(Ok(Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        }));
        self
    }

    /// The next request fails.
    #[must_use]
    pub fn fail(mut self, error: HttpError) -> Self {
        self.answers.push(Err(error));
        self
    }

    /// Tells the plugin of an event.
    #[track_caller]
    pub fn notify(&self, run: &Run, event: &Event) -> Sent {
        let plugin = configured(&self.settings, P::configure);
        let http = FakeHttp {
            requests: RefCell::default(),
            answers: RefCell::new(self.answers.clone().into()),
        };
        let result = plugin.notify(run, event, &http);
        Sent {
            requests: http.requests.into_inner(),
            result,
        }
    }

    /// Events that the plugin wants.
    #[track_caller]
    pub fn interests(&self) -> Vec<String> {
        configured(&self.settings, P::configure).interests()
    }
}
