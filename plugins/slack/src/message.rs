//! The Block Kit message. Limits are Slack's: <https://api.slack.com/reference/block-kit/blocks>.

use serde_json::{Value, json};
use tollgate_plugin::{Event, Finding, Run, Severity};

/// Characters of a header block.
const HEADER_LIMIT: usize = 150;
/// Characters of a section's text.
const SECTION_LIMIT: usize = 3000;
/// Migrations and findings that are listed; the rest is counted.
const LIST_LIMIT: usize = 15;

/// The message for one event. `mention` goes before a message of failure.
pub fn message(run: &Run, event: &Event, mention: Option<&str>) -> Value {
    let title = title(run, event);
    let mut blocks =
        vec![json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&title, HEADER_LIMIT) } })];
    blocks.push(json!({ "type": "section", "fields": fields(run, event) }));
    blocks.extend(details(event).into_iter().map(|text| section(&text)));
    let failed = !matches!(event, Event::Finished(_) | Event::WaitingForLock(_));
    if let Some(mention) = mention.filter(|_| failed) {
        blocks.push(section(mention));
    }
    blocks.push(json!({
        "type": "context",
        "elements": [{ "type": "mrkdwn", "text": origin(run) }],
    }));
    // `text` is what notifications and screen readers show.
    json!({ "text": title, "blocks": blocks })
}

/// Where the message comes from.
fn origin(run: &Run) -> String {
    let mut text = format!(
        "Tollgate · started {} · run {}",
        escape(&run.started_at),
        escape(&run.id)
    );
    if let Some(commit) = &run.commit {
        let short: String = commit.chars().take(12).collect();
        text.push_str(&format!(" · commit {}", escape(&short)));
    }
    // A `|` would end the address.
    if let Some(link) = run
        .link
        .as_ref()
        .filter(|link| link.starts_with("http") && !link.contains('|'))
    {
        text.push_str(&format!(" · <{}|job>", escape(link)));
    }
    text
}

fn title(run: &Run, event: &Event) -> String {
    let place = run.environment.as_deref().unwrap_or("database");
    match event {
        Event::WaitingForLock(_) => format!("⏳ {} on {place} waits for the lock", capital(&run.command)),
        Event::AwaitingApproval(awaiting) if awaiting.findings.is_empty() && awaiting.requirement.is_none() => {
            format!(
                "⛔ {} to {place} stopped: a policy could not judge",
                capital(&run.command)
            )
        }
        Event::AwaitingApproval(_) => format!("⛔ {} to {place} awaits approval", capital(&run.command)),
        Event::Failed(_) => format!("❌ {} on {place} failed", capital(&run.command)),
        Event::Finished(finished) => {
            let number = finished.applied.len();
            let what = if number == 1 { "migration" } else { "migrations" };
            let done = if run.command == "rollback" {
                "rolled back on"
            } else {
                "deployed to"
            };
            format!("✅ {number} {what} {done} {place}")
        }
        _ => format!("{} on {place}", capital(&run.command)),
    }
}

fn fields(run: &Run, event: &Event) -> Vec<Value> {
    let mut fields = vec![
        field("Environment", run.environment.as_deref().unwrap_or("–")),
        field("Database", &run.target),
    ];
    if let Some(actor) = &run.actor {
        fields.push(field("By", actor));
    }
    if let Event::Finished(finished) = event {
        fields.push(field("Duration", &duration(finished.duration_ms)));
    }
    fields
}

fn details(event: &Event) -> Vec<String> {
    match event {
        Event::WaitingForLock(wait) => vec![format!("The lock is held by {}", escape(&wait.holder))],
        Event::AwaitingApproval(awaiting) => {
            let mut details: Vec<String> = awaiting.requirement.iter().map(|first| escape(first)).collect();
            details.extend(findings(&awaiting.findings));
            if !awaiting.failures.is_empty() {
                let lines = awaiting.failures.iter().map(|failure| format!("• {}", escape(failure)));
                details.push(list("*Not judged*", lines));
            }
            details
        }
        Event::Failed(failed) => {
            let code = failed
                .sqlstate
                .as_ref()
                .map_or_else(String::new, |code| format!(" (SQLSTATE {})", escape(code)));
            vec![format!(
                "*{}*{code}\n>{}",
                escape(&failed.migration),
                escape(&failed.message).replace('\n', "\n>")
            )]
        }
        Event::Finished(finished) => {
            let mut details = Vec::new();
            if !finished.applied.is_empty() {
                let names = finished.applied.iter().map(|name| format!("• `{}`", escape(name)));
                details.push(list("*Migrations*", names));
            }
            details.extend(findings(&finished.findings));
            details
        }
        _ => Vec::new(),
    }
}

fn findings(by_migration: &[(String, Vec<Finding>)]) -> Vec<String> {
    let mut lines: Vec<(Severity, String)> = by_migration
        .iter()
        .flat_map(|(migration, findings)| findings.iter().map(move |finding| (migration, finding)))
        .map(|(migration, finding)| {
            let line = format!(
                "• {} `{}` in `{}`: {}",
                level(finding.severity),
                escape(&finding.rule),
                escape(migration),
                escape(&finding.message)
            );
            (finding.severity, line)
        })
        .collect();
    if lines.is_empty() {
        return Vec::new();
    }
    // The gravest first: the list may be cut. Equal ones keep their order.
    lines.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity as u8));
    vec![list("*Findings*", lines.into_iter().map(|(_, line)| line))]
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "*high*",
    }
}

/// A title and lines, as many as may be; the rest is counted.
fn list(title: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<_> = lines.collect();
    let mut text = title.to_owned();
    for line in lines.iter().take(LIST_LIMIT) {
        text.push('\n');
        text.push_str(line);
    }
    if lines.len() > LIST_LIMIT {
        text.push_str(&format!("\n… and {} more", lines.len() - LIST_LIMIT));
    }
    text
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(text, SECTION_LIMIT) } })
}

fn field(name: &str, value: &str) -> Value {
    json!({ "type": "mrkdwn", "text": format!("*{name}*\n{}", escape(value)) })
}

/// What Slack wants escaped in mrkdwn; without it a message could mention people or forge links.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}
