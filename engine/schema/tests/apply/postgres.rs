//! PostgreSQL statements and what becomes of the schema.

use tollgate_sql::Dialect;

fn outline(text: &str) -> String {
    crate::outline(Dialect::Postgres, text)
}

#[test]
fn names_are_made_as_the_server_makes_them() {
    insta::assert_snapshot!(outline("
        CREATE TABLE t (id serial PRIMARY KEY, a int UNIQUE, b text CHECK (b <> ''), c int REFERENCES t, UNIQUE (a, b), CHECK (a > c));
        CREATE INDEX ON t (a); CREATE INDEX ON t (a); CREATE INDEX ON t (lower(b)); CREATE INDEX ON t ((a + c));
        ALTER TABLE t ADD CHECK (a > 1), ADD CHECK (a > 2);
    "), @"
    sequence public.t_id_seq integer of public.t.id
    table public.t
      id integer not null default nextval('t_id_seq'::regclass) from public.t_id_seq
      a integer
      b text
      c integer
      constraint t_a_b_key unique (a, b)
      constraint t_a_check check (a > 1)
      constraint t_a_check1 check (a > 2)
      constraint t_a_key unique (a)
      constraint t_b_check check (b <> '')
      constraint t_c_fkey foreign key (c) -> public.t (id)
      constraint t_check check (a > c)
      constraint t_pkey primary key (id)
      unique index t_a_b_key (a, b) of constraint
      index t_a_idx (a)
      index t_a_idx1 (a)
      unique index t_a_key (a) of constraint
      index t_expr_idx ((a + c))
      index t_lower_idx ((lower(b)))
      unique index t_pkey (id) of constraint
");
}

#[test]
fn dropping_a_column_takes_along_what_needs_it() {
    insta::assert_snapshot!(outline("
        CREATE TABLE p (id serial PRIMARY KEY, k int UNIQUE, v int, CHECK (k > v));
        CREATE INDEX ON p (v) WHERE k > 0; CREATE INDEX ON p (v) INCLUDE (k); CREATE INDEX ON p ((k + 1)); CREATE INDEX keep ON p (v);
        CREATE TABLE c (k int REFERENCES p (k), id int REFERENCES p);
        CREATE VIEW reads_k AS SELECT k FROM p; CREATE VIEW reads_v AS SELECT v FROM p;
        ALTER TABLE p DROP COLUMN k CASCADE;
    "), @"
    sequence public.p_id_seq integer of public.p.id
    table public.c
      k integer
      id integer
      constraint c_id_fkey foreign key (id) -> public.p (id)
    table public.p
      id integer not null default nextval('p_id_seq'::regclass) from public.p_id_seq
      v integer
      constraint p_pkey primary key (id)
      index keep (v)
      unique index p_pkey (id) of constraint
    view public.reads_v reads public.p
");
}

#[test]
fn renames_reach_everything_that_names_the_object() {
    insta::assert_snapshot!(outline("
        CREATE TYPE mood AS ENUM ('ok');
        CREATE TABLE p (id serial PRIMARY KEY, m mood DEFAULT 'ok'::mood, v int CHECK (v > 0), g int GENERATED ALWAYS AS (v * 2) STORED);
        CREATE UNIQUE INDEX p_v ON p (v) WHERE v IS NOT NULL;
        CREATE TABLE c (p_id int REFERENCES p, v int REFERENCES p (v));
        CREATE VIEW w AS SELECT v FROM p;
        ALTER TABLE p RENAME TO parent; ALTER TABLE parent RENAME v TO \"Value\"; ALTER TYPE mood RENAME TO \"Mood\";
        ALTER TABLE parent RENAME CONSTRAINT p_pkey TO parent_pkey; ALTER SEQUENCE p_id_seq RENAME TO parent_ids;
    "), @r#"
    type public.Mood enum (ok)
    sequence public.parent_ids integer of public.parent.id
    table public.c
      p_id integer
      v integer
      constraint c_p_id_fkey foreign key (p_id) -> public.parent (id)
      constraint c_v_fkey foreign key (v) -> public.parent (Value)
    table public.parent
      id integer not null default nextval('parent_ids'::regclass) from public.parent_ids
      m public."Mood" default 'ok'::"Mood"
      Value integer
      g integer generated ("Value" * 2) stored
      constraint p_v_check check ("Value" > 0)
      constraint parent_pkey primary key (id)
      unique index p_v (Value) where "Value" IS NOT NULL
      unique index parent_pkey (id) of constraint
    view public.w reads public.parent
"#);
}

#[test]
fn keys_use_indexes_and_are_validated_later() {
    insta::assert_snapshot!(outline("
        CREATE TABLE t (a int, b int);
        CREATE UNIQUE INDEX i ON t (a); CREATE UNIQUE INDEX j ON t (b);
        ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY USING INDEX i, ADD CONSTRAINT u UNIQUE USING INDEX j DEFERRABLE;
        ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID, ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES t NOT VALID;
        ALTER TABLE t VALIDATE CONSTRAINT c;
    "), @"
    table public.t
      a integer not null
      b integer
      constraint c check (a > 0)
      constraint f foreign key (b) -> public.t (a) not valid
      constraint pk primary key (a)
      constraint u unique (b) deferrable
      unique index pk (a) of constraint
      unique index u (b) of constraint
");
}

#[test]
fn an_enum_is_replaced_as_prisma_does_it() {
    insta::assert_snapshot!(outline("
        CREATE TYPE \"Role\" AS ENUM ('A', 'B', 'C');
        CREATE TABLE \"User\" (id int, role \"Role\" NOT NULL DEFAULT 'A', roles \"Role\"[]);
        BEGIN;
        CREATE TYPE \"Role_new\" AS ENUM ('A', 'B');
        ALTER TABLE \"User\" ALTER COLUMN role DROP DEFAULT;
        ALTER TABLE \"User\" ALTER COLUMN role TYPE \"Role_new\" USING (role::text::\"Role_new\");
        ALTER TABLE \"User\" ALTER COLUMN roles TYPE \"Role_new\"[] USING (roles::text::\"Role_new\"[]);
        ALTER TYPE \"Role\" RENAME TO \"Role_old\";
        ALTER TYPE \"Role_new\" RENAME TO \"Role\";
        DROP TYPE \"Role_old\";
        ALTER TABLE \"User\" ALTER COLUMN role SET DEFAULT 'A';
        COMMIT;
    "), @r#"
    type public.Role enum (A, B)
    table public.User
      id integer
      role public."Role" not null default 'A'
      roles public."Role"[]
"#);
}

#[test]
fn partitions_and_heirs_take_from_their_parents() {
    insta::assert_snapshot!(outline("
        CREATE TABLE m (id bigint, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        CREATE INDEX ON m (at);
        ALTER TABLE m ADD v int DEFAULT 1;
        CREATE TABLE p (a int PRIMARY KEY, CHECK (a > 0)); CREATE TABLE h (b int) INHERITS (p); ALTER TABLE p ADD c int;
        CREATE TABLE l (LIKE p INCLUDING ALL);
    "), @"
    table public.h inherits public.p
      a integer not null
      b integer
      c integer
      constraint p_a_check check (a > 0)
    table public.l
      a integer not null
      c integer
      constraint l_pkey primary key (a)
      constraint p_a_check check (a > 0)
      unique index l_pkey (a) of constraint
    partitioned table public.m by RANGE (at)
      id bigint not null
      at date not null
      v integer default 1
      constraint m_pkey primary key (id, at)
      index m_at_idx (at)
      unique index m_pkey (id, at) of constraint
    table public.m1 partition of public.m FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')
      id bigint not null
      at date not null
      v integer default 1
      constraint m1_pkey primary key (id, at)
      index m1_at_idx (at)
      unique index m1_pkey (id, at) of constraint
    table public.p
      a integer not null
      c integer
      constraint p_a_check check (a > 0)
      constraint p_pkey primary key (a)
      unique index p_pkey (a) of constraint
");
}

#[test]
fn search_path_and_schemas() {
    insta::assert_snapshot!(outline("
        CREATE SCHEMA s; CREATE TABLE t (id serial);
        SET search_path = s, public;
        CREATE TYPE e AS ENUM ('x'); CREATE TABLE u (id serial PRIMARY KEY, e e); DROP TABLE t;
        RESET search_path;
        CREATE TABLE u (id int REFERENCES s.u);
        ALTER SCHEMA s RENAME TO r;
    "), @"
    schema r
    type r.e enum (x)
    sequence r.u_id_seq integer of r.u.id
    table public.u
      id integer
      constraint u_id_fkey foreign key (id) -> r.u (id)
    table r.u
      id integer not null default nextval('r.u_id_seq'::regclass) from r.u_id_seq
      e r.e
      constraint u_pkey primary key (id)
      unique index u_pkey (id) of constraint
");
}

/// `pg_temp` is what ends with the session; a schema may be called `temp` like anything else.
#[test]
fn a_schema_called_temp_stays() {
    insta::assert_snapshot!(outline("
        CREATE SCHEMA temp; CREATE TABLE temp.kept (a int);
        CREATE TEMP TABLE gone (a int); CREATE TABLE pg_temp.gone_too (a int);
    "), @"
    schema temp
    table temp.kept
      a integer
    ");
}

#[test]
fn privileges_policies_and_triggers() {
    insta::assert_snapshot!(outline("
        CREATE TABLE t (id int); CREATE TABLE u (id int);
        GRANT SELECT, UPDATE ON t TO a; GRANT ALL ON t TO b WITH GRANT OPTION; REVOKE UPDATE ON t FROM a; REVOKE GRANT OPTION FOR SELECT ON t FROM b;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR SELECT TO a USING (id > 0); ALTER POLICY p ON t RENAME TO q;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER h BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION f();
        ALTER TABLE t DISABLE TRIGGER g; DROP TRIGGER h ON u; ALTER FUNCTION f() RENAME TO f2;
    "), @"
    table public.t rls a=select b+=delete,insert,references,trigger,truncate,update b=select public=select
      id integer
      trigger g calls public.f2 disabled
      policy q select to a
    table public.u public=select
      id integer
    function public.f2() -> trigger
");
}

#[test]
fn an_index_of_the_parent_can_be_used_once_every_partition_has_one() {
    const PARENT: &str = "
        CREATE TABLE m (at date, v int) PARTITION BY RANGE (at);
        CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
        CREATE INDEX i ON ONLY m (v); CREATE INDEX i1 ON m1 (v);";
    let valid = |more: &str| {
        let schema = crate::replayed(Dialect::Postgres, &format!("{PARENT} {more}"));
        let parent = schema.relation(&crate::name("public.m")).unwrap().unwrap();
        parent.indexes.iter().find(|index| index.name == "i").unwrap().valid
    };
    let alone = crate::replayed(
        Dialect::Postgres,
        "CREATE TABLE m (v int) PARTITION BY LIST (v); CREATE INDEX i ON ONLY m (v);",
    );
    assert!(alone.relation(&crate::name("public.m")).unwrap().unwrap().indexes[0].valid);
    assert!(!valid(""));
    assert!(!valid("ALTER INDEX i ATTACH PARTITION i1;"));
    assert!(!valid("CREATE INDEX i2 ON m2 (at); ALTER INDEX i ATTACH PARTITION i1;"));
    assert!(valid(
        "ALTER INDEX i ATTACH PARTITION i1; CREATE INDEX i2 ON m2 (v); ALTER INDEX public.i ATTACH PARTITION i2;"
    ));
}

#[test]
fn nobody_takes_after_itself() {
    let schema = crate::replayed(
        Dialect::Postgres,
        "CREATE TABLE a (i int) PARTITION BY LIST (i);
         CREATE TABLE b PARTITION OF a FOR VALUES IN (1) PARTITION BY LIST (i);
         ALTER TABLE b ATTACH PARTITION a FOR VALUES IN (2); ALTER TABLE b ATTACH PARTITION b FOR VALUES IN (3);
         CREATE TABLE c (i int); CREATE TABLE d () INHERITS (c); ALTER TABLE c INHERIT d; ALTER TABLE c INHERIT c;
         ALTER TABLE a ADD COLUMN j int; ALTER TABLE c ADD COLUMN j int;",
    );
    for name in ["public.a", "public.b", "public.c", "public.d"] {
        let relation = schema.relation(&crate::name(name)).unwrap().unwrap();
        assert_eq!(relation.columns.len(), 2, "{name}");
    }
}
