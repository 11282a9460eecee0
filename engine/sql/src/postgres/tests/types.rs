//! Data types and the statements that make them.

use insta::assert_snapshot;

use super::shown;

#[test]
fn spelling() {
    let statements = [
        r#"CREATE TABLE t (a int, b int2, c int8, d float4, e float, f float(10), g bool, h varchar(10), i varchar, j char, k char(3), l "char", m bpchar, n text)"#,
        "CREATE TABLE t (a timestamp, b timestamp(3), c timestamptz, d timestamptz(6), e time(2), f time with time zone, g interval, h interval(3), i interval year to month, j interval day to second(2), k date)",
        "CREATE TABLE t (a numeric, b numeric(10), c decimal(10,2), d bit, e bit varying(5), f int[], g text[][], h varchar(3)[4], i int ARRAY, j jsonb, k bytea, l uuid)",
        r#"CREATE TABLE t (a "MyEnum", b s.my_type, c "MyEnum"[], d vector(3), e geometry(Point, 4326), f pg_catalog.int4, g bigserial, h smallserial, i xml, j oid, k money)"#,
    ];
    assert_snapshot!(shown(&statements), @r#"
    CREATE TABLE t (a int, b int2, c int8, d float4, e float, f float(10), g bool, h varchar(10), i varchar, j char, k char(3), l "char", m bpchar, n text)
      {create-table={name=t columns=[{name=a data_type="integer"}, {name=b data_type="smallint"}, {name=c data_type="bigint"}, {name=d data_type="real"}, {name=e data_type="double precision"}, {name=f data_type="real"}, {name=g data_type="boolean"}, {name=h data_type={name=character varying modifiers=[10]}}, {name=i data_type="character varying"}, {name=j data_type={name=character modifiers=[1]}}, {name=k data_type={name=character modifiers=[3]}}, {name=l data_type="""char"""}, {name=m data_type=bpchar}, {name=n data_type=text}]}}
    CREATE TABLE t (a timestamp, b timestamp(3), c timestamptz, d timestamptz(6), e time(2), f time with time zone, g interval, h interval(3), i interval year to month, j interval day to second(2), k date)
      {create-table={name=t columns=[{name=a data_type="timestamp without time zone"}, {name=b data_type={name=timestamp without time zone modifiers=[3]}}, {name=c data_type="timestamp with time zone"}, {name=d data_type={name=timestamp with time zone modifiers=[6]}}, {name=e data_type={name=time without time zone modifiers=[2]}}, {name=f data_type="time with time zone"}, {name=g data_type="interval"}, {name=h data_type={name=interval modifiers=[3]}}, {name=i data_type="interval year to month"}, {name=j data_type={name=interval day to second modifiers=[2]}}, {name=k data_type=date}]}}
    CREATE TABLE t (a numeric, b numeric(10), c decimal(10,2), d bit, e bit varying(5), f int[], g text[][], h varchar(3)[4], i int ARRAY, j jsonb, k bytea, l uuid)
      {create-table={name=t columns=[{name=a data_type="numeric"}, {name=b data_type={name=numeric modifiers=[10, 0]}}, {name=c data_type={name=numeric modifiers=[10, 2]}}, {name=d data_type={name=bit modifiers=[1]}}, {name=e data_type={name=bit varying modifiers=[5]}}, {name=f data_type={name=integer dimensions=1}}, {name=g data_type={name=text dimensions=2}}, {name=h data_type={name=character varying modifiers=[3] dimensions=1}}, {name=i data_type={name=integer dimensions=1}}, {name=j data_type=jsonb}, {name=k data_type=bytea}, {name=l data_type=uuid}]}}
    CREATE TABLE t (a "MyEnum", b s.my_type, c "MyEnum"[], d vector(3), e geometry(Point, 4326), f pg_catalog.int4, g bigserial, h smallserial, i xml, j oid, k money)
      {create-table={name=t columns=[{name=a data_type="MyEnum"}, {name=b data_type=s.my_type}, {name=c data_type={name=MyEnum dimensions=1}}, {name=d data_type={name=vector modifiers=[3]}}, {name=e data_type={name=geometry modifiers=[point, 4326]}}, {name=f data_type="integer"}, {name=g data_type="bigint" serial not_null}, {name=h data_type="smallint" serial not_null}, {name=i data_type=xml}, {name=j data_type=oid}, {name=k data_type=money}]}}
    "#);
}

#[test]
fn statements() {
    let statements = [
        r#"CREATE TYPE "Role" AS ENUM ('A', 'it''s')"#,
        "ALTER TYPE s.role ADD VALUE IF NOT EXISTS 'x' BEFORE 'a'",
        "ALTER TYPE role ADD VALUE 'y' AFTER 'b'",
        "ALTER TYPE role ADD VALUE 'z'",
        "ALTER TYPE role RENAME VALUE 'a' TO 'b'",
        r#"CREATE DOMAIN email AS varchar(100) COLLATE "C" DEFAULT 'x' NOT NULL CONSTRAINT c CHECK (VALUE ~ '@') CHECK (length(VALUE) > 3)"#,
        "ALTER DOMAIN d SET DEFAULT 1 + 1",
        "ALTER DOMAIN d DROP DEFAULT",
        "ALTER DOMAIN d SET NOT NULL",
        "ALTER DOMAIN d DROP NOT NULL",
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID",
        "ALTER DOMAIN d DROP CONSTRAINT IF EXISTS c",
        "ALTER DOMAIN d VALIDATE CONSTRAINT c",
        "ALTER DOMAIN d RENAME CONSTRAINT a TO b",
        r#"CREATE TYPE pair AS (a int, b text COLLATE "C")"#,
        "ALTER TYPE pair RENAME ATTRIBUTE a TO b",
        "CREATE TYPE r AS RANGE (subtype = float8)",
        "CREATE TYPE base (INPUT = f, OUTPUT = g)",
    ];
    assert_snapshot!(shown(&statements), @r#"
    CREATE TYPE "Role" AS ENUM ('A', 'it''s')
      {create-enum={name="Role" values=[A, it's]}}
    ALTER TYPE s.role ADD VALUE IF NOT EXISTS 'x' BEFORE 'a'
      {add-enum-value={name=s.role value=x if_not_exists before=a}}
    ALTER TYPE role ADD VALUE 'y' AFTER 'b'
      {add-enum-value={name=role value=y after=b}}
    ALTER TYPE role ADD VALUE 'z'
      {add-enum-value={name=role value=z}}
    ALTER TYPE role RENAME VALUE 'a' TO 'b'
      {rename-enum-value={name=role from=a to=b}}
    CREATE DOMAIN email AS varchar(100) COLLATE "C" DEFAULT 'x' NOT NULL CONSTRAINT c CHECK (VALUE ~ '@') CHECK (length(VALUE) > 3)
      {create-domain={name=email data_type={name=character varying modifiers=[100]} not_null default=`'x'` immutable constraints=[{name=c kind={check={expression=`VALUE ~ '@'` immutable[value]}}}, {kind={check={expression=`length(VALUE) > 3` stable[value]}}}] collation="C"}}
    ALTER DOMAIN d SET DEFAULT 1 + 1
      {alter-domain={name=d change={set-default=`1 + 1` immutable}}}
    ALTER DOMAIN d DROP DEFAULT
      {alter-domain={name=d change={}}}
    ALTER DOMAIN d SET NOT NULL
      {alter-domain={name=d change={set-not-null}}}
    ALTER DOMAIN d DROP NOT NULL
      {alter-domain={name=d change={}}}
    ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID
      {alter-domain={name=d change={add-constraint={name=c kind={check={expression=`VALUE > 0` immutable[value]}} not_valid}}}}
    ALTER DOMAIN d DROP CONSTRAINT IF EXISTS c
      {alter-domain={name=d change={drop-constraint={name=c if_exists}}}}
    ALTER DOMAIN d VALIDATE CONSTRAINT c
      {alter-domain={name=d change={validate-constraint=c}}}
    ALTER DOMAIN d RENAME CONSTRAINT a TO b
      {alter-domain={name=d change={rename-constraint={from=a to=b}}}}
    CREATE TYPE pair AS (a int, b text COLLATE "C")
      {create-composite={name=pair attributes=[{name=a data_type="integer"}, {name=b data_type=text collation="C"}]}}
    ALTER TYPE pair RENAME ATTRIBUTE a TO b
      {alter-composite={name=pair text=RENAME ATTRIBUTE a TO b}}
    CREATE TYPE r AS RANGE (subtype = float8)
      {create-other-type={name=r definition=CREATE TYPE r AS RANGE (subtype = float8)}}
    CREATE TYPE base (INPUT = f, OUTPUT = g)
      {create-other-type={name=base definition=CREATE TYPE base (INPUT = f, OUTPUT = g)}}
    "#);
}
