//! CREATE INDEX.

use insta::assert_snapshot;

use super::shown;

#[test]
fn all_parts() {
    let statements = [
        r#"CREATE UNIQUE INDEX "User_email_key" ON "User"("email")"#,
        r#"CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t USING gin (lower(a), (b || ',' || c) gin_trgm_ops, d COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE (e, f) WITH (fastupdate = off) TABLESPACE x WHERE (a > 1 AND b IS NULL)"#,
        "CREATE UNIQUE INDEX ON t (a ASC NULLS FIRST) NULLS NOT DISTINCT",
        "CREATE INDEX i ON t USING gist (a gist_trgm_ops (siglen = 32), coalesce(b, 1), my.f(c, (d)))",
    ];
    assert_snapshot!(shown(&statements), @r#"
    CREATE UNIQUE INDEX "User_email_key" ON "User"("email")
      {create-index={name=User_email_key table="User" parts=[{column=email}] unique method=btree}}
    CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t USING gin (lower(a), (b || ',' || c) gin_trgm_ops, d COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE (e, f) WITH (fastupdate = off) TABLESPACE x WHERE (a > 1 AND b IS NULL)
      {create-index={name=i table=s.t parts=[{expression=lower(a)}, {expression=b || ',' || c operator_class=gin_trgm_ops}, {column=d operator_class=text_pattern_ops collation=C descending}] include=[e, f] concurrently if_not_exists only method=gin predicate=`(a > 1 AND b IS NULL)` immutable[a, b] options=[[fastupdate, off]] tablespace=x}}
    CREATE UNIQUE INDEX ON t (a ASC NULLS FIRST) NULLS NOT DISTINCT
      {create-index={table=t parts=[{column=a nulls_first}] unique nulls_not_distinct method=btree}}
    CREATE INDEX i ON t USING gist (a gist_trgm_ops (siglen = 32), coalesce(b, 1), my.f(c, (d)))
      {create-index={name=i table=t parts=[{column=a operator_class=gist_trgm_ops (siglen=32)}, {expression=coalesce(b, 1)}, {expression=my.f(c, (d))}] method=gist}}
    "#);
}
