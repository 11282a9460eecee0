//! Changes the scripts of a package.json as text, so that its formatting, key order and everything else stay.

use std::ops::Range;

use serde_json::{Map, Value};

/// The scripts as they are.
pub fn scripts(text: &str) -> Result<Map<String, Value>, String> {
    let json: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
    match json.get("scripts") {
        None if json.is_object() => Ok(Map::new()),
        Some(Value::Object(scripts)) => Ok(scripts.clone()),
        _ => Err("`scripts` is not an object".to_owned()),
    }
}

/// The command that Prisma runs to seed, `prisma.seed`.
pub fn seed(text: &str) -> Result<Option<String>, String> {
    let json: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
    match json.get("prisma").and_then(|prisma| prisma.get("seed")) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(command)) => Ok(Some(command.clone())),
        Some(_) => Err("`prisma.seed` is not a text".to_owned()),
    }
}

/// The text with these scripts: those that are there are replaced where they stand, the others follow the last one.
pub fn with_scripts(text: &str, wanted: &[(&str, &str)]) -> Result<String, String> {
    scripts(text)?;
    let mut text = text.to_owned();
    if !members(&text, object_start(&text)?)?
        .iter()
        .any(|member| member.key == "scripts")
    {
        text = insert(&text, object_start(&text)?, "scripts", "{}")?;
    }
    for (name, command) in wanted {
        let outer = members(&text, object_start(&text)?)?;
        let scripts = outer
            .iter()
            .find(|member| member.key == "scripts")
            .ok_or("`scripts` is gone")?;
        let inside = scripts.value.start;
        let command = Value::from(*command).to_string();
        let existing = members(&text, inside)?.into_iter().find(|member| member.key == *name);
        match existing {
            Some(member) => text.replace_range(member.value, &command),
            None => text = insert(&text, inside, name, &command)?,
        }
    }
    Ok(text)
}

/// A key and where it and its value stand.
struct Member {
    key: String,
    start: usize,
    value: Range<usize>,
}

fn object_start(text: &str) -> Result<usize, String> {
    text.find('{').ok_or_else(|| "it is not an object".to_owned())
}

/// The members of the object that begins at `start`. The text is known to be JSON.
fn members(text: &str, start: usize) -> Result<Vec<Member>, String> {
    let mut members = Vec::new();
    let mut at = blank_end(text, start + 1);
    while text[at..].starts_with('"') {
        let key_end = value_end(text, at)?;
        let key = serde_json::from_str(&text[at..key_end]).map_err(|error| error.to_string())?;
        let colon = blank_end(text, key_end);
        let value = blank_end(text, colon + 1);
        let end = value_end(text, value)?;
        members.push(Member {
            key,
            start: at,
            value: value..end,
        });
        let comma = blank_end(text, end);
        if !text[comma..].starts_with(',') {
            break;
        }
        at = blank_end(text, comma + 1);
    }
    Ok(members)
}

/// The end of the value that begins at `start`.
fn value_end(text: &str, start: usize) -> Result<usize, String> {
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<serde::de::IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(start + values.byte_offset()),
        _ => Err("it is not JSON".to_owned()),
    }
}

fn blank_end(text: &str, start: usize) -> usize {
    text.len() - text[start..].trim_start().len()
}

/// Adds a member at the end of the object that begins at `start`, formatted as those before it.
fn insert(text: &str, start: usize, key: &str, value: &str) -> Result<String, String> {
    let key = Value::from(key);
    let mut out = text.to_owned();
    if let Some(last) = members(text, start)?.last() {
        let gap = &text[last.start - blank_before(text, last.start)..last.start];
        let gap = if gap.is_empty() { " " } else { gap };
        out.insert_str(last.value.end, &format!(",{gap}{key}: {value}"));
    } else {
        let outer = indent_of_line(text, start);
        let step = if outer.is_empty() {
            indent_step(text)
        } else {
            outer.clone()
        };
        let end = blank_end(text, start + 1);
        out.replace_range(
            start + 1..end,
            &format!("{0}{outer}{step}{key}: {value}{0}{outer}", line_break(text)),
        );
    }
    Ok(out)
}

/// How many bytes of white space stand before `at`.
fn blank_before(text: &str, at: usize) -> usize {
    text[..at].len() - text[..at].trim_end().len()
}

fn indent_of_line(text: &str, at: usize) -> String {
    let line = text[..at].rfind('\n').map_or(0, |found| found + 1);
    text[line..].chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
}

/// The indentation of the first indented line.
fn indent_step(text: &str) -> String {
    let indent = |line: &str| line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect::<String>();
    text.lines()
        .map(indent)
        .find(|indent| !indent.is_empty())
        .unwrap_or_else(|| "  ".to_owned())
}

fn line_break(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const WANTED: &[(&str, &str)] = &[("db:deploy", "tollgate deploy"), ("db:new", "tollgate new")];

    #[test]
    fn only_the_scripts_change() {
        let cases = [
            (
                "{\n\t\"name\": \"x\",\n\t\"files\": [\"a\", \"b\"],\n\t\"scripts\": {\n\t\t\"db:deploy\": \"prisma \\\"x\\\"\",\n\t\t\"test\": \"{}\"\n\t},\n\t\"z\": 1\n}\n",
                "{\n\t\"name\": \"x\",\n\t\"files\": [\"a\", \"b\"],\n\t\"scripts\": {\n\t\t\"db:deploy\": \"tollgate deploy\",\n\t\t\"test\": \"{}\",\n\t\t\"db:new\": \"tollgate new\"\n\t},\n\t\"z\": 1\n}\n",
            ),
            (
                "{\r\n    \"name\": \"x\"\r\n}",
                "{\r\n    \"name\": \"x\",\r\n    \"scripts\": {\r\n        \"db:deploy\": \"tollgate deploy\",\r\n        \"db:new\": \"tollgate new\"\r\n    }\r\n}",
            ),
            (
                "{}",
                "{\n  \"scripts\": {\n    \"db:deploy\": \"tollgate deploy\",\n    \"db:new\": \"tollgate new\"\n  }\n}",
            ),
            (
                "{ \"scripts\": { \"a\": \"b\" } }",
                "{ \"scripts\": { \"a\": \"b\", \"db:deploy\": \"tollgate deploy\", \"db:new\": \"tollgate new\" } }",
            ),
            (
                "{\n  \"scripts\": {},\n  \"name\": \"x\"\n}",
                "{\n  \"scripts\": {\n    \"db:deploy\": \"tollgate deploy\",\n    \"db:new\": \"tollgate new\"\n  },\n  \"name\": \"x\"\n}",
            ),
        ];
        for (before, after) in cases {
            assert_eq!(with_scripts(before, WANTED).unwrap(), after);
            assert_eq!(
                with_scripts(after, WANTED).unwrap(),
                after,
                "doing it twice changes nothing"
            );
        }
    }

    #[test]
    fn what_is_no_package_json_is_refused() {
        for text in ["", "[]", "{\"scripts\": 1}", "{\"scripts\": {}"] {
            assert!(with_scripts(text, WANTED).is_err(), "{text}");
        }
    }
}
