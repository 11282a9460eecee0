//! PostgreSQL expressions in a form in which those that mean the same are usually equal.
//!
//! A server prints an expression in other words than it was written: casts of constants, `= ANY (ARRAY[…])` for IN, schemas
//! before names, parentheses. Two texts of which one is a script's and the other a server's are compared by what is left when
//! all that is taken away. Equal forms are not a proof: a cast that matters is taken away, too.

use serde_json::{Map, Value, json};

use crate::postgres;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment {
    /// An expression.
    Expression,
    /// What follows the word EXCLUDE.
    Exclusion,
    /// A whole statement.
    Statement,
}

/// The form that is compared; `None` where PostgreSQL's grammar does not take the text.
pub fn canonical(text: &str, fragment: Fragment) -> Option<String> {
    let statement = match fragment {
        // On lines of its own: the text may end in a comment.
        Fragment::Expression => format!("SELECT (\n{text}\n)"),
        Fragment::Exclusion => format!("ALTER TABLE t ADD EXCLUDE {text}"),
        Fragment::Statement => text.to_owned(),
    };
    let mut tree = postgres::tree(&statement)?;
    simplify(&mut tree);
    Some(tree.to_string())
}

/// Simplifies what is below first.
fn simplify(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(fields) => {
            fields.retain(|name, _| !is_noise(name));
            fields.values_mut().for_each(simplify);
            if let Some(simpler) = node(fields) {
                *value = simpler;
            }
        }
        _ => {}
    }
}

/// Places in the text, and how something was written.
fn is_noise(name: &str) -> bool {
    name == "location"
        || name.ends_with("_location")
        || name.starts_with("rexpr_list_")
        || name.starts_with("list_")
        || matches!(
            name,
            "stmt_len" | "funcformat" | "schemaname" | "catalogname" | "relpersistence" | "replace"
        )
}

/// What stands for a node: `{"node": {"TypeCast": {…}}}`.
fn node(fields: &mut Map<String, Value>) -> Option<Value> {
    let (kind, content) = fields.get_mut("node")?.as_object_mut()?.iter_mut().next()?;
    let kind = kind.clone();
    match kind.as_str() {
        "TypeCast" => Some(content.get("arg")?.clone()),
        "AConst" => Some(constant(content)),
        "AExpr" => operator(content),
        "BoolExpr" => Some(flattened(content)),
        "FuncCall" => {
            unqualify(content.get_mut("funcname")?);
            let name = last_name(content.get("funcname")?);
            if matches!(name.as_deref(), Some("nextval" | "currval" | "setval")) {
                unqualify_sequence(content);
            }
            None
        }
        "ColumnRef" => {
            let names = content.get_mut("fields")?;
            let row = name_of(names.get(0)?);
            // Of a trigger they are two rows.
            if !matches!(row.as_deref(), Some("old" | "new")) {
                unqualify(names);
            }
            None
        }
        "CaseExpr" => {
            let nothing = content.get("defresult").is_some_and(is_null);
            if nothing {
                content.as_object_mut()?.insert("defresult".to_owned(), Value::Null);
            }
            None
        }
        "ResTarget" => {
            content.as_object_mut()?.remove("name");
            None
        }
        "CollateClause" => {
            unqualify(content.get_mut("collname")?);
            None
        }
        "CreateTrigStmt" => {
            unqualify(content.get_mut("funcname")?);
            None
        }
        _ => None,
    }
}

/// A constant by its text: `-1` is printed as `'-1'::integer`.
fn constant(content: &Value) -> Value {
    if content.get("isnull") == Some(&Value::Bool(true)) {
        return json!({ "null": true });
    }
    let value = content.get("val").and_then(Value::as_object);
    let text = value.and_then(|value| {
        let (kind, inner) = value.iter().next()?;
        Some(match kind.as_str() {
            "Boolval" => inner.get("boolval").map_or("false".to_owned(), Value::to_string),
            "Ival" => inner.get("ival").map_or("0".to_owned(), Value::to_string),
            _ => {
                let text = inner.as_object()?.values().find_map(Value::as_str)?;
                plain_text(text)
            }
        })
    });
    match text {
        Some(text) => json!({ "const": text }),
        None => content.clone(),
    }
}

/// A JSON document and a date as the server prints them.
fn plain_text(text: &str) -> String {
    if text.starts_with(['{', '['])
        && let Ok(document) = serde_json::from_str::<Value>(text)
    {
        return document.to_string();
    }
    if let Some(moment) = moment(text) {
        return moment;
    }
    text.strip_suffix(" 00:00:00").unwrap_or(text).to_owned()
}

/// A moment with its distance from UTC, in UTC: `2020-01-01 00:00:00+02`.
fn moment(text: &str) -> Option<String> {
    let (date, time) = text.split_at_checked(10)?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let time = time.strip_prefix([' ', 'T'])?;
    let sign = time.find(['+', '-', 'Z'])?;
    let (clock, offset) = time.split_at(sign);
    let minutes = |text: &str| -> Option<i64> {
        let mut parts = text.split(':').map(|part| part.parse::<i64>().ok());
        let hours = parts.next()??;
        Some(hours * 60 + parts.next().unwrap_or(Some(0))?)
    };
    let distance = match offset.strip_prefix('-') {
        Some(west) => -minutes(west)?,
        None if offset == "Z" => 0,
        None => minutes(offset.trim_start_matches('+'))?,
    };
    let seconds = clock.splitn(3, ':').nth(2).unwrap_or("00");
    // Days since some day: the calendar begins its year in March, so that the leap day is the last one.
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let minute = days * 1440 + minutes(clock)? - distance;
    Some(format!("minute {minute} second {seconds}"))
}

fn is_null(value: &Value) -> bool {
    value.get("null").is_some()
}

/// Operators: the many ways to write a few of them.
fn operator(content: &mut Value) -> Option<Value> {
    const PLAIN: u64 = 1;
    unqualify(content.get_mut("name")?);
    let name = last_name(content.get("name")?)?;
    let kind = content.get("kind")?.as_u64()?;
    let (left, right) = (content.get("lexpr")?.clone(), content.get("rexpr")?.clone());
    match kind {
        PLAIN if name == "-" && left.is_null() => {
            let number = right.get("const")?.as_str()?;
            Some(json!({ "const": format!("-{number}") }))
        }
        // = ANY, <> ALL
        2 | 3 => {
            let items = items_of_array(&right)?;
            Some(among(&name, &left, &items))
        }
        // IN, NOT IN
        7 => Some(among(&name, &left, &items_of_list(&right)?)),

        // BETWEEN, NOT BETWEEN
        11 | 12 => {
            let bounds = items_of_list(&right)?;
            let [low, high] = bounds.as_slice() else { return None };
            let (word, below, above) = if kind == 11 {
                ("and", ">=", "<=")
            } else {
                ("or", "<", ">")
            };
            let compare = |name: &str, bound: &Value| compared(name, &left, bound);
            Some(json!({ "bool": word, "args": [compare(below, low), compare(above, high)] }))
        }
        // The latter are LIKE, ILIKE, SIMILAR TO.
        PLAIN | 8..=10 => Some(compared(&name, &left, &right)),
        _ => None,
    }
}

fn compared(name: &str, left: &Value, right: &Value) -> Value {
    json!({ "op": name, "left": left, "right": right })
}

/// One of several values; of a single one it is a comparison.
fn among(name: &str, left: &Value, items: &[Value]) -> Value {
    match items {
        [only] => compared(name, left, only),
        _ => json!({ "among": name, "left": left, "items": items }),
    }
}

fn items_of_array(value: &Value) -> Option<Vec<Value>> {
    let array = value.get("node")?.get("AArrayExpr")?;
    array.get("elements")?.as_array().cloned()
}

fn items_of_list(value: &Value) -> Option<Vec<Value>> {
    value.get("node")?.get("List")?.get("items")?.as_array().cloned()
}

/// AND and OR without the parentheses that change nothing.
fn flattened(content: &Value) -> Value {
    let word = match content.get("boolop").and_then(Value::as_u64) {
        Some(1) => "and",
        Some(2) => "or",
        _ => "not",
    };
    let arguments = content
        .get("args")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut flat = Vec::new();
    for argument in arguments {
        match argument.get("args").and_then(Value::as_array) {
            Some(inner) if word != "not" && argument.get("bool").and_then(Value::as_str) == Some(word) => {
                flat.extend(inner.iter().cloned());
            }
            _ => flat.push(argument),
        }
    }
    json!({ "bool": word, "args": flat })
}

/// Leaves the last of several names.
fn unqualify(names: &mut Value) {
    if let Some(names) = names.as_array_mut()
        && names.len() > 1
    {
        names.drain(..names.len() - 1);
    }
}

fn last_name(names: &Value) -> Option<String> {
    name_of(names.as_array()?.last()?)
}

fn name_of(value: &Value) -> Option<String> {
    Some(value.get("node")?.get("String")?.get("sval")?.as_str()?.to_owned())
}

/// The name of a sequence is a text in which the schema stands where the search path does not have it.
fn unqualify_sequence(call: &mut Value) {
    let Some(argument) = call.get_mut("args").and_then(|arguments| arguments.get_mut(0)) else {
        return;
    };
    let Some(text) = argument.get("const").and_then(Value::as_str) else {
        return;
    };
    let name = text.rsplit('.').next().unwrap_or(text).trim_matches('"');
    *argument = json!({ "const": name });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn form(text: &str) -> String {
        canonical(text, Fragment::Expression).unwrap()
    }

    #[test]
    fn what_a_server_prints_is_what_was_written() {
        for (written, printed) in [
            ("'draft'", "'draft'::text"),
            ("-1", "'-1'::integer"),
            (
                "price > 0 AND price < 10",
                "((price > (0)::numeric) AND (price < (10)::numeric))",
            ),
            ("status IN ('a', 'b')", "(status = ANY (ARRAY['a'::text, 'b'::text]))"),
            (
                "status IN ('a', 'b')",
                "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
            ),
            (
                "status NOT IN ('a', 'b')",
                "(status <> ALL (ARRAY['a'::text, 'b'::text]))",
            ),
            ("status IN ('a')", "(status = 'a'::text)"),
            ("a BETWEEN 1 AND 2 AND b", "(((a >= 1) AND (a <= 2)) AND b)"),
            ("a NOT BETWEEN 1 AND 2", "((a < 1) OR (a > 2))"),
            ("name LIKE 'a%'", "(name ~~ 'a%'::text)"),
            ("name NOT ILIKE 'a%'", "(name !~~* 'a%'::text)"),
            ("lower(email)", "lower((email)::text)"),
            ("my_function(a)", "public.my_function(a)"),
            ("nextval('a_id_seq')", "nextval('public.a_id_seq'::regclass)"),
            (
                "nextval('\"A_id_seq\"'::regclass)",
                "nextval('\"S\".\"A_id_seq\"'::regclass)",
            ),
            ("'{\"a\":1}'", "'{\"a\": 1}'::jsonb"),
            (
                "CASE WHEN a THEN 'x' END",
                "CASE WHEN a THEN 'x'::text ELSE NULL::text END",
            ),
            ("t.a > 1", "(a > 1)"),
            ("trim(a) <> ''", "(TRIM(BOTH FROM a) <> ''::text)"),
            (
                "id IN (SELECT user_id FROM members)",
                "(id IN ( SELECT members.user_id AS user_id FROM public.members))",
            ),
            ("now() -- the moment", "now()"),
            ("'2020-01-01'", "'2020-01-01 00:00:00'::timestamp without time zone"),
            (
                "'2020-01-01 00:00:00+02'",
                "'2019-12-31 22:00:00+00'::timestamp with time zone",
            ),
            (
                "'2020-03-01T01:30:00.5+05:30'",
                "'2020-02-29 20:00:00.5+00'::timestamp with time zone",
            ),
        ] {
            assert_eq!(form(written), form(printed), "{written} | {printed}");
        }
    }

    #[test]
    fn what_means_something_else_is_something_else() {
        for (one, other) in [
            ("'a'", "'A'"),
            ("price > 0", "price > 1"),
            ("price > 0", "price >= 0"),
            ("status IN ('a', 'b')", "status IN ('a', 'c')"),
            ("status IN ('a', 'b')", "status NOT IN ('a', 'b')"),
            ("a AND b", "a OR b"),
            ("a AND (b OR c)", "(a AND b) OR c"),
            ("lower(email)", "upper(email)"),
            ("nextval('a')", "nextval('b')"),
            ("old.a = 1", "new.a = 1"),
            ("NULL", "'NULL'"),
            ("'2020-01-01 00:00:00+02'", "'2020-01-01 00:00:00+00'"),
        ] {
            assert_ne!(form(one), form(other), "{one} | {other}");
        }
        assert_eq!(canonical("a >", Fragment::Expression), None);
    }

    #[test]
    fn statements_and_exclusions_have_forms_too() {
        let statement = |text| canonical(text, Fragment::Statement);
        assert_eq!(
            statement("CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW WHEN (OLD.x <> NEW.x) EXECUTE PROCEDURE f()"),
            statement(
                "CREATE TRIGGER t BEFORE UPDATE ON public.a FOR EACH ROW WHEN ((old.x <> new.x)) EXECUTE FUNCTION public.f()"
            )
        );
        let exclusion = |text| canonical(text, Fragment::Exclusion);
        assert_eq!(
            exclusion("USING gist (room WITH =, during WITH &&) WHERE (room > 1)"),
            exclusion("USING gist (room WITH =, during WITH &&) WHERE ((room > 1))")
        );
        assert!(exclusion("USING gist (room WITH =)").is_some());
    }
}
