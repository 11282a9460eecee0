//! Each limit, obeyed and violated.

use tollgate_host::{FailureKind, Limits};

use crate::support::{ask, policy_with, shown};

/// Whether the guest gets through with these limits, and if not, how it fails.
fn fails(mode: &str, change: impl Fn(&mut Limits)) -> Option<FailureKind> {
    policy_with(mode, change)
        .and_then(|plugin| ask(&plugin))
        .err()
        .map(|error| error.kind)
}

#[test]
fn the_fuel_a_call_needs_is_always_the_same() {
    let needed = || {
        let (mut low, mut high) = (0_u64, 10_000_000_u64);
        while low < high {
            let middle = low.midpoint(high);
            match fails("count", |limits| limits.fuel = middle) {
                None => high = middle,
                Some(FailureKind::OutOfFuel) => low = middle + 1,
                Some(other) => panic!("{other}"),
            }
        }
        low
    };
    let first = needed();
    assert!(first > 1_000 && first < 1_000_000, "{first}");
    assert_eq!(needed(), first);
}

#[test]
fn memory() {
    assert_eq!(fails("count", |limits| limits.memory_bytes = 4 << 20), None);
    assert_eq!(
        fails("memory-bomb", |limits| limits.memory_bytes = 4 << 20),
        Some(FailureKind::OutOfMemory)
    );
    let error = policy_with("count", |limits| limits.memory_bytes = 1 << 16).unwrap_err();
    insta::assert_snapshot!(shown(&error), @r#"
    plugin `misbehave` failed (out-of-memory): wanted more than 64 KiB of memory
        help: If the plugin is sound, give it a higher `memory_mib` under `limits` in its configuration.
    "#);
}

#[test]
fn tables_and_instances() {
    assert_eq!(fails("count", |limits| limits.table_entries = 1_000), None);
    assert_eq!(
        fails("count", |limits| limits.table_entries = 1),
        Some(FailureKind::OutOfMemory)
    );
    assert_eq!(fails("count", |limits| limits.instances = 10), None);
    assert_eq!(
        fails("count", |limits| limits.instances = 0),
        Some(FailureKind::OutOfMemory)
    );
}

#[test]
fn the_clock() {
    assert_eq!(fails("count", |limits| limits.deadline_ms = 10_000), None);
    assert_eq!(
        fails("ask-for-ever", |limits| limits.deadline_ms = 50),
        Some(FailureKind::TimedOut)
    );
}

#[test]
fn what_is_handed_over() {
    let invalid = Some(FailureKind::InvalidOutput);
    assert_eq!(fails("most-findings", |limits| limits.output_bytes = 8 << 20), None);
    assert_eq!(fails("most-findings", |limits| limits.output_bytes = 1 << 20), invalid);
    assert_eq!(fails("other-rule", |limits| limits.findings = 2), None);
    assert_eq!(fails("other-rule", |limits| limits.findings = 1), invalid);
    assert_eq!(fails("long-message", |limits| limits.message_bytes = 16 << 10), None);
    assert_eq!(
        fails("long-message", |limits| limits.message_bytes = (16 << 10) - 1),
        invalid
    );
    assert_eq!(fails("many-labels", |limits| limits.finding_parts = 101), None);
    assert_eq!(fails("many-labels", |limits| limits.finding_parts = 100), invalid);
}
