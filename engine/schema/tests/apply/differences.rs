//! Differences in words.

use tollgate_schema::difference::{Options, Place, compare};
use tollgate_sql::Dialect;

use crate::replayed;

const LEFT: &str = "
    CREATE TYPE role AS ENUM ('a', 'b');
    CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL DEFAULT now(), gone int, role role, CHECK (id > 0));
    CREATE UNIQUE INDEX users_email ON users (email);
    CREATE TABLE only_left (id int);
    CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';";
const RIGHT: &str = "
    CREATE TYPE role AS ENUM ('a', 'c');
    CREATE TABLE users (id serial PRIMARY KEY, email varchar(20) DEFAULT CURRENT_TIMESTAMP, role role[], extra int REFERENCES users, CHECK (id > 1));
    CREATE INDEX users_email ON users (email DESC) WHERE email <> '';
    CREATE VIEW only_right AS SELECT 1;
    CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 1';";

#[test]
fn differences_are_told_in_words() {
    let (left, right) = (replayed(Dialect::Postgres, LEFT), replayed(Dialect::Postgres, RIGHT));
    let normalise = |_: Place<'_>, text: &str| text.replace("now()", "CURRENT_TIMESTAMP");
    let options = Options {
        left: "the migrations",
        right: "the database",
        normalise: &normalise,
        ..Options::default()
    };
    let found: Vec<_> = compare(&left, &right, &options)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(found.join("\n"), @"
    function public.f(integer): only in the migrations
    function public.f(text): only in the database
    table public.only_left: only in the migrations
    table public.users: column email: not null: yes in the migrations, no in the database
    table public.users: column email: type: text in the migrations, character varying(20) in the database
    table public.users: column extra: only in the database
    table public.users: column gone: only in the migrations
    table public.users: column role: type: public.role in the migrations, public.role[] in the database
    table public.users: constraint users_extra_fkey: only in the database
    table public.users: constraint users_id_check: condition: `id > 0` in the migrations, `id > 1` in the database
    table public.users: index users_email: condition: none in the migrations, `email <> ''` in the database
    table public.users: index users_email: keys: (email) in the migrations, (email desc nulls first) in the database
    table public.users: index users_email: unique: yes in the migrations, no in the database
    type public.role: values: (a, b) in the migrations, (a, c) in the database
    view public.only_right: only in the database
");
}

#[test]
fn equal_schemas_have_none() {
    let schema = replayed(Dialect::Postgres, LEFT);
    assert_eq!(compare(&schema, &schema.clone(), &Options::default()).unwrap(), []);
}
