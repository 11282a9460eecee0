//! What an instance keeps from one question to the next, and what it does when the question says so.

use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::finding;
use crate::harm;
use crate::tollgate::plugin::catalog::Snapshot;
use crate::tollgate::plugin::log;
use crate::tollgate::plugin::types::{Failure, Finding};

static QUESTIONS: AtomicU32 = AtomicU32::new(0);
static HANDLE: AtomicU32 = AtomicU32::new(0);

/// Says which question to this instance it was, after doing what the first line of the script says: `-- keep 8`.
pub fn obey(text: &str, before: &Snapshot, after: &Snapshot) -> Result<Vec<Finding>, Failure> {
    let question = QUESTIONS.fetch_add(1, Ordering::Relaxed) + 1;
    let words: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().skip(1).collect();
    let number = |word: &str| word.parse::<usize>().unwrap_or_default();
    let mut said = format!("question {question}");
    match words.as_slice() {
        // Memory that is never given back, and memory that is, in MiB.
        ["keep", size] => std::mem::forget(black_box(vec![1_u8; number(size) << 20])),
        ["use", size] => drop(black_box(vec![1_u8; number(size) << 20])),
        ["trap"] => harm::trap(),
        ["tire"] if question > 1 => harm::trap(),
        ["spin"] => harm::spin(),
        ["overflow"] => {
            black_box(harm::recurse(1));
        }
        ["point"] => return harm::findings("beyond-the-text", text),
        ["refuse"] => return Err(Failure { message: said, retryable: false }),
        ["count"] => {
            let rows = before.count_rows(&before.relations()[0], 1);
            said = format!("{said}: {rows:?}");
        }
        ["log", lines] => {
            for line in 0..number(lines) {
                log::emit(log::Level::Info, &format!("line {line} of question {question}"), &[]);
            }
        }
        // The number of a handle that is valid now. It will not be later, whatever it means then.
        ["remember"] => HANDLE.store(after.handle(), Ordering::Relaxed),
        ["forgotten"] => {
            // So far behind the remembered number that no handle of now goes by it.
            let handle = ManuallyDrop::new(unsafe { Snapshot::from_handle(HANDLE.load(Ordering::Relaxed) + 100) });
            said = format!("{said}: {:?}", handle.relations());
        }
        ["remembered"] => {
            let handle = ManuallyDrop::new(unsafe { Snapshot::from_handle(HANDLE.load(Ordering::Relaxed)) });
            said = format!("{said}: {:?}", handle.relations());
        }
        _ => {}
    }
    Ok(vec![finding("seen", &said)])
}
