//! Data types in the server's own spelling.

use pg_query::NodeEnum;
use pg_query::protobuf::TypeName;

use super::names::{inner, literal, strings};
use crate::operation::DataType;

/// `INTERVAL` without fields, as the grammar encodes it.
const INTERVAL_FULL_RANGE: i32 = 0x7FFF;

/// The type as `format_type` prints it. `serial` and its kin keep their name: [`serial`] tells them apart.
pub(super) fn data_type(name: &TypeName) -> DataType {
    let parts = strings(&name.names);
    let dimensions = u32::try_from(name.array_bounds.len()).unwrap_or(u32::MAX);
    if name.pct_type {
        return DataType {
            schema: None,
            name: format!("{}%TYPE", parts.join(".")),
            modifiers: Vec::new(),
            dimensions,
        };
    }
    let mut modifiers: Vec<String> = name.typmods.iter().filter_map(inner).map(literal).collect();
    let (schema, written) = match parts.as_slice() {
        [] => (None, ""),
        [only] => (None, only.as_str()),
        [.., schema, last] => (Some(schema.as_str()), last.as_str()),
    };
    if schema.is_some_and(|schema| schema != "pg_catalog") {
        return DataType {
            schema: schema.map(str::to_owned),
            name: written.to_owned(),
            modifiers,
            dimensions,
        };
    }
    let mut printed = builtin(written, !modifiers.is_empty()).unwrap_or(written).to_owned();
    match printed.as_str() {
        "numeric" if modifiers.len() == 1 => modifiers.push("0".to_owned()),
        "interval" => printed = interval(&mut modifiers, name),
        _ => {}
    }
    DataType {
        schema: None,
        name: printed,
        modifiers,
        dimensions,
    }
}

/// What `format_type` makes of a name in `pg_type`; `None` where it prints the name itself.
fn builtin(name: &str, modified: bool) -> Option<&'static str> {
    Some(match name {
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "bool" => "boolean",
        "varchar" => "character varying",
        "bpchar" if modified => "character",
        "char" => "\"char\"",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        "varbit" => "bit varying",
        _ => return None,
    })
}

/// Splits an interval's modifiers into the fields, which are part of the name, and the precision.
fn interval(modifiers: &mut Vec<String>, name: &TypeName) -> String {
    let mask = match name.typmods.first().and_then(inner) {
        Some(NodeEnum::AConst(_)) => modifiers.first().and_then(|text| text.parse::<i32>().ok()),
        _ => None,
    };
    let Some(mask) = mask else { return "interval".to_owned() };
    modifiers.remove(0);
    match interval_fields(mask) {
        Some(fields) => format!("interval {fields}"),
        None => "interval".to_owned(),
    }
}

/// The words for a mask of interval fields (bit numbers are those of the server's `datetime.h`).
fn interval_fields(mask: i32) -> Option<&'static str> {
    const MONTH: i32 = 1 << 1;
    const YEAR: i32 = 1 << 2;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    const DAY_TO_MINUTE: i32 = DAY | HOUR | MINUTE;
    const DAY_TO_SECOND: i32 = DAY | HOUR | MINUTE | SECOND;
    const HOUR_TO_SECOND: i32 = HOUR | MINUTE | SECOND;
    if mask == INTERVAL_FULL_RANGE {
        return None;
    }
    Some(match mask {
        YEAR => "year",
        MONTH => "month",
        DAY => "day",
        HOUR => "hour",
        MINUTE => "minute",
        SECOND => "second",
        m if m == YEAR | MONTH => "year to month",
        m if m == DAY | HOUR => "day to hour",
        DAY_TO_MINUTE => "day to minute",
        DAY_TO_SECOND => "day to second",
        m if m == HOUR | MINUTE => "hour to minute",
        HOUR_TO_SECOND => "hour to second",
        m if m == MINUTE | SECOND => "minute to second",
        _ => return None,
    })
}

/// The integer type behind `serial` and its kin.
pub(super) fn serial(name: &TypeName) -> Option<&'static str> {
    match strings(&name.names).as_slice() {
        [only] => match only.as_str() {
            "serial" | "serial4" => Some("integer"),
            "bigserial" | "serial8" => Some("bigint"),
            "smallserial" | "serial2" => Some("smallint"),
            _ => None,
        },
        _ => None,
    }
}
