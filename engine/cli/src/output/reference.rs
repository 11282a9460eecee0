//! The reference of rules under `docs/rules/`, made from what the bundled policies say about themselves.

use std::fmt::Write as _;

use tollgate_engine::host::types::{Description, Rule};

use crate::engine::findings::severity;

/// The table of all rules.
pub fn index(policies: &[Description]) -> String {
    let mut text = String::from(
        "# Rules\n\nWhat the policies that come with Tollgate report. Made from the policies themselves; `tollgate explain RULE` prints the \
         same for one rule, those of your own plugins included.\n",
    );
    for policy in policies {
        let _ = write!(
            text,
            "\n## {name}\n\n{summary}.\n\n| rule | level | on | what it reports |\n| --- | --- | --- | --- |\n",
            name = policy.name,
            summary = policy.summary,
        );
        for rule in &policy.rules {
            let _ = writeln!(
                text,
                "| [{id}]({policy}.md#{id}) | {level} | {on} | {summary} |",
                id = rule.id,
                policy = policy.name,
                level = severity(rule.default_severity),
                on = if rule.enabled_by_default { "yes" } else { "no" },
                summary = rule.summary.replace('|', "\\|"),
            );
        }
    }
    text
}

/// The page of one policy.
pub fn page(policy: &Description) -> String {
    let mut text = format!("# Rules of {}\n\n{}.\n", policy.name, policy.summary);
    for rule in &policy.rules {
        text.push_str(&section(rule));
    }
    text
}

fn section(rule: &Rule) -> String {
    let on = if rule.enabled_by_default {
        ""
    } else {
        ", off unless switched on"
    };
    let mut text = format!(
        "\n## {}\n\n{} ({}{on})\n\n{}\n",
        rule.id,
        rule.summary,
        severity(rule.default_severity),
        rule.explanation.trim()
    );
    for (title, example) in [("Reported", &rule.bad_example), ("Not reported", &rule.good_example)] {
        if let Some(example) = example {
            let _ = write!(text, "\n{title}:\n\n```sql\n{}\n```\n", example.trim_end());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

    use std::path::Path;

    use tollgate_engine::bundled;
    use tollgate_engine::host::{Host, HostOptions, Kind};

    use super::*;

    /// The committed reference. `TOLLGATE_UPDATE_DOCS=1 cargo test -p tollgate` writes it anew.
    #[test]
    fn the_reference_says_what_the_policies_say() {
        let host = Host::new(HostOptions::default()).unwrap();
        let described = bundled::BUNDLED.iter().map(|(_, bytes)| host.describe(bytes).unwrap());
        let bundled = described
            .filter(|(kind, _)| *kind == Kind::Policy)
            .map(|(_, description)| description);
        // The engine's own rules come last.
        let policies: Vec<Description> = bundled.chain([tollgate_engine::rules::description()]).collect();
        compare("README.md", &index(&policies));
        for policy in &policies {
            compare(&format!("{}.md", policy.name), &page(policy));
        }
    }

    fn compare(name: &str, text: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules");
        let path = folder.join(name);
        if std::env::var_os("TOLLGATE_UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "docs/rules/{name} differs: run TOLLGATE_UPDATE_DOCS=1 cargo test -p tollgate"
        );
    }
}
