//! Words that a server takes for its own.

use tollgate_plugin::Dialect;

/// PostgreSQL 18, `src/include/parser/kwlist.h`: `RESERVED_KEYWORD`. No name can be one of these without quotes.
const POSTGRES_RESERVED: &str = "\
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create \
    current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc \
    distinct do else end except false fetch for foreign from grant group having in initially intersect into \
    lateral leading limit localtime localtimestamp not null offset on only or order placing primary references \
    returning select session_user some symmetric system_user table then to trailing true union unique user using \
    variadic when where window with";

/// The same file, `TYPE_FUNC_NAME_KEYWORD`: can be the name of a function or type, but not of a table or column.
const POSTGRES_TYPE_OR_FUNCTION: &str = "\
    authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left \
    like natural notnull outer overlaps right similar tablesample verbose";

/// The same file, `COL_NAME_KEYWORD`: can be the name of a table or column, but not of a function or type.
const POSTGRES_COLUMN: &str = "\
    between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout \
    int integer interval json json_array json_arrayagg json_exists json_object json_objectagg json_query \
    json_scalar json_serialize json_table json_value least merge_action national nchar none normalize nullif \
    numeric out overlay position precision real row setof smallint substring time timestamp treat trim values \
    varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot \
    xmlserialize xmltable";

/// `SQLite`: the keywords of <https://sqlite.org/lang_keywords.html> that its grammar does not take as the name of a table or
/// column; the others fall back to being names.
const SQLITE: &str = "\
    add all alter and as autoincrement between case cast check collate commit constraint create default deferrable \
    delete distinct drop else escape except exists foreign from group having if in index insert intersect into is \
    isnull join limit not nothing notnull null on or order primary raise references returning select set table then \
    to transaction union unique update using values when where";

/// Where a name is used, which decides what is reserved there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Table, view, index, sequence or column.
    Relation,
    /// Function or type.
    TypeOrFunction,
}

/// The name has to be written in quotes because the server has a use of its own for the word.
pub(crate) fn is_reserved(dialect: Dialect, place: Place, name: &str) -> bool {
    let within = |words: &str| words.split(' ').any(|word| word == name);
    match (dialect, place) {
        (Dialect::Postgres, Place::Relation) => within(POSTGRES_RESERVED) || within(POSTGRES_TYPE_OR_FUNCTION),
        (Dialect::Postgres, Place::TypeOrFunction) => within(POSTGRES_RESERVED) || within(POSTGRES_COLUMN),
        (Dialect::Sqlite, _) => SQLITE.split(' ').any(|word| word.eq_ignore_ascii_case(name)),
        (Dialect::Mysql, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_sql::quote::identifier;

    use super::*;

    /// The engine quotes what the server's own scanner calls a keyword; every word here must be one of those.
    #[test]
    fn every_word_is_a_keyword_of_its_server() {
        let postgres = [POSTGRES_RESERVED, POSTGRES_TYPE_OR_FUNCTION, POSTGRES_COLUMN];
        for word in postgres.iter().flat_map(|words| words.split(' ')) {
            let quoted = identifier(tollgate_sql::Dialect::Postgres, word);
            assert_eq!(quoted, format!("\"{word}\""));
        }
        for word in SQLITE.split(' ') {
            let uses = [
                format!("CREATE TABLE {word} (a INTEGER)"),
                format!("CREATE TABLE t ({word} INTEGER)"),
                format!("SELECT {word} FROM t"),
            ];
            let refused = |script: &String| tollgate_sql::parse(tollgate_sql::Dialect::Sqlite, script).is_err();
            assert!(uses.iter().any(refused), "{word}");
        }
    }

    #[test]
    fn the_place_decides() {
        let postgres = |place, word| is_reserved(Dialect::Postgres, place, word);
        assert!(postgres(Place::Relation, "user"));
        assert!(!postgres(Place::Relation, "User"), "folded, it would be another name");
        assert!(!postgres(Place::Relation, "values"));
        assert!(postgres(Place::TypeOrFunction, "values"));
        assert!(postgres(Place::Relation, "left"));
        assert!(!postgres(Place::TypeOrFunction, "left"));
        assert!(is_reserved(Dialect::Sqlite, Place::Relation, "Order"));
        assert!(!is_reserved(Dialect::Sqlite, Place::Relation, "user"));
    }
}
