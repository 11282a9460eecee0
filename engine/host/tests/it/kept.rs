//! Instances that are kept: which, for how long, and that no question learns anything of another.

use serde_json::json;
use tollgate_host::{FailureKind, Limits, Plugin, PluginError};
use tollgate_sql::Dialect;

use crate::support::{call, host, logging_host, messages, policy_with, request, shown};

fn plugin(change: impl FnOnce(&mut Limits)) -> Plugin {
    policy_with("obey", change).unwrap()
}

/// Has the guest do something; it says which question to its instance this was.
fn order(plugin: &Plugin, order: &str) -> Result<String, PluginError> {
    about(plugin, order, "CREATE TABLE u (b text);")
}

/// The same with other migrations before.
fn about(plugin: &Plugin, order: &str, earlier: &str) -> Result<String, PluginError> {
    let question = call(
        Dialect::Sqlite,
        earlier,
        &format!("-- {order}\nCREATE TABLE t (a integer);\n"),
    );
    plugin.check(&question).map(|findings| messages(&findings))
}

#[test]
fn an_instance_is_asked_again_and_again_but_not_for_ever() {
    let plugin = plugin(|_| {});
    for number in 1..=1_000 {
        assert_eq!(order(&plugin, "answer").unwrap(), format!("question {number}"));
    }
    assert_eq!(order(&plugin, "answer").unwrap(), "question 1");
}

#[test]
fn one_that_cannot_do_its_job_has_answered_all_the_same() {
    let plugin = plugin(|_| {});
    let error = order(&plugin, "refuse").unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (FailureKind::Failed, "question 1")
    );
    assert_eq!(order(&plugin, "answer").unwrap(), "question 2");
}

#[test]
fn one_that_broke_off_or_lied_is_asked_nothing_more() {
    let plugin = plugin(|limits| limits.fuel = 50_000_000);
    let cases = [
        ("trap", FailureKind::Trapped),
        ("overflow", FailureKind::Trapped),
        ("spin", FailureKind::OutOfFuel),
        ("use 200", FailureKind::OutOfMemory),
        ("point", FailureKind::InvalidOutput),
    ];
    for (odd, kind) in cases {
        assert_eq!(order(&plugin, "answer").unwrap(), "question 1", "before {odd}");
        assert_eq!(order(&plugin, "answer").unwrap(), "question 2", "before {odd}");
        assert_eq!(order(&plugin, odd).unwrap_err().kind, kind, "{odd}");
    }
    assert_eq!(order(&plugin, "answer").unwrap(), "question 1");
}

#[test]
fn no_failure_comes_of_earlier_questions() {
    let plugin = plugin(|_| {});
    for _ in 0..3 {
        assert_eq!(order(&plugin, "answer").unwrap(), "question 1");
        // The instance traps at its second question, so a fresh one is asked.
        assert_eq!(order(&plugin, "tire").unwrap(), "question 1");
        assert_eq!(order(&plugin, "trap").unwrap_err().kind, FailureKind::Trapped);
    }
}

#[test]
fn one_that_was_refused_a_capability_is_asked_nothing_more() {
    let plugin = plugin(|_| {});
    assert_eq!(order(&plugin, "count").unwrap(), "question 1: Err(ProbeError::Denied)");
    assert_eq!(order(&plugin, "answer").unwrap(), "question 1");
    // It failed for a reason of its own; nothing was refused in this question.
    let error = order(&plugin, "refuse").unwrap_err();
    insta::assert_snapshot!(shown(&error), @"plugin `misbehave` failed (failed): question 2");
}

#[test]
fn memory_that_is_never_given_back_costs_no_later_question_its_answer() {
    let plugin = plugin(|limits| limits.memory_bytes = 32 << 20);
    let mut fresh = 0;
    for _ in 0..100 {
        fresh += usize::from(order(&plugin, "keep 3").unwrap() == "question 1");
    }
    assert!((10..=50).contains(&fresh), "{fresh} instances for 100 questions");
}

#[test]
fn a_question_that_needs_nearly_all_memory_gets_it() {
    let plugin = plugin(|limits| limits.memory_bytes = 32 << 20);
    assert_eq!(order(&plugin, "keep 6").unwrap(), "question 1");
    // It does not fit besides what is kept already, so a fresh instance is asked.
    assert_eq!(order(&plugin, "use 28").unwrap(), "question 1");
    // And that one has grown too large to be asked again.
    assert_eq!(order(&plugin, "answer").unwrap(), "question 1");
    assert_eq!(order(&plugin, "use 40").unwrap_err().kind, FailureKind::OutOfMemory);
}

/// The least fuel with which a question is answered, and `earlier` equal ones before it.
fn needed(earlier: usize) -> u64 {
    let answered = |fuel: u64| {
        policy_with("obey", |limits| limits.fuel = fuel)
            .is_ok_and(|plugin| (0..=earlier).all(|_| order(&plugin, "log 100").is_ok()))
    };
    let (mut low, mut high) = (0_u64, 10_000_000_u64);
    while low < high {
        let middle = low.midpoint(high);
        if answered(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[test]
fn each_question_has_all_of_the_fuel() {
    let first = needed(0);
    // What is free in the guest's memory differs, and with it what its allocator has to do; nothing else does.
    let later = needed(20);
    assert!(later <= first + first / 10, "{later} and {first}");
}

#[test]
fn what_was_logged_for_one_question_is_not_counted_for_the_next() {
    let (host, lines) = logging_host();
    let mut request = request("misbehave", json!({ "mode": "obey" }));
    request.limits = Some(Limits {
        log_lines: 3,
        ..Limits::default()
    });
    let plugin = host.load(&request).unwrap();
    for log in ["log 2", "log 5", "log 3"] {
        order(&plugin, log).unwrap();
    }
    let lines: Vec<_> = lines.lock().unwrap().iter().map(|line| line.message.clone()).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    line 0 of question 1
    line 1 of question 1
    line 0 of question 2
    line 1 of question 2
    line 2 of question 2
    2 more log lines dropped (at most 3 a call)
    line 0 of question 3
    line 1 of question 3
    line 2 of question 3
    ");
}

#[test]
fn a_handle_is_worth_nothing_when_its_question_has_been_answered() {
    let plugin = plugin(|_| {});
    let earlier = |table: &str| format!("CREATE TABLE {table} (b text);");
    assert_eq!(about(&plugin, "remember", &earlier("first")).unwrap(), "question 1");
    // The number has been given out again, for a handle of this question: nothing of the first shows.
    let seen = about(&plugin, "remembered", &earlier("second")).unwrap();
    assert!(
        seen.starts_with("question 2: ") && seen.contains("second") && !seen.contains("first"),
        "{seen}"
    );
    // A number that was not ends the call.
    let error = about(&plugin, "forgotten", &earlier("third")).unwrap_err();
    insta::assert_snapshot!(shown(&error), @"plugin `misbehave` failed (invalid-output): returned malformed data: unknown handle index 100");
    assert_eq!(order(&plugin, "answer").unwrap(), "question 1");
}

#[test]
fn each_question_is_about_its_own_migration() {
    let plugin = host().load(&request("misbehave", json!({ "mode": "names" }))).unwrap();
    let ask = |earlier: &str| messages(&plugin.check(&call(Dialect::Sqlite, earlier, "SELECT 1;")).unwrap());
    let (one, other) = (
        ask("CREATE TABLE one (a integer);"),
        ask("CREATE TABLE other (a integer, b integer);"),
    );
    assert!(one.contains("\"one\"") && !one.contains("\"other\""), "{one}");
    assert!(other.contains("\"other\"") && !other.contains("\"one\""), "{other}");
    assert_eq!(ask("CREATE TABLE one (a integer);"), one);
}

#[test]
fn threads_never_share_an_instance() {
    let plugin = plugin(|_| {});
    let (threads, questions) = (6, 50);
    let mut numbers: Vec<u32> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let answers = (0..questions).map(|_| order(&plugin, "answer").unwrap());
                    answers
                        .map(|answer| answer.trim_start_matches("question ").parse().unwrap())
                        .collect::<Vec<u32>>()
                })
            })
            .collect();
        asking.into_iter().flat_map(|asked| asked.join().unwrap()).collect()
    });
    // Every instance has counted from one without a gap: there are never more of a number than of the one before.
    numbers.sort_unstable();
    let counts: Vec<usize> = numbers.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    assert!(counts.is_sorted_by(|earlier, later| earlier >= later), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), threads * questions);
}
