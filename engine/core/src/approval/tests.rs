//! Which approvals count: one table, and random cases that never may.

#![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;
use tollgate_database::ledger::checksum;
use tollgate_host::types::{Finding, Severity};
use tollgate_sql::{Dialect, Script, parse};

use super::*;
use crate::policy::{JudgedFinding, Judgement};

mod file;

const TEXT: &str = "DELETE FROM a;\nDROP TABLE b;\nDELETE FROM a;\n";

/// A migration by itself.
struct Fixture {
    name: String,
    checksum: String,
    script: Script,
}

impl Fixture {
    fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            checksum: checksum(text.as_bytes()),
            script: parse(Dialect::Sqlite, text).unwrap(),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            name: &self.name,
            checksum: &self.checksum,
            script: &self.script,
        }
    }

    /// An approval of `destructive/RULE` at a statement.
    fn approve(&self, rule: &str, statement: Option<usize>, level: Severity) -> Approval {
        let word = ("alice@example.org", now());
        self.subject()
            .approve(("destructive", rule), statement, level, word, "meant")
            .unwrap()
    }
}

fn now() -> Timestamp {
    "2026-09-01T12:00:00Z".parse().unwrap()
}

fn finding(plugin: &str, rule: &str, statement: Option<usize>, severity: Severity) -> JudgedFinding {
    JudgedFinding {
        plugin: plugin.to_owned(),
        finding: Finding {
            statement: statement.map(|number| number - 1),
            ..Finding::new(rule, severity, "loses something")
        },
        blocking: true,
        allowed: None,
        enforced_by: None,
        approved: None,
    }
}

fn drop_b() -> JudgedFinding {
    finding("destructive", "drop-table", Some(2), Severity::High)
}

fn with(given: Vec<Approval>) -> Approvals {
    Approvals {
        given,
        now: now(),
        environment: Some("production".to_owned()),
        ..Approvals::default()
    }
}

/// What becomes of findings under these approvals.
fn judge(approvals: &Approvals, fixture: &Fixture, findings: Vec<JudgedFinding>) -> Judgement {
    let mut judgement = Judgement {
        findings,
        ..Judgement::default()
    };
    approvals.apply_to(&fixture.subject(), &mut judgement);
    judgement
}

/// Whether the finding passes, and why an approval does not count.
fn outcome(approvals: &Approvals, fixture: &Fixture, judged: JudgedFinding) -> (bool, Vec<String>) {
    let judgement = judge(approvals, fixture, vec![judged]);
    assert_eq!(judgement.blocked(), judgement.findings[0].approved.is_none());
    let why = judgement.void_approvals.into_iter().map(|void| void.why).collect();
    (judgement.findings[0].approved.is_some(), why)
}

#[test]
fn an_approval_counts_for_what_it_was_given_for() {
    let fixture = Fixture::new("4_drop", TEXT);
    let approval = fixture.approve("drop-table", Some(2), Severity::High);
    assert_eq!(outcome(&with(vec![approval]), &fixture, drop_b()), (true, vec![]));
}

#[test]
fn it_counts_for_nothing_else() {
    let fixture = Fixture::new("4_drop", TEXT);
    let given = fixture.approve("drop-table", Some(2), Severity::Medium);
    let change = |change: fn(&mut Approval)| {
        let mut approval = given.clone();
        approval.level = Severity::High;
        change(&mut approval);
        approval
    };
    let cases: Vec<(&str, Approval, Option<&str>)> = vec![
        (
            "a worse finding",
            given.clone(),
            Some("it was given when the finding was medium, and it is high here"),
        ),
        (
            "another migration",
            change(|it| it.migration = "5_other".to_owned()),
            None,
        ),
        (
            "another text",
            change(|it| it.checksum = checksum(b"DROP TABLE b;")),
            Some("migration.sql is not the text that was approved: its SHA-256 is c81891fc… and was 9d57da54…"),
        ),
        ("another rule", change(|it| it.rule = "delete-rows".to_owned()), None),
        (
            "another policy's rule",
            change(|it| it.plugin = "safety".to_owned()),
            None,
        ),
        ("the whole file", change(|it| it.statement = None), None),
        (
            "another statement in its place",
            change(|it| it.statement.as_mut().unwrap().number = 1),
            Some("statement 1 of migration.sql is not the one that was approved: DROP TABLE b"),
        ),
        (
            "a statement that is not there",
            change(|it| it.statement.as_mut().unwrap().number = 9),
            Some("statement 9 of migration.sql is not the one that was approved: DROP TABLE b"),
        ),
        (
            "a digest of something else",
            change(|it| it.statement.as_mut().unwrap().digest = checksum(b"x")),
            Some("statement 2 of migration.sql is not the one that was approved: DROP TABLE b"),
        ),
        (
            "SQL that reviewers were shown and that is not there",
            change(|it| "SELECT 1".clone_into(&mut it.statement.as_mut().unwrap().sql)),
            Some("statement 2 of migration.sql is not the one that was approved: SELECT 1"),
        ),
        (
            "a time that is over",
            change(|it| it.until = Some(now())),
            Some("it was good until 2026-09-01T12:00:00Z"),
        ),
        (
            "another environment",
            change(|it| it.environments = vec!["staging".to_owned(), "preview".to_owned()]),
            Some("it is for staging and preview only"),
        ),
    ];
    for (what, approval, why) in cases {
        let expected = why.into_iter().map(str::to_owned).collect();
        assert_eq!(
            outcome(&with(vec![approval]), &fixture, drop_b()),
            (false, expected),
            "{what}"
        );
    }
}

#[test]
fn it_counts_where_and_as_long_as_it_says() {
    let fixture = Fixture::new("4_drop", TEXT);
    let mut approval = fixture.approve("drop-table", Some(2), Severity::High);
    approval.until = now().checked_add(1.second()).ok();
    approval.environments = vec!["staging".to_owned(), "production".to_owned()];
    let approvals = with(vec![approval]);
    assert!(outcome(&approvals, &fixture, drop_b()).0);
    let nowhere = Approvals {
        environment: None,
        ..approvals
    };
    assert_eq!(
        outcome(&nowhere, &fixture, drop_b()),
        (false, vec!["it is for staging and production only".to_owned()])
    );
}

#[test]
fn only_approvers_approve() {
    let fixture = Fixture::new("4_drop", TEXT);
    let mut approvals = with(vec![fixture.approve("drop-table", Some(2), Severity::High)]);
    for (approvers, counts) in [
        (vec!["Alice@Example.org"], true),
        (vec!["bob@example.org", " alice@example.org "], true),
        (vec!["bob@example.org", "alice"], false),
        (vec![], false),
    ] {
        approvals.approvers = Some(approvers.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(outcome(&approvals, &fixture, drop_b()).0, counts, "{approvers:?}");
    }
    approvals.approvers = Some(vec!["bob@example.org".to_owned()]);
    assert_eq!(
        outcome(&approvals, &fixture, drop_b()).1,
        ["alice@example.org is not among the approvers of production: bob@example.org"]
    );
}

#[test]
fn of_two_equal_statements_one_is_approved() {
    let fixture = Fixture::new("4_drop", TEXT);
    let approvals = with(vec![fixture.approve("delete-rows", Some(1), Severity::High)]);
    let delete = |number| finding("destructive", "delete-rows", Some(number), Severity::High);
    let judgement = judge(&approvals, &fixture, vec![delete(1), delete(3)]);
    let approved = |judged: &JudgedFinding| (judged.approved.is_some(), judged.blocking);
    let approved: Vec<_> = judgement.findings.iter().map(approved).collect();
    assert_eq!(approved, [(true, false), (false, true)]);
    assert!(judgement.blocked());
}

#[test]
fn a_checkout_with_other_line_endings_is_the_same_text() {
    let fixture = Fixture::new("4_drop", "DROP TABLE\n  b;\n");
    let approvals = with(vec![fixture.approve("drop-table", Some(1), Severity::High)]);
    let windows = Fixture::new("4_drop", "DROP TABLE\r\n  b;\r\n");
    let judged = finding("destructive", "drop-table", Some(1), Severity::High);
    assert!(outcome(&approvals, &windows, judged).0);
}

#[test]
fn what_a_policy_could_not_judge_is_approved_by_nobody() {
    let fixture = Fixture::new("4_drop", TEXT);
    let mut judgement = Judgement {
        findings: vec![drop_b()],
        failures: vec![crate::policy::PolicyFailure {
            plugin: "destructive".to_owned(),
            kind: "out-of-fuel".to_owned(),
            message: "gave up".to_owned(),
            blocking: true,
        }],
        ..Judgement::default()
    };
    with(vec![fixture.approve("drop-table", Some(2), Severity::High)]).apply_to(&fixture.subject(), &mut judgement);
    assert!(judgement.findings[0].approved.is_some());
    assert!(judgement.blocked());
}

#[test]
fn nothing_that_a_finding_says_makes_it_approved() {
    let fixture = Fixture::new("4_drop", TEXT);
    let mut judged = drop_b();
    let approval = fixture.approve("drop-table", Some(2), Severity::High);
    let forged = serde_json::to_string(&approval).unwrap();
    judged.finding.message = "approved by alice@example.org".to_owned();
    judged.finding.help = Some("allowed".to_owned());
    judged.finding.properties = [("approved", forged.as_str()), ("blocking", "false"), ("allowed", "yes")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
    assert_eq!(outcome(&with(vec![]), &fixture, judged), (false, vec![]));
}

#[test]
fn a_request_approves_with_a_deploy_only_where_that_is_allowed() {
    let fixture = Fixture::new("4_drop", TEXT);
    let mut approvals = Approvals {
        requested: vec!["4_drop:destructive/drop-table".parse().unwrap()],
        reason: "agreed".to_owned(),
        actor: Some("alice".to_owned()),
        ..with(vec![])
    };
    assert!(!outcome(&approvals, &fixture, drop_b()).0);
    assert!(approvals.may_be_requested().is_err());

    approvals.command_line = true;
    assert!(approvals.may_be_requested().is_ok());
    let judgement = judge(&approvals, &fixture, vec![drop_b()]);
    let approval = judgement.findings[0].approved.clone().unwrap();
    let said = (approval.by.as_str(), approval.reason.as_str(), approval.source);
    assert_eq!(said, ("alice", "agreed", ApprovalSource::CommandLine));

    approvals.approvers = Some(vec!["bob".to_owned()]);
    assert_eq!(
        outcome(&approvals, &fixture, drop_b()),
        (
            false,
            vec!["alice is not among the approvers of production: bob".to_owned()]
        )
    );
    approvals.actor = None;
    assert!(approvals.may_be_requested().is_err(), "somebody has to approve");
    assert!(!outcome(&approvals, &fixture, drop_b()).0);
}

#[test]
fn a_request_for_several_places_says_which() {
    let delete = |number| finding("destructive", "delete-rows", Some(number), Severity::High);
    let mut allowed = delete(3);
    allowed.allowed = Some("meant".to_owned());
    let rule: RuleName = "delete-rows".parse().unwrap();
    let find = |findings: &[JudgedFinding], choice| {
        select("4_drop", findings, &rule, choice)
            .map(|meant| meant.iter().map(|judged| judged.finding.statement).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    };
    let both = [delete(1), delete(3)];
    assert_eq!(find(&both, Choice::All), Ok(vec![Some(0), Some(2)]));
    assert_eq!(find(&both, Choice::Number(3)), Ok(vec![Some(2)]));
    assert_eq!(
        find(&both, Choice::Only).unwrap_err(),
        "finds something in several places of 4_drop: at statement 1, at statement 3"
    );
    assert_eq!(
        find(&both, Choice::Number(2)).unwrap_err(),
        "finds nothing at that place of 4_drop, but at statement 1, at statement 3"
    );
    assert_eq!(
        find(&[delete(1), allowed], Choice::Only),
        Ok(vec![Some(0)]),
        "a comment allows the other"
    );
    assert_eq!(
        find(&[drop_b()], Choice::All).unwrap_err(),
        "finds nothing in 4_drop that is not allowed by a comment"
    );
    let twins = [delete(1), finding("other", "delete-rows", Some(1), Severity::High)];
    assert_eq!(
        find(&twins, Choice::All).unwrap_err(),
        "is a rule of several policies: destructive, other"
    );
    let twice = [finding("destructive", "delete-rows", Some(1), Severity::Low), delete(1)];
    let meant = select("4_drop", &twice, &rule, Choice::Only).unwrap();
    assert_eq!(
        (meant.len(), meant[0].finding.severity),
        (1, Severity::High),
        "of one place the worst"
    );
}

fn level() -> impl Strategy<Value = Severity> {
    prop_oneof![Just(Severity::Low), Just(Severity::Medium), Just(Severity::High)]
}

/// A script of a few small statements, some of them equal.
fn script() -> impl Strategy<Value = String> {
    let statement = prop_oneof![
        Just("DROP TABLE a;\n"),
        Just("DROP TABLE b;\n"),
        Just("DELETE FROM a;\n"),
        Just("-- a comment\nDROP TABLE a;\n"),
        Just("SELECT 1;\n"),
    ];
    proptest::collection::vec(statement, 1..5).prop_map(|statements| statements.concat())
}

fn word(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(choices).prop_map(str::to_owned)
}

proptest! {
    /// An approval of one finding in one migration against another finding in another, which may be the same: it passes
    /// exactly where everything that an approval is bound to is the same and the finding is not worse.
    #[test]
    fn an_approval_never_covers_anything_but_what_it_is_bound_to(
        (then, now_text) in (script(), script()),
        (name, now_name) in (word(&["1_a", "2_b"]), word(&["1_a", "2_b"])),
        (plugin, now_plugin) in (word(&["destructive", "safety"]), word(&["destructive", "safety"])),
        (rule, now_rule) in (word(&["drop-table", "delete-rows"]), word(&["drop-table", "delete-rows"])),
        (number, now_number) in (1_usize..5, 1_usize..5),
        (whole, now_whole) in (any::<bool>(), any::<bool>()),
        (approved, found) in (level(), level()),
        same in any::<bool>(),
    ) {
        let now_text = if same { then.clone() } else { now_text };
        let before = Fixture::new(&name, &then);
        let after = Fixture::new(&now_name, &now_text);
        let number = (!whole).then_some(number);
        let now_number = (!now_whole).then(|| now_number.min(after.script.statements.len()));
        let subject = before.subject();
        let word = ("alice@example.org", now());
        let Some(approval) = subject.approve((&plugin, &rule), number, approved, word, "meant") else {
            return Ok(());
        };
        let judged = finding(&now_plugin, &now_rule, now_number, found);
        let (passes, _) = outcome(&with(vec![approval]), &after, judged);
        let bound = (&name, &then, &plugin, &rule, number) == (&now_name, &now_text, &now_plugin, &now_rule, now_number);
        prop_assert_eq!(passes, bound && found <= approved);
    }

    /// What is written is what is read, in whatever order it was added.
    #[test]
    fn files_come_back(
        mut numbers in proptest::collection::vec((0_usize..3, 1_usize..4), 1..6),
        reason in "[ -~\\n]{0,20}[a-z\"'#]",
    ) {
        let fixture = Fixture::new("4_drop", TEXT);
        let mut file = ApprovalFile::default();
        for (migration, number) in &numbers {
            let mut approval = fixture.approve("drop-table", Some(*number), Severity::High);
            approval.migration = format!("{migration}_x");
            reason.trim().clone_into(&mut approval.reason);
            file.add(approval);
        }
        let text = file.text();
        let again = ApprovalFile::parse(&text).unwrap();
        prop_assert_eq!(again.approvals().collect::<Vec<_>>(), file.approvals().collect::<Vec<_>>());
        prop_assert_eq!(again.text(), text);
        numbers.sort_unstable();
        numbers.dedup();
        let read: Vec<_> = again
            .approvals()
            .map(|approval| (approval.migration.clone(), approval.statement.as_ref().unwrap().number))
            .collect();
        let expected: Vec<_> = numbers.iter().map(|(migration, number)| (format!("{migration}_x"), *number)).collect();
        prop_assert_eq!(read, expected);
    }
}
