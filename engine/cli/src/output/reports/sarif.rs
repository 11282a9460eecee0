//! SARIF 2.1.0, the OASIS standard that code hosts and editors read.

use serde_json::{Value, json};

use super::lines::Region;
use super::sheet::{Entry, Excuse, Fix, Item, RuleInfo, Sheet, Trouble};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// From here files are named: the root of the repository.
const BASE: &str = "%SRCROOT%";

/// The log of one run.
pub fn render(sheet: &Sheet) -> String {
    let results: Vec<Value> = sheet
        .entries
        .iter()
        .flat_map(|entry| entry.items.iter().map(|item| result(sheet, entry, item)))
        .collect();
    let notifications: Vec<Value> = sheet
        .entries
        .iter()
        .flat_map(|entry| entry.troubles.iter().map(|trouble| notification(entry, trouble)))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tollgate",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": sheet.rules.iter().map(rule).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { BASE: { "description": { "text": "The root of the repository" } } },
            "invocations": [{
                // A policy that could not judge leaves the check incomplete.
                "executionSuccessful": notifications.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    // Texts and numbers can always be written.
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn rule(rule: &RuleInfo) -> Value {
    json!({
        "id": format!("{}/{}", rule.plugin, rule.id),
        "name": pascal_case(&rule.id),
        "shortDescription": { "text": rule.summary },
        "fullDescription": { "text": plain(&rule.explanation), },
        "help": { "text": plain(&rule.explanation), "markdown": rule.explanation },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "tags": ["database", "migration", rule.plugin] },
    })
}

fn result(sheet: &Sheet, entry: &Entry, item: &Item) -> Value {
    let mut result = json!({
        "ruleId": item.name(),
        "level": if item.blocking { "error" } else { level(item.severity) },
        "message": { "text": message(item) },
        "locations": [location(entry, item.region, None)],
        "partialFingerprints": { "statement/v1": item.fingerprint },
        "properties": { "severity": item.severity, "blocking": item.blocking, "migration": entry.migration },
    });
    let position = sheet
        .rules
        .iter()
        .position(|rule| rule.plugin == item.plugin && rule.id == item.rule);
    if let Some(position) = position {
        result["ruleIndex"] = json!(position);
    }
    if !item.labels.is_empty() {
        let related = item
            .labels
            .iter()
            .map(|(region, text)| location(entry, *region, Some(text)));
        result["relatedLocations"] = related.collect();
    }
    if !item.fixes.is_empty() {
        result["fixes"] = item.fixes.iter().map(|fix| mend(entry, fix)).collect();
    }
    if let Some(excuse) = &item.excuse {
        let kind = match excuse {
            Excuse::Comment(_) => "inSource",
            Excuse::Approval { .. } => "external",
        };
        let why = excuse.to_string();
        result["suppressions"] = json!([{ "kind": kind, "status": "accepted", "justification": why }]);
    }
    result
}

fn message(item: &Item) -> String {
    let help = item.help.iter().map(|help| format!("\n{help}"));
    std::iter::once(item.message.clone()).chain(help).collect()
}

fn artifact(entry: &Entry) -> Value {
    json!({ "uri": uri(&entry.file), "uriBaseId": BASE })
}

fn location(entry: &Entry, region: Region, text: Option<&String>) -> Value {
    let mut location = json!({
        "physicalLocation": { "artifactLocation": artifact(entry), "region": span(region) },
    });
    if let Some(text) = text {
        location["message"] = json!({ "text": text });
    }
    location
}

fn span(region: Region) -> Value {
    json!({
        "startLine": region.start_line,
        "startColumn": region.start_column,
        "endLine": region.end_line,
        "endColumn": region.end_column,
    })
}

fn mend(entry: &Entry, fix: &Fix) -> Value {
    let replacements = fix.replacements.iter().map(|replacement| {
        json!({ "deletedRegion": span(replacement.region), "insertedContent": { "text": replacement.text } })
    });
    json!({
        "description": { "text": fix.title },
        "artifactChanges": [{
            "artifactLocation": artifact(entry),
            "replacements": replacements.collect::<Vec<_>>(),
        }],
    })
}

fn notification(entry: &Entry, trouble: &Trouble) -> Value {
    json!({
        "descriptor": { "id": format!("{}/{}", trouble.plugin, trouble.kind) },
        "level": if trouble.blocking { "error" } else { "warning" },
        "message": { "text": format!("{} could not judge {}: {}", trouble.plugin, entry.migration, trouble.message) },
        "locations": [{ "physicalLocation": { "artifactLocation": artifact(entry) } }],
    })
}

fn level(severity: &str) -> &'static str {
    match severity {
        "high" => "error",
        "medium" => "warning",
        _ => "note",
    }
}

/// A rule's name as the standard wants it: `drop-table` is `DropTable`.
fn pascal_case(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

/// Markdown of an explanation without its marks.
fn plain(markdown: &str) -> String {
    markdown.replace("**", "").replace('`', "")
}

/// A file's name as a relative URI: what is no letter, digit or one of `-._~/` is written in percent.
fn uri(file: &str) -> String {
    let mut text = String::with_capacity(file.len());
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{pascal_case, plain, uri};

    #[test]
    fn names_are_written_as_the_standard_wants_them() {
        assert_eq!(pascal_case("drop-table"), "DropTable");
        assert_eq!(uri("a b/ü#1.sql"), "a%20b/%C3%BC%231.sql");
        assert_eq!(plain("**Why.** `DROP` it"), "Why. DROP it");
    }
}
