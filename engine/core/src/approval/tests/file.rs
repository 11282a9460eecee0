//! The file: what people write into it stays, and what is wrong with it is said with its place.

use super::*;

const HAND: &str = r#"# Our approvals.

# Two people looked at this.
[[approval]]
migration = "4_drop"
rule = "destructive/drop-table"
statement = 2
sql = "DROP TABLE b"
level = "high" # for now
reason = "meant"
by = "bob@example.org"
at = 2026-09-01T12:00:00Z
until = 2026-12-01
checksum = "7ef6b21d6f6b4e3c8f2bd6b3a1ae3bbd1fd3b7a2ad1bb4c3bd6c6a4f1a1e3f2a"
digest = "7ef6b21d6f6b4e3c8f2bd6b3a1ae3bbd1fd3b7a2ad1bb4c3bd6c6a4f1a1e3f2a"

# That is all.
"#;

#[test]
fn what_people_write_by_hand_stays() {
    let mut file = ApprovalFile::parse(HAND).unwrap();
    assert_eq!(file.text(), HAND);
    let until = file.approvals().next().unwrap().until.unwrap();
    assert_eq!(until.to_string(), "2026-12-02T00:00:00Z", "the end of that day");
    let fixture = Fixture::new("3_more", TEXT);
    assert!(!file.add(fixture.approve("drop-table", Some(2), Severity::High)));
    let text = file.text();
    let (head, rest) = HAND.split_once("# Two").unwrap();
    assert!(
        text.starts_with(&format!("{head}[[approval]]\nmigration = \"3_more\"\n")),
        "{text}"
    );
    assert!(text.ends_with(&format!("\n# Two{rest}")), "{text}");

    assert_eq!(file.remove(|approval| approval.migration == "3_more").len(), 1);
    assert_eq!(file.text(), HAND);
    assert_eq!(file.remove(|_| true).len(), 1);
    assert!(!file.is_empty(), "somebody's comments are left");
    assert_eq!(file.text(), "# Our approvals.\n\n\n# That is all.\n");
}

#[test]
fn a_second_approval_of_the_same_by_the_same_person_takes_the_place_of_the_first() {
    let fixture = Fixture::new("4_drop", TEXT);
    let mut file = ApprovalFile::default();
    let mut approval = fixture.approve("drop-table", Some(2), Severity::Medium);
    assert!(!file.add(approval.clone()));
    approval.level = Severity::High;
    assert!(file.add(approval.clone()));
    approval.by = "bob@example.org".to_owned();
    assert!(!file.add(approval));
    assert_eq!(file.approvals().count(), 2);
    file.remove(|_| true);
    assert!(file.is_empty());
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let edited = |from: &str, to: &str| HAND.replacen(from, to, 1);
    for (text, message, place) in [
        (
            "[[approval]\n".to_owned(),
            "it is not valid TOML: unclosed array table, expected `]`",
            None,
        ),
        (
            "approvals = 1\n".to_owned(),
            "unknown key `approvals`: every approval is a table [[approval]]",
            Some("approvals"),
        ),
        (
            "[approval]\n".to_owned(),
            "every approval is a table [[approval]]",
            None,
        ),
        (
            edited("reason =", "reson ="),
            "unknown key `reson` of an approval; did you mean `reason`?",
            Some("reson"),
        ),
        (edited("reason = \"meant\"\n", ""), "an approval needs `reason`", None),
        (
            edited("\"meant\"", "\" \""),
            "`reason` of an approval must be a text that is not empty and has no control characters",
            Some("\" \""),
        ),
        (
            edited("destructive/", ""),
            "`rule` of an approval must be PLUGIN/RULE, for example \"destructive/drop-table\"",
            Some("\"drop-table\""),
        ),
        (
            edited("statement = 2", "statement = 0"),
            "`statement` of an approval must be the number of a statement, counted from 1",
            Some("0"),
        ),
        (edited("statement = 2\n", ""), "an approval needs `statement`", None),
        (
            edited("\"high\"", "\"fatal\""),
            "`level` of an approval must be \"low\", \"medium\" or \"high\"",
            Some("\"fatal\""),
        ),
        (
            edited("12:00:00Z", "12:00:00"),
            "`at` of an approval must be a time with its zone, for example 2026-12-01T12:00:00Z",
            Some("2026-09-01T12:00:00"),
        ),
        (
            edited("\"7ef6b21d", "\"7EF6B21D"),
            "`checksum` of an approval must be a SHA-256: 64 hexadecimal digits in small letters",
            None,
        ),
        (
            edited("level", "environments = []\nlevel"),
            "`environments` of an approval must be a list with names of environments",
            Some("[]"),
        ),
    ] {
        let error = ApprovalFile::parse(&text).unwrap_err();
        assert_eq!(error.message, message);
        if let Some(place) = place {
            assert_eq!(&text[error.span], place, "{message}");
        }
    }
}

#[test]
fn what_stands_in_it_does_nothing_to_a_terminal() {
    let edited = |from: &str, to: &str| ApprovalFile::parse(&HAND.replacen(from, to, 1));
    for (from, to) in [
        ("bob@", "bob\\u001b[2J@"),
        ("bob@", "bob\\n@"),
        ("\"meant\"", "\"meant\\u0007\""),
        ("\"4_drop\"", "\"4_\\u001bdrop\""),
        ("level =", "environments = [\"\\u001b[2J\"]\nlevel ="),
    ] {
        assert!(edited(from, to).is_err(), "{to}");
    }
    assert!(edited("\"meant\"", "\"\"\"meant\nas agreed\"\"\"").is_ok());
    let text = "INSERT INTO a VALUES ('\u{1b}[2J');\nDROP TABLE b";
    let approval = Fixture::new("4_drop", text).approve("drop-table", Some(1), Severity::High);
    assert_eq!(
        approval.statement.as_ref().unwrap().sql,
        "INSERT INTO a VALUES (' [2J')"
    );
    let mut file = ApprovalFile::default();
    file.add(approval.clone());
    assert_eq!(
        ApprovalFile::parse(&file.text()).unwrap().approvals().next(),
        Some(&approval)
    );
}

#[test]
fn a_new_file_says_what_it_is() {
    let mut file = ApprovalFile::parse("\n").unwrap();
    let mut approval = Fixture::new("4_drop", "DROP TABLE b;").approve("drop-table", Some(1), Severity::High);
    approval.environments = vec!["production".to_owned()];
    file.add(approval);
    let digest = checksum(b"DROP TABLE b");
    let sum = checksum(b"DROP TABLE b;");
    assert_eq!(
        file.text(),
        format!(
            "# Findings that somebody has looked at and approved: `tollgate approve` writes them.\n\
             # A change of this file lets something into a database: have it reviewed by those who may approve.\n\n\
             [[approval]]\nmigration = \"4_drop\"\nrule = \"destructive/drop-table\"\nstatement = 1\n\
             sql = \"DROP TABLE b\"\nlevel = \"high\"\nreason = \"meant\"\nby = \"alice@example.org\"\n\
             at = 2026-09-01T12:00:00Z\nenvironments = [\"production\"]\nchecksum = \"{sum}\"\ndigest = \"{digest}\"\n"
        )
    );
}
