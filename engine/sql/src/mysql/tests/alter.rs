//! ALTER TABLE, DROP, RENAME.

use insta::assert_snapshot;

use super::told;

#[test]
fn columns() {
    assert_snapshot!(told("ALTER TABLE `t` ADD COLUMN `a` INT NOT NULL AFTER `b`, ADD IF NOT EXISTS c VARCHAR(5) FIRST,
        ADD (d INT, KEY (d)), DROP COLUMN IF EXISTS e, DROP f, RENAME COLUMN g TO h, ALTER COLUMN i SET DEFAULT (1 + 2), ALTER j DROP DEFAULT"), @"
    # ALTER TABLE `t` ADD (commits)
      ADD COLUMN `a` INT NOT NULL AFTER `b` => add-column {table name t, column {name a, data_type name int, not_null true}}
      ADD IF NOT EXISTS c VARCHAR(5) FIRST => add-column {table name t, column {name c, data_type {name varchar, modifiers [5]}}, if_not_exists true}
      ADD (d INT, KEY (d)) => add-column {table name t, column {name d, data_type name int}}
      ADD (d INT, KEY (d)) => create-index {table name t, parts [column d], method btree}
      DROP COLUMN IF EXISTS e => drop-column {table name t, column e, if_exists true}
      DROP f => drop-column {table name t, column f}
      RENAME COLUMN g TO h => rename-column {table name t, from g, to h}
      ALTER COLUMN i SET DEFAULT (1 + 2) => set-default {table name t, column i, default {text (1 + 2), volatility immutable}}
      ALTER j DROP DEFAULT => drop-default {table name t, column j}
    ");
}

#[test]
fn a_column_said_anew_loses_what_is_not_said() {
    assert_snapshot!(told("ALTER TABLE t MODIFY COLUMN a BIGINT UNSIGNED NOT NULL AUTO_INCREMENT FIRST, CHANGE b c VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL,
        CHANGE COLUMN d d ENUM('x') DEFAULT 'x' UNIQUE"), @"
    # ALTER TABLE t MODIFY (commits)
      MODIFY COLUMN a BIGINT UNSIGNED NOT NULL AUTO_INCREMENT FIRST => alter-column-type {table name t, column a, to name bigint unsigned}
      MODIFY COLUMN a BIGINT UNSIGNED NOT NULL AUTO_INCREMENT FIRST => set-not-null {table name t, column a}
      MODIFY COLUMN a BIGINT UNSIGNED NOT NULL AUTO_INCREMENT FIRST => drop-default {table name t, column a}
      MODIFY COLUMN a BIGINT UNSIGNED NOT NULL AUTO_INCREMENT FIRST => add-identity {table name t, column a, identity autoincrement}
      CHANGE b c VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL => rename-column {table name t, from b, to c}
      CHANGE b c VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL => alter-column-type {table name t, column c, to {name varchar, modifiers [255]}, collation name utf8mb4_bin}
      CHANGE b c VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL => drop-not-null {table name t, column c}
      CHANGE b c VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL => drop-default {table name t, column c}
      CHANGE b c VARCHAR(255) COLLATE utf8mb4_bin DEFAULT NULL => drop-identity {table name t, column c, if_exists true}
      CHANGE COLUMN d d ENUM('x') DEFAULT 'x' UNIQUE => alter-column-type {table name t, column d, to {name enum, modifiers ['x']}}
      CHANGE COLUMN d d ENUM('x') DEFAULT 'x' UNIQUE => drop-not-null {table name t, column d}
      CHANGE COLUMN d d ENUM('x') DEFAULT 'x' UNIQUE => set-default {table name t, column d, default {text 'x', volatility immutable}}
      CHANGE COLUMN d d ENUM('x') DEFAULT 'x' UNIQUE => drop-identity {table name t, column d, if_exists true}
      CHANGE COLUMN d d ENUM('x') DEFAULT 'x' UNIQUE => add-constraint {table name t, constraint {kind unique columns [d], of_column true}}
    ");
}

#[test]
fn keys_and_constraints() {
    assert_snapshot!(told("ALTER TABLE s.t ADD INDEX i (a), ADD UNIQUE (b), ADD UNIQUE KEY u (c), ADD FULLTEXT f (d), ADD PRIMARY KEY (e),
        ADD CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES o (x, y) ON UPDATE SET NULL, ADD CONSTRAINT CHECK (a > 1), ADD CONSTRAINT k CHECK (b) NOT ENFORCED,
        DROP PRIMARY KEY, DROP INDEX i, DROP KEY IF EXISTS j, DROP FOREIGN KEY fk, DROP CONSTRAINT c1, DROP CHECK c2, RENAME INDEX x TO y"), @"
    # ALTER TABLE s.t ADD (commits)
      ADD INDEX i (a) => create-index {name i, table {schema s, name t}, parts [column a], method btree}
      ADD UNIQUE (b) => add-constraint {table {schema s, name t}, constraint kind unique columns [b]}
      ADD UNIQUE KEY u (c) => add-constraint {table {schema s, name t}, constraint {name u, kind unique columns [c]}}
      ADD FULLTEXT f (d) => create-index {name f, table {schema s, name t}, parts [column d], method fulltext}
      ADD PRIMARY KEY (e) => add-constraint {table {schema s, name t}, constraint kind primary-key columns [e]}
      ADD CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES o (x, y) ON UPDATE SET NULL => add-constraint {table {schema s, name t}, constraint {name fk, kind foreign-key {columns [a, b], references name o, referenced_columns [x, y], on_update set-null, on_delete no-action}}}
      ADD CONSTRAINT CHECK (a > 1) => add-constraint {table {schema s, name t}, constraint kind check expression {text a > 1, volatility immutable, columns [a]}}
      ADD CONSTRAINT k CHECK (b) NOT ENFORCED => add-constraint {table {schema s, name t}, constraint {name k, kind check expression {text b, volatility immutable, columns [b]}}}
      DROP PRIMARY KEY => drop-constraint {table {schema s, name t}, name PRIMARY}
      DROP INDEX i => drop {kind index, name {schema s, name i}, on {schema s, name t}}
      DROP KEY IF EXISTS j => drop {kind index, name {schema s, name j}, on {schema s, name t}, if_exists true}
      DROP FOREIGN KEY fk => drop-constraint {table {schema s, name t}, name fk}
      DROP CONSTRAINT c1 => drop-constraint {table {schema s, name t}, name c1}
      DROP CHECK c2 => drop-constraint {table {schema s, name t}, name c2}
      RENAME INDEX x TO y => rename {kind index, from {schema s, name x}, on {schema s, name t}, to y}
    ");
}

#[test]
fn the_rest_is_kept_as_written() {
    assert_snapshot!(told("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, ENGINE=InnoDB, ALGORITHM=COPY, LOCK=SHARED;
        ALTER TABLE t ALTER INDEX i INVISIBLE; ALTER TABLE t ORDER BY a, b DESC; ALTER TABLE t DROP PARTITION p0, p1;
        ALTER TABLE t TRUNCATE PARTITION p0; ALTER ONLINE IGNORE TABLE IF EXISTS t WAIT 5 FORCE;
        ALTER TABLE t REORGANIZE PARTITION a, b INTO (PARTITION c VALUES LESS THAN (5)); ALTER DATABASE d CHARACTER SET latin1; ALTER TABLE t"), @"
    # ALTER TABLE t CONVERT (commits)
      CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin => other {tag alter-table, objects [name t], details [[clause, convert to character set], [text, CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin]]}
      ENGINE=InnoDB => other {tag alter-table, objects [name t], details [[clause, engine], [text, ENGINE=InnoDB]]}
      ALGORITHM=COPY => other {tag alter-table, objects [name t], details [[clause, algorithm], [text, ALGORITHM=COPY]]}
      LOCK=SHARED => other {tag alter-table, objects [name t], details [[clause, lock], [text, LOCK=SHARED]]}
    # ALTER TABLE t ALTER (commits)
      ALTER INDEX i INVISIBLE => other {tag alter-table, objects [name t], details [[clause, alter index i invisible], [text, ALTER INDEX i INVISIBLE]]}
    # ALTER TABLE t ORDER (commits)
      ORDER BY a => other {tag alter-table, objects [name t], details [[clause, order by a], [text, ORDER BY a]]}
    # ALTER TABLE t DROP (commits)
      DROP PARTITION p0 => delete {table name t, filtered true}
      DROP PARTITION p0 => other {tag alter-table, objects [name t], details [[clause, drop partition p0], [text, DROP PARTITION p0]]}
    # ALTER TABLE t TRUNCATE (commits)
      TRUNCATE PARTITION p0 => delete {table name t, filtered true}
    # ALTER ONLINE IGNORE TABLE (commits)
      FORCE => other {tag alter-table, objects [name t], details [[clause, force], [text, FORCE]]}
    # ALTER TABLE t REORGANIZE (commits)
      REORGANIZE PARTITION a => other {tag alter-table, objects [name t], details [[clause, reorganize partition a], [text, REORGANIZE PARTITION a]]}
    # ALTER DATABASE d CHARACTER (commits)
      other {tag alter-database, objects [name d]}
    # ALTER TABLE t (commits)
    ");
}

#[test]
fn names_and_what_goes() {
    assert_snapshot!(told("RENAME TABLE a TO b, s.c TO r.d; ALTER TABLE a RENAME TO s.b, ADD c INT; ALTER TABLE a RENAME b;
        DROP TABLE IF EXISTS a, s.b CASCADE; DROP TEMPORARY TABLE c; DROP VIEW v; DROP DATABASE d; DROP SCHEMA IF EXISTS e;
        DROP INDEX i ON s.t ALGORITHM=INPLACE; DROP TRIGGER s.tr; DROP PROCEDURE p; DROP FUNCTION IF EXISTS f; DROP EVENT e; DROP USER 'a'@'b'; TRUNCATE t; TRUNCATE TABLE s.t"), @"
    # RENAME TABLE a TO (commits)
      a TO b => rename {kind table, from name a, to b}
      s.c TO r.d => set-schema {kind table, name {schema s, name c}, to r}
      s.c TO r.d => rename {kind table, from {schema r, name c}, to d}
    # ALTER TABLE a RENAME (commits)
      RENAME TO s.b => set-schema {kind table, name name a, to s}
      RENAME TO s.b => rename {kind table, from {schema s, name a}, to b}
      ADD c INT => add-column {table {schema s, name b}, column {name c, data_type name int}}
    # ALTER TABLE a RENAME (commits)
      RENAME b => rename {kind table, from name a, to b}
    # DROP TABLE IF EXISTS (commits)
      drop {kind table, name name a, if_exists true}
      drop {kind table, name {schema s, name b}, if_exists true}
    # DROP TEMPORARY TABLE c (may be rolled back)
      other tag drop-temporary
    # DROP VIEW v (commits)
      drop {kind view, name name v}
    # DROP DATABASE d (commits)
      drop {kind database, name name d}
    # DROP SCHEMA IF EXISTS (commits)
      drop {kind database, name name e, if_exists true}
    # DROP INDEX i ON (commits)
      drop {kind index, name {schema s, name i}, on {schema s, name t}}
    # DROP TRIGGER s.tr (commits)
      drop {kind trigger, name {schema s, name tr}}
    # DROP PROCEDURE p (commits)
      drop {kind procedure, name name p}
    # DROP FUNCTION IF EXISTS (commits)
      drop {kind function, name name f, if_exists true}
    # DROP EVENT e (commits)
      other {tag drop-event, objects [name e]}
    # DROP USER 'a'@'b' (commits)
      other tag drop-user
    # TRUNCATE t (commits)
      truncate {table name t, restart_identity true}
    # TRUNCATE TABLE s.t (commits)
      truncate {table {schema s, name t}, restart_identity true}
    ");
}
