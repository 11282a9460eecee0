//! The statements, one kind a line.

mod columns;
mod objects;

pub use columns::SINCE_17;

/// One statement, and what there is before it besides [`COMMON`].
pub struct Case {
    pub before: &'static str,
    pub statement: &'static str,
    /// It reads tables as queries do, which the planner decides.
    pub queries: bool,
}

const fn on(before: &'static str, statement: &'static str) -> Case {
    Case {
        before,
        statement,
        queries: false,
    }
}

const fn case(statement: &'static str) -> Case {
    on("", statement)
}

const fn query(before: &'static str, statement: &'static str) -> Case {
    Case {
        before,
        statement,
        queries: true,
    }
}

/// What most cases start from.
pub const COMMON: &str = "
    CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(100), age integer NOT NULL DEFAULT 0, name text,
        born date, price numeric(10, 2), at timestamp, CONSTRAINT age_positive CHECK (age >= 0));
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL, note varchar(50),
        total integer, CONSTRAINT orders_user_fkey FOREIGN KEY (user_id) REFERENCES users (id));
    CREATE TABLE plain (a integer, b text, c integer);
    CREATE INDEX users_email_idx ON users (email);
    CREATE TABLE parted (id integer NOT NULL, kind text, CONSTRAINT parted_pkey PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
    CREATE TABLE base (x integer);
    CREATE TABLE derived (y integer) INHERITS (base);
    CREATE VIEW adults AS SELECT id, name FROM users WHERE age > 17;
    CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;
    CREATE UNIQUE INDEX totals_user ON totals (user_id);
    CREATE SEQUENCE counter;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    INSERT INTO users (email) VALUES ('a'), ('b');
    INSERT INTO orders (user_id) VALUES (1);
    INSERT INTO plain VALUES (1, 'x', 1), (2, 'y', 2);
    INSERT INTO parted VALUES (1, 'x'), (11, 'y');
";

/// The whole table.
pub fn all() -> impl Iterator<Item = &'static Case> {
    columns::CASES.iter().chain(objects::CASES)
}
