//! Telling people. A notifier never fails a deploy, unless it is required.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tollgate_database::state::NewMessage;
use tollgate_database::{ConnectOptions, Database, DatabaseError, Interrupt, LockHolder};
use tollgate_host::types::{Event as NotifierEvent, Run};
use tollgate_host::{Plugin, PluginError};

use crate::error::Error;
use crate::event::{Event, Observer};
use crate::project::Project;

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
    /// It did not arrive, and the next run sends it again.
    pub waits: bool,
    /// The run counts as failed when it did not arrive.
    pub required: bool,
}

/// Sends the events of one run to everybody who wants them.
pub struct Notifications<'a> {
    listeners: Vec<Listener<'a>>,
    run: Run,
    patience: Patience,
    deliveries: Vec<Delivery>,
    undelivered: Vec<Undelivered>,
}

/// A notifier and what it wants to hear, asked once a run.
struct Listener<'a> {
    notifier: &'a Notifier,
    interests: Result<Vec<String>, PluginError>,
    /// Why it could not be told something in this run, if that may be different later.
    unreachable: Option<Untold>,
}

/// Why a notifier could not be told something.
#[derive(Clone)]
struct Untold {
    message: String,
    /// It may be told later.
    retryable: bool,
}

impl From<PluginError> for Untold {
    fn from(error: PluginError) -> Self {
        Self {
            message: error.message,
            retryable: error.retryable,
        }
    }
}

/// How long notifiers may take once a run was asked to stop, all of them together.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often is looked whether it is at its end.
const LOOK: Duration = Duration::from_millis(20);

/// Waits for notifiers: as long as they may take, but not much longer once the run was asked to stop, and no longer at
/// all when it is asked again.
struct Patience {
    interrupt: Interrupt,
    end: Option<Instant>,
}

impl Patience {
    fn new(interrupt: &Interrupt) -> Self {
        Self {
            interrupt: interrupt.clone(),
            end: None,
        }
    }

    fn is_over(&mut self) -> bool {
        match self.interrupt.asked() {
            0 => false,
            1 => Instant::now() >= *self.end.get_or_insert_with(|| Instant::now() + PATIENCE),
            _ => true,
        }
    }

    /// Has the notifier send it, on a thread of its own: there is no way to stop one that waits for its receiver. It may
    /// still get through after it was given up; then it comes twice, which is better than never.
    fn tell(&mut self, plugin: &Arc<Plugin>, run: &Run, event: &NotifierEvent) -> Result<(), Untold> {
        let given_up = Untold {
            message: "the run was interrupted before it was sent".to_owned(),
            retryable: true,
        };
        if self.is_over() {
            return Err(given_up);
        }
        let (sender, answer) = channel();
        let (plugin, run, event) = (Arc::clone(plugin), run.clone(), event.clone());
        // Nobody may be waiting any more.
        let telling = std::thread::spawn(move || drop(sender.send(plugin.notify(&run, &event))));
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(told) => return told.map_err(Untold::from),
                Err(RecvTimeoutError::Timeout) if self.is_over() => return Err(given_up),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    if let Err(panic) = telling.join() {
                        std::panic::resume_unwind(panic);
                    }
                    return Err(given_up);
                }
            }
        }
    }
}

impl Listener<'_> {
    fn wants(&self, tag: &str) -> bool {
        match &self.interests {
            Ok(interests) => interests.is_empty() || interests.iter().any(|interest| interest == tag),
            Err(_) => true,
        }
    }

    /// A receiver that does not answer must not hold up every migration of a run: until the end it is left alone.
    fn tell(&mut self, patience: &mut Patience, run: &Run, event: &NotifierEvent) -> Result<(), Untold> {
        let last = matches!(
            event,
            NotifierEvent::Failed { .. } | NotifierEvent::Finished { .. } | NotifierEvent::AwaitingApproval { .. }
        );
        match (&self.interests, &self.unreachable) {
            (Err(error), _) => Err(error.clone().into()),
            (_, Some(error)) if !last => Err(error.clone()),
            _ => {
                let told = patience.tell(&self.notifier.plugin, run, event);
                self.unreachable = told.as_ref().err().filter(|error| error.retryable).cloned();
                told
            }
        }
    }
}

/// A message for which it may not be too late.
struct Undelivered {
    notifier: String,
    message: Message,
}

/// What the outbox keeps of a message.
#[derive(Serialize, Deserialize)]
struct Message {
    run: Run,
    event: NotifierEvent,
}

impl<'a> Notifications<'a> {
    /// For one run, which ends early when `interrupt` says so.
    pub fn new(notifiers: &'a [Notifier], run: Run, interrupt: &Interrupt) -> Self {
        let listener = |notifier: &'a Notifier| Listener {
            notifier,
            interests: notifier.plugin.interests(),
            unreachable: None,
        };
        let listeners = notifiers.iter().map(listener).collect();
        Self {
            listeners,
            run,
            patience: Patience::new(interrupt),
            deliveries: Vec::new(),
            undelivered: Vec::new(),
        }
    }

    /// Tells every notifier that is interested.
    pub fn send(&mut self, event: &NotifierEvent, observe: Observer<'_>) {
        let tag = event.tag();
        for listener in self.listeners.iter_mut().filter(|listener| listener.wants(tag)) {
            let error = listener.tell(&mut self.patience, &self.run, event).err();
            if error.as_ref().is_some_and(|error| error.retryable) {
                let message = Message {
                    run: self.run.clone(),
                    event: event.clone(),
                };
                let notifier = listener.notifier.plugin.name().to_owned();
                self.undelivered.push(Undelivered { notifier, message });
            }
            let delivery = delivery(listener.notifier, tag, error);
            observe(Event::Notified(delivery.clone()));
            self.deliveries.push(delivery);
        }
    }

    /// What became of all messages. Those that may still be delivered wait in the outbox for the next run.
    ///
    /// # Errors
    /// The state tables cannot be written.
    pub fn finish(self, database: &mut Database) -> Result<Vec<Delivery>, DatabaseError> {
        if !self.undelivered.is_empty() {
            let mut state = database.state()?;
            for late in &self.undelivered {
                let document = serde_json::to_value(&late.message).unwrap_or_default();
                state.push(&NewMessage {
                    run: Some(&self.run.id),
                    notifier: &late.notifier,
                    document: &document,
                })?;
            }
        }
        Ok(self.deliveries)
    }
}

/// Tells notifiers something that has not happened, to see whether they can be told. A notifier that does not want to hear of
/// such events is left out; nothing is kept for another attempt.
pub fn tell_now(notifiers: &[Notifier], run: &Run, event: &NotifierEvent, interrupt: &Interrupt) -> Vec<Delivery> {
    let mut notifications = Notifications::new(notifiers, run.clone(), interrupt);
    notifications.send(event, &mut |_| {});
    let given_up = notifications.deliveries.into_iter().map(|delivery| Delivery {
        waits: false,
        ..delivery
    });
    given_up.collect()
}

/// Fails when somebody who has to be told could not be.
///
/// # Errors
/// [`Error::NotNotified`], which names the first.
pub(crate) fn expect_told(deliveries: &[Delivery]) -> Result<(), Error> {
    let lost = deliveries
        .iter()
        .find(|delivery| delivery.required && delivery.error.is_some());
    lost.map_or(Ok(()), |lost| {
        let why = lost.error.clone().unwrap_or_default();
        Err(Error::NotNotified(format!(
            "{} to {}: {why}",
            lost.plugin, lost.destination
        )))
    })
}

/// Tells, once, that a run waits for the lock. It is told beside the waiting, so that nobody who answers slowly makes a run
/// miss the moment when the lock is free; and as it means nothing later, it is not kept for another attempt.
#[derive(Default)]
pub(crate) struct Waiting {
    told: bool,
    messages: Vec<(Notifier, JoinHandle<Result<(), PluginError>>)>,
}

/// How long a run that has the lock waits for those whom it tells that it has been waiting.
const SETTLE: Duration = Duration::from_secs(2);

impl Waiting {
    /// Begins to tell everybody who wants to know.
    pub(crate) fn tell(
        &mut self,
        project: &Project,
        listeners: &dyn Fn() -> Vec<Notifier>,
        command: &str,
        holder: Option<&LockHolder>,
    ) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let holder = holder.map_or_else(|| "somebody who cannot be seen".to_owned(), LockHolder::describe);
        let event = NotifierEvent::WaitingForLock { holder };
        let run = project.unrecorded_run(command);
        for notifier in listeners() {
            let (plugin, run, event) = (Arc::clone(&notifier.plugin), run.clone(), event.clone());
            let message = std::thread::spawn(move || {
                let interests = plugin.interests()?;
                if interests.is_empty() || interests.iter().any(|interest| interest == event.tag()) {
                    plugin.notify(&run, &event)?;
                }
                Ok(())
            });
            self.messages.push((notifier, message));
        }
    }

    /// Says what became of it, as far as that is known soon. Only what failed is worth saying.
    pub(crate) fn settle(self, observe: Observer<'_>) {
        let end = Instant::now() + SETTLE;
        for (notifier, message) in self.messages {
            while !message.is_finished() && Instant::now() < end {
                std::thread::sleep(LOOK);
            }
            if message.is_finished()
                && let Ok(Err(error)) = message.join()
            {
                let untold = Untold {
                    message: error.message,
                    retryable: false,
                };
                observe(Event::Notified(delivery(&notifier, "waiting-for-lock", Some(untold))));
            }
        }
    }
}

fn delivery(notifier: &Notifier, event: &str, error: Option<Untold>) -> Delivery {
    Delivery {
        plugin: notifier.plugin.name().to_owned(),
        event: event.to_owned(),
        destination: notifier.destination.clone(),
        waits: error.as_ref().is_some_and(|error| error.retryable),
        error: error.map(|error| error.message),
        required: notifier.required,
    }
}

/// First pause before a message of the outbox is tried again; it doubles with every attempt.
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// A message that failed this often is given up.
const ATTEMPTS: u32 = 8;

/// Sends what waits in the outbox now, due or not. What became of each message.
///
/// # Errors
/// The database cannot be reached, or its state tables cannot be read or written.
pub fn retry(project: &Project) -> Result<Vec<Delivery>, Error> {
    let mut database = Database::connect(&project.target, &ConnectOptions::default())?;
    let mut deliveries = Vec::new();
    let interrupt = &project.settings.execute.interrupt;
    let mut observe = |event| {
        if let Event::Notified(delivery) = event {
            deliveries.push(delivery);
        }
    };
    send_again_until(
        &project.notifiers,
        &mut database,
        interrupt,
        Timestamp::MAX,
        &mut observe,
    )?;
    Ok(deliveries)
}

/// Sends again what waits in the outbox and is due. After one message that does not arrive, a notifier's others wait on.
///
/// # Errors
/// The state tables cannot be read or written. That a message fails again is no error.
pub(crate) fn send_again(
    notifiers: &[Notifier],
    database: &mut Database,
    interrupt: &Interrupt,
    observe: Observer<'_>,
) -> Result<(), DatabaseError> {
    send_again_until(notifiers, database, interrupt, Timestamp::now(), observe)
}

/// The same with what is due at a moment.
fn send_again_until(
    notifiers: &[Notifier],
    database: &mut Database,
    interrupt: &Interrupt,
    until: Timestamp,
    observe: Observer<'_>,
) -> Result<(), DatabaseError> {
    let Some(mut state) = database.read_state()? else {
        return Ok(());
    };
    let mut unreachable: Vec<&str> = Vec::new();
    let mut patience = Patience::new(interrupt);
    for waiting in state.due(until)? {
        if interrupt.asked() > 0 {
            break;
        }
        // The notifier may have been taken out of the configuration; its messages wait until it is back.
        let Some(notifier) = notifiers
            .iter()
            .find(|notifier| notifier.plugin.name() == waiting.notifier)
        else {
            continue;
        };
        if unreachable.contains(&notifier.plugin.name()) {
            continue;
        }
        let Ok(message) = serde_json::from_value::<Message>(waiting.document) else {
            state.failed(&waiting.id, "the message cannot be read", None)?;
            continue;
        };
        let error = patience.tell(&notifier.plugin, &message.run, &message.event).err();
        match &error {
            None => state.done(&waiting.id)?,
            Some(error) => {
                if error.retryable {
                    unreachable.push(notifier.plugin.name());
                }
                let again = error.retryable && waiting.attempts + 1 < ATTEMPTS;
                let pause = RETRY_AFTER * 2_u32.saturating_pow(waiting.attempts.min(ATTEMPTS));
                let retry_at = again.then(|| Timestamp::now() + pause);
                state.failed(&waiting.id, &error.message, retry_at)?;
            }
        }
        observe(Event::Notified(delivery(notifier, message.event.tag(), error)));
    }
    Ok(())
}
