//! Data types, named as `MySQL` 8 prints them: `int unsigned`, `varchar(191)`, `tinyint(1)`, `enum('a','b')`.

use crate::operation::DataType;

use super::cursor::Cursor;

/// A type and what is written beside it.
pub(super) struct Written {
    pub(super) data_type: DataType,
    /// CHARACTER SET.
    pub(super) charset: Option<String>,
    /// SERIAL: `BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE`.
    pub(super) serial: bool,
}

/// Reads a type.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Written {
    let national = cursor.take("national");
    let word = cursor.word();
    if word.is_empty() || is_attribute(&word) {
        return written(named("", Vec::new()));
    }
    cursor.next();
    let (name, fixed) = base(&word, cursor);
    let mut modifiers = fixed;
    if let Some(group) = cursor.group() {
        modifiers = group.parts().iter().map(|part| part.written().to_owned()).collect();
    }
    let mut read = written(named(name, modifiers));
    read.serial = word == "serial";
    if national || matches!(word.as_str(), "nchar" | "nvarchar") {
        read.charset = Some("utf8".to_owned());
    }
    properties(cursor, &mut read);
    normalise(&mut read.data_type);
    read
}

fn written(data_type: DataType) -> Written {
    Written {
        data_type,
        charset: None,
        serial: false,
    }
}

fn named(name: &str, modifiers: Vec<String>) -> DataType {
    DataType {
        schema: None,
        name: name.to_owned(),
        modifiers,
        dimensions: 0,
    }
}

/// The server's own name of a type, and the modifiers that an alias stands for. Some names have several words.
fn base<'w>(word: &'w str, cursor: &mut Cursor<'_>) -> (&'w str, Vec<String>) {
    let name = match word {
        "integer" | "int4" => "int",
        "int1" => "tinyint",
        "int2" => "smallint",
        "int3" | "middleint" => "mediumint",
        "int8" | "serial" => "bigint",
        "bool" | "boolean" => return ("tinyint", vec!["1".to_owned()]),
        "dec" | "numeric" | "fixed" | "number" => "decimal",
        "float4" => "float",
        "float8" | "real" => "double",
        "double" => {
            cursor.take("precision");
            "double"
        }
        "char" | "character" | "nchar" => {
            if cursor.take_any(&["varying", "varchar"]) {
                "varchar"
            } else {
                "char"
            }
        }
        "varchar" | "varcharacter" | "nvarchar" | "varchar2" => {
            cursor.take("varying");
            "varchar"
        }
        "long" => match cursor.word().as_str() {
            "varbinary" => {
                cursor.next();
                "mediumblob"
            }
            "varchar" | "varcharacter" => {
                cursor.next();
                "mediumtext"
            }
            _ => "mediumtext",
        },
        "geomcollection" => "geometrycollection",
        other => other,
    };
    (name, Vec::new())
}

/// UNSIGNED, ZEROFILL, CHARACTER SET and their like, in any order.
fn properties(cursor: &mut Cursor<'_>, read: &mut Written) {
    let (mut unsigned, mut zerofill) = (read.serial, false);
    loop {
        if cursor.take("unsigned") {
            unsigned = true;
        } else if cursor.take("zerofill") {
            zerofill = true;
        } else if cursor.take_all(&["character", "set"]) || cursor.take_all(&["char", "set"]) || cursor.take("charset")
        {
            cursor.take_symbol('=');
            read.charset = cursor.name().or_else(|| cursor.string());
        } else if !cursor.take_any(&["signed", "ascii", "unicode", "byte", "binary"]) {
            break;
        }
    }
    if unsigned || zerofill {
        read.data_type.name.push_str(" unsigned");
    }
    if zerofill {
        read.data_type.name.push_str(" zerofill");
    }
}

/// Takes away what the server does not print: the display width of integers but for `tinyint(1)`, and what it adds:
/// the size of a `decimal`, of a `char`, of a `bit`.
fn normalise(data_type: &mut DataType) {
    let base = data_type.name.split(' ').next().unwrap_or_default();
    let integer = matches!(base, "tinyint" | "smallint" | "mediumint" | "int" | "bigint");
    let zerofill = data_type.name.ends_with("zerofill");
    let boolean = base == "tinyint" && data_type.modifiers == ["1"] && data_type.name == "tinyint";
    if integer && !zerofill && !boolean {
        data_type.modifiers.clear();
    }
    match (base, data_type.modifiers.as_slice()) {
        ("decimal", []) => data_type.modifiers = vec!["10".to_owned(), "0".to_owned()],
        ("decimal", [_]) => data_type.modifiers.push("0".to_owned()),
        ("char" | "bit" | "binary", []) => data_type.modifiers = vec!["1".to_owned()],
        ("datetime" | "timestamp" | "time", [only]) if only == "0" => data_type.modifiers.clear(),
        ("year" | "float" | "double", [_]) => data_type.modifiers.clear(),
        _ => {}
    }
}

/// Words that stand behind a type: a column that begins with one has none.
pub(super) fn is_attribute(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "after",
        "as",
        "auto_increment",
        "check",
        "collate",
        "column_format",
        "comment",
        "compressed",
        "constraint",
        "default",
        "engine_attribute",
        "first",
        "generated",
        "invisible",
        "key",
        "not",
        "null",
        "on",
        "persistent",
        "primary",
        "ref_system_id",
        "references",
        "secondary_engine_attribute",
        "srid",
        "storage",
        "stored",
        "unique",
        "virtual",
        "visible",
        "with",
        "without",
    ];
    WORDS.contains(&word)
}
