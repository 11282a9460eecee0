//! Work that the operating system or a library may never come back from.

use std::sync::mpsc;
use std::time::Duration;

/// Does `work` on a thread of its own. `None`: it was not done in time; the thread is left to itself, and ends with the
/// work or with the process.
pub(super) fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more: too late.
        let _ = send.send(work());
    });
    receive.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_left_behind() {
        let (keep, wait) = mpsc::channel::<()>();
        let hangs = move || {
            let _ = wait.recv();
        };
        assert_eq!(within(Duration::from_millis(10), hangs), None);
        drop(keep);
        assert_eq!(within(Duration::from_mins(1), || 7), Some(7));
    }
}
