//! A progress bar that quick runs never see.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A run has to take this long before a bar appears.
const PATIENCE: Duration = Duration::from_millis(700);

/// The bar, or nothing.
pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    /// A bar of `steps` steps, or nothing where it is not `shown`.
    pub fn new(shown: bool, steps: usize) -> Self {
        let bar = shown.then(|| {
            let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self {
            bar,
            started: Instant::now(),
        }
    }

    /// What is being worked on.
    pub fn on(&self, what: &str) {
        if let Some(bar) = &self.bar {
            if bar.is_hidden() && self.started.elapsed() >= PATIENCE {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_message(what.to_owned());
        }
    }

    /// One step is done.
    pub fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Runs `print` with the bar out of the way.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
