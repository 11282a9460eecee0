//! Telling people. A notifier never fails a deploy, unless it is required.

use std::sync::Arc;

use serde::Serialize;
use tollgate_host::Plugin;
use tollgate_host::types::{Event as NotifierEvent, Run};

use crate::event::{Event, Observer};

/// A loaded notifier.
#[derive(Clone)]
pub struct Notifier {
    /// The component.
    pub plugin: Arc<Plugin>,
    /// A failure to deliver fails the run.
    pub required: bool,
    /// Where its messages go, for people: host names, never a path or a query (those can be secrets).
    pub destination: String,
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Notifier.
    pub plugin: String,
    /// Tag of the event: `finished`.
    pub event: String,
    /// Where it went or should have gone.
    pub destination: String,
    /// Why it did not arrive.
    pub error: Option<String>,
    /// The run counts as failed when it did not arrive.
    pub required: bool,
}

/// Sends the events of one run to everybody who wants them.
pub struct Notifications<'a> {
    notifiers: &'a [Notifier],
    run: Run,
    deliveries: Vec<Delivery>,
}

impl<'a> Notifications<'a> {
    /// For one run.
    pub fn new(notifiers: &'a [Notifier], run: Run) -> Self {
        Self {
            notifiers,
            run,
            deliveries: Vec::new(),
        }
    }

    /// Tells every notifier that is interested.
    pub fn send(&mut self, event: &NotifierEvent, observe: Observer<'_>) {
        let tag = event.tag();
        for notifier in self.notifiers {
            let interests = match notifier.plugin.interests() {
                Ok(interests) => interests,
                Err(error) => {
                    self.record(notifier, tag, Some(error.message), observe);
                    continue;
                }
            };
            if !interests.is_empty() && !interests.iter().any(|interest| interest == tag) {
                continue;
            }
            let error = notifier
                .plugin
                .notify(&self.run, event)
                .err()
                .map(|error| error.message);
            self.record(notifier, tag, error, observe);
        }
    }

    fn record(&mut self, notifier: &Notifier, event: &str, error: Option<String>, observe: Observer<'_>) {
        let delivery = Delivery {
            plugin: notifier.plugin.name().to_owned(),
            event: event.to_owned(),
            destination: notifier.destination.clone(),
            error,
            required: notifier.required,
        };
        observe(Event::Notified(delivery.clone()));
        self.deliveries.push(delivery);
    }

    /// What became of all messages so far.
    pub fn into_deliveries(self) -> Vec<Delivery> {
        self.deliveries
    }
}
