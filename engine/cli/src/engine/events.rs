//! What happens while the engine works, as it happens: a bar where the run is long, a line a migration.

use std::collections::BTreeSet;

use serde::Serialize;
use tollgate_engine::{Delivery, Event, ExecuteEvent, named_in_short};

use super::findings::count;
use super::locking;
use crate::output::Ui;
use crate::output::progress::Progress;
use crate::output::style::{DIM, GOOD, NAME, paint};

/// Shows events.
pub struct Show<'a> {
    ui: &'a Ui,
    bar: Option<Progress>,
    /// Notifiers that could not be told something; one warning about each is enough.
    unreachable: BTreeSet<String>,
}

impl<'a> Show<'a> {
    /// With nothing on show yet.
    pub fn new(ui: &'a Ui) -> Self {
        Self {
            ui,
            bar: None,
            unreachable: BTreeSet::new(),
        }
    }

    /// Shows one.
    pub fn event(&mut self, event: Event) {
        match event {
            Event::Lock(event) => self.above(|ui| locking::show(ui, &event)),
            Event::Judging { migrations } => self
                .ui
                .detail(format!("asking about {}", count(migrations, "migration"))),
            Event::Applying { migration, of, .. } => {
                let bar = self.bar.get_or_insert_with(|| self.ui.progress(of));
                bar.on(&migration);
            }
            Event::Applied { migration, took } => {
                if let Some(bar) = &self.bar {
                    bar.step();
                }
                let took = paint(DIM, format!("{} ms", took.as_millis()));
                self.result(format!("{} {} {took}", paint(GOOD, "applied"), paint(NAME, migration)));
            }
            Event::RollingBack { migration } => self.ui.detail(format!("taking {migration} back")),
            Event::RolledBack { migration, took } => {
                let took = paint(DIM, format!("{} ms", took.as_millis()));
                self.result(format!(
                    "{} {} {took}",
                    paint(GOOD, "taken back"),
                    paint(NAME, migration)
                ));
            }
            Event::Execution { migration, event } => self.execution(&migration, event),
            Event::Emptied => self.result(paint(GOOD, "dropped everything")),
            Event::Seeded { file, took } => {
                let took = paint(DIM, format!("{} ms", took.as_millis()));
                self.result(format!("{} {} {took}", paint(GOOD, "seeded"), paint(NAME, file)));
            }
            Event::Notified(delivery) => self.notified(&delivery),
            Event::Warning(message) => self.above(|ui| ui.warn(message)),
            _ => {}
        }
    }

    fn execution(&self, migration: &str, event: ExecuteEvent) {
        match event {
            ExecuteEvent::Notice { notice, .. } => {
                let text = format!("{migration}: {}: {}", notice.severity, notice.message);
                match notice.severity.as_str() {
                    "NOTICE" | "WARNING" => self.line(paint(DIM, text)),
                    // INFO, LOG and DEBUG are for whoever watches.
                    _ => self.above(|ui| ui.detail(text)),
                }
            }
            ExecuteEvent::Waiting { blockers, .. } => {
                for blocker in blockers {
                    self.line(format!("{migration}: waits for {}", blocker.as_blocker()));
                }
            }
            ExecuteEvent::Retrying {
                attempt,
                delay,
                reason,
                blockers,
            } => {
                let why = if blockers.is_empty() {
                    reason
                } else {
                    format!("waits for {}", named_in_short(&blockers))
                };
                let wait = delay.as_millis();
                self.line(format!("{migration}: {why}; attempt {attempt} in {wait} ms"));
            }
            ExecuteEvent::InvalidIndexDropped { index } => {
                self.line(format!(
                    "{migration}: dropped the invalid index {index} that a failed attempt left"
                ));
            }
            ExecuteEvent::Started { already_done, .. } if already_done > 0 => {
                let done = count(already_done, "statement");
                self.line(format!("{migration}: goes on after {done} of an earlier attempt"));
            }
            _ => {}
        }
    }

    fn notified(&mut self, delivery: &Delivery) {
        let Delivery { plugin, event, .. } = delivery;
        match &delivery.error {
            None => self.above(|ui| ui.detail(format!("told {plugin} ({event})"))),
            Some(error) => {
                let waits = if delivery.waits {
                    "; the next run tries again"
                } else {
                    ""
                };
                let text = format!("{plugin} could not be told ({event}): {error}{waits}");
                let first = self.unreachable.insert(plugin.clone());
                self.above(|ui| if first { ui.warn(text) } else { ui.detail(text) });
            }
        }
    }

    fn line(&self, text: String) {
        self.above(|ui| ui.note(text));
    }

    /// A line of the result.
    pub fn result(&self, text: String) {
        self.above(|ui| ui.line(text));
    }

    /// Prints above the bar.
    fn above(&self, print: impl FnOnce(&Ui)) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print(self.ui)),
            None => print(self.ui),
        }
    }
}

/// What became of one notification.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeliveryDocument {
    /// The notifier.
    pub plugin: String,
    /// What it was told.
    pub event: String,
    /// The host that it goes to.
    pub destination: String,
    /// Why it did not arrive.
    pub error: Option<String>,
    /// The run counts as failed when it does not arrive.
    pub required: bool,
}

impl From<&Delivery> for DeliveryDocument {
    fn from(delivery: &Delivery) -> Self {
        Self {
            plugin: delivery.plugin.clone(),
            event: delivery.event.clone(),
            destination: delivery.destination.clone(),
            error: delivery.error.clone(),
            required: delivery.required,
        }
    }
}

/// Where the notifications of a run went, in one line; nothing when nobody was told. Who could not be told of one event
/// is left out: a notifier that does not find another event worth a message reports no failure for that one either.
pub fn told(deliveries: &[Delivery]) -> Option<String> {
    let failed = |plugin: &str| {
        deliveries
            .iter()
            .any(|delivery| delivery.plugin == plugin && delivery.error.is_some())
    };
    let mut places: Vec<String> = deliveries
        .iter()
        .filter(|delivery| !failed(&delivery.plugin))
        .map(|delivery| format!("{} ({})", delivery.plugin, delivery.destination))
        .collect();
    places.dedup();
    (!places.is_empty()).then(|| format!("told {}", places.join(", ")))
}
