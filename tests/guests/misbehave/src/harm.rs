//! What a policy must not do.

use std::hint::black_box;

use crate::finding;
use crate::tollgate::plugin::catalog::Snapshot;
use crate::tollgate::plugin::log;
use crate::tollgate::plugin::types::{
    Applicability, Edit, Failure, Finding, Label, ObjectKind, ObjectName, Span, Suggestion,
};

pub fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_mul(3).wrapping_add(1));
    }
}

/// Costs next to no fuel and a lot of time: the work is the host's.
pub fn ask_for_ever(snapshot: &Snapshot) -> ! {
    let name = ObjectName { schema: None, name: "x".repeat(1 << 16) };
    loop {
        black_box(snapshot.resolve(ObjectKind::Table, &name));
    }
}

pub fn eat_memory() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

#[inline(never)]
pub fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return depth;
    }
    // The result is used after the call, so that no compiler makes a loop of it.
    black_box(recurse(black_box(depth + 1))) + depth
}

#[inline(never)]
pub fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

pub fn say_and_panic() -> ! {
    std::panic::set_hook(Box::new(|info| {
        log::emit(log::Level::Error, &info.to_string(), &[]);
    }));
    panic!("the sky is falling");
}

pub fn flood_the_log() -> Result<Vec<Finding>, Failure> {
    for number in 0..5_000 {
        log::emit(log::Level::Info, &format!("line {number}"), &[]);
    }
    Ok(Vec::new())
}

/// Findings that break the contract, each in its way. `é` in the script is what gets cut in half.
pub fn findings(mode: &str, text: &str) -> Result<Vec<Finding>, Failure> {
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let inside = text.find('é').and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(0);
    let span = |start, end| Some(Span { start, end });
    let seen = || finding("seen", "seen");
    let suggestion = |edits: Vec<(u32, u32)>| Suggestion {
        title: "mend it".to_owned(),
        edits: edits
            .into_iter()
            .map(|(start, end)| Edit { at: Span { start, end }, text: String::new() })
            .collect(),
        applicability: Applicability::Automatic,
    };
    Ok(match mode {
        "unknown-rule" => vec![finding("made-up", "of a rule nobody knows")],
        "other-rule" => vec![finding("seen", "kept"), finding("other", "of a rule that may be off")],
        "no-such-statement" => vec![Finding { statement: Some(99), ..seen() }],
        "beyond-the-text" => vec![Finding { at: span(0, end + 1), ..seen() }],
        "up-to-the-end" => vec![Finding { at: span(end, end), ..seen() }],
        "backwards" => vec![Finding { at: span(5, 4), ..seen() }],
        "inside-a-character" => vec![Finding { at: span(0, inside), ..seen() }],
        "label-beyond-the-text" => {
            let label = Label { at: Span { start: end, end: end + 10 }, text: "here".to_owned() };
            vec![seen(), Finding { labels: vec![label], ..seen() }]
        }
        "overlapping-edits" => vec![Finding { suggestions: vec![suggestion(vec![(3, 6), (0, 4)])], ..seen() }],
        "neighbouring-edits" => vec![Finding { suggestions: vec![suggestion(vec![(3, 6), (0, 3)])], ..seen() }],
        "no-message" => vec![finding("seen", " \u{7} ")],
        "escape-codes" => vec![finding("seen", "\u{1b}[2Jall is well\u{202e}")],
        "million-findings" => vec![finding("seen", "m"); 1_000_000],
        "too-many-findings" => vec![finding("seen", "m"); 10_001],
        "most-findings" => vec![finding("seen", "m"); 10_000],
        "huge-message" => vec![finding("seen", &"m".repeat(17 << 10))],
        "long-message" => vec![finding("seen", &"m".repeat(16 << 10))],
        "enormous-message" => vec![finding("seen", &"m".repeat(40 << 20))],
        "many-labels" => {
            let label = Label { at: Span { start: 0, end: 1 }, text: "here".to_owned() };
            vec![Finding { labels: vec![label; 101], ..seen() }]
        }
        mode => return Err(Failure { message: format!("no mode `{mode}`"), retryable: false }),
    })
}
