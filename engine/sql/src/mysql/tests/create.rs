//! CREATE of tables, indexes, views and stored programs.

use insta::assert_snapshot;

use super::told;

#[test]
fn a_table_as_prisma_makes_it() {
    assert_snapshot!(told("CREATE TABLE `User` (
    `id` INTEGER NOT NULL AUTO_INCREMENT,
    `email` VARCHAR(191) NOT NULL,
    `role` ENUM('USER', 'it''s') NOT NULL DEFAULT 'USER',
    `createdAt` DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),

    UNIQUE INDEX `User_email_key`(`email`),
    INDEX `User_role_idx`(`role`),
    PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
ALTER TABLE `Post` ADD CONSTRAINT `Post_authorId_fkey` FOREIGN KEY (`authorId`) REFERENCES `User`(`id`) ON DELETE RESTRICT ON UPDATE CASCADE;"), @"
    # CREATE TABLE `User` ( (commits)
      create-table {name name User, columns [{name id, data_type name int, not_null true, identity autoincrement}, {name email, data_type {name varchar, modifiers [191]}, not_null true}, {name role, data_type {name enum, modifiers ['USER', 'it''s']}, not_null true, default {text 'USER', volatility immutable}}, {name createdAt, data_type {name datetime, modifiers [3]}, not_null true, default {text CURRENT_TIMESTAMP(3), volatility stable}}], constraints [{name User_email_key, kind unique columns [email]}, kind primary-key columns [id]], options [[character set, utf8mb4], [collate, utf8mb4_unicode_ci]]}
      INDEX `User_role_idx`(`role`) => create-index {name User_role_idx, table name User, parts [column role], method btree}
    # ALTER TABLE `Post` ADD (commits)
      ADD CONSTRAINT `Post_authorId_fkey` FOREIGN KEY (`authorId`) REFERENCES `User`(`id`) ON DELETE RESTRICT ON UPDATE CASCADE => add-constraint {table name Post, constraint {name Post_authorId_fkey, kind foreign-key {columns [authorId], references name User, referenced_columns [id], on_update cascade, on_delete restrict}}}
    ");
}

#[test]
fn types_are_named_as_the_server_prints_them() {
    let types = [
        ("INTEGER", "int"),
        ("int(11) UNSIGNED", "int unsigned"),
        ("INT(5) ZEROFILL", "int(5) unsigned zerofill"),
        ("TINYINT(1)", "tinyint(1)"),
        ("BOOLEAN", "tinyint(1)"),
        ("tinyint(1) unsigned", "tinyint unsigned"),
        ("SERIAL", "bigint unsigned"),
        ("DOUBLE PRECISION", "double"),
        ("REAL", "double"),
        ("FLOAT(24)", "float"),
        ("DEC", "decimal(10,0)"),
        ("NUMERIC(12 , 2)", "decimal(12,2)"),
        ("CHARACTER VARYING (20) CHARACTER SET latin1", "varchar(20)"),
        ("NATIONAL VARCHAR(5)", "varchar(5)"),
        ("CHAR", "char(1)"),
        ("LONG VARBINARY", "mediumblob"),
        ("LONG", "mediumtext"),
        ("BIT", "bit(1)"),
        ("DATETIME(0)", "datetime"),
        ("DATETIME(3)", "datetime(3)"),
        ("YEAR(4)", "year"),
        ("ENUM ( 'a' ,\"b)\" )", "enum('a',\"b)\")"),
        ("JSON", "json"),
        ("GEOMETRY NOT NULL SRID 4326", "geometry"),
        ("MULTIPOLYGON", "multipolygon"),
    ];
    for (written, printed) in types {
        let script = super::script(&format!("CREATE TABLE t (c {written}, d INT)"));
        let crate::Operation::CreateTable(table) = &script.statements[0].effects[0].operation else {
            panic!("{written}");
        };
        assert_eq!(
            table.columns[0].data_type.sql(crate::Dialect::Mysql),
            printed,
            "{written}"
        );
        assert_eq!(table.columns.len(), 2, "{written}");
    }
}

#[test]
fn columns_with_everything() {
    assert_snapshot!(told("create table if not exists shop.t (
        a serial, b varchar(5) character set latin1 collate latin1_bin comment 'it''s; default 5' default 'x' unique,
        c timestamp(3) null default current_timestamp(3) on update current_timestamp(3), d int default -5 check (d < 0),
        e int default (rand() * 10) primary key, f int as (d + 1) virtual, g int generated always as (d * 2) stored not null invisible,
        h int references other (id) on delete set null on update no action, i varchar(36) default uuid(), `größe``x` int default null,
        constraint c1 check (d > a and lower(b) <> 'END'), key k (b(10) desc, (a + 1)) using hash invisible, spatial index (b),
        constraint u1 unique u2 using btree (a, d), foreign key named (d, e) references shop.other (x, y) match full on delete cascade
    ) engine = InnoDB, auto_increment 10, comment = 'a,b' partition by key (a) partitions 4"), @"
    # create table if not (commits)
      create-table {name {schema shop, name t}, if_not_exists true, columns [{name a, data_type name bigint unsigned, not_null true, identity autoincrement}, {name b, data_type {name varchar, modifiers [5]}, default {text 'x', volatility immutable}, collation name latin1_bin, options [[character set, latin1]]}, {name c, data_type {name timestamp, modifiers [3]}, default {text current_timestamp(3), volatility stable}, options [[on update, current_timestamp(3)]]}, {name d, data_type name int, default {text -5, volatility immutable}}, {name e, data_type name int, default {text (rand() * 10), volatility volatile}}, {name f, data_type name int, generated expression {text d + 1, volatility immutable, columns [d]}}, {name g, data_type name int, not_null true, generated {expression {text d * 2, volatility immutable, columns [d]}, stored true}, options [[visibility, invisible]]}, {name h, data_type name int}, {name i, data_type {name varchar, modifiers [36]}, default {text uuid(), volatility volatile}}, {name größe`x, data_type name int, default {text null, is_null true, volatility immutable}}], constraints [{kind unique columns [a], of_column true}, {kind unique columns [b], of_column true}, {kind check expression {text d < 0, volatility immutable, columns [d]}, of_column true}, {kind primary-key columns [e], of_column true}, {kind foreign-key {columns [h], references name other, referenced_columns [id], on_update no-action, on_delete set-null}, of_column true}, {name c1, kind check expression {text d > a and lower(b) <> 'END', volatility immutable, columns [d, a, b]}}, {name u2, kind unique columns [a, d]}, {name named, kind foreign-key {columns [d, e], references {schema shop, name other}, referenced_columns [x, y], on_update no-action, on_delete cascade, match_full true}}], partition_by key (a) partitions 4, options [[engine, InnoDB], [auto_increment, 10], [comment, 'a,b']]}
      key k (b(10) desc, (a + 1)) using hash invisible => create-index {name k, table {schema shop, name t}, parts [{column b, descending true}, expression a + 1], method hash, options [[prefix, b(10)], [visibility, invisible]]}
      spatial index (b) => create-index {table {schema shop, name t}, parts [column b], method spatial}
    ");
}

#[test]
fn tables_made_of_others() {
    assert_snapshot!(told("CREATE TABLE a LIKE b; CREATE TABLE a (LIKE s.b);
        CREATE TEMPORARY TABLE t ENGINE=MEMORY AS SELECT x FROM b JOIN c USING (x);
        CREATE OR REPLACE TABLE r (id INT) WITH SYSTEM VERSIONING;
        CREATE TABLE p (id INT) IGNORE SELECT id FROM q"), @"
    # CREATE TABLE a LIKE (commits)
      create-table {name name a, like [[name b, [defaults, indexes, constraints, generated, identity]]]}
    # CREATE TABLE a (LIKE (commits)
      create-table {name name a, like [[{schema s, name b}, [defaults, indexes, constraints, generated, identity]]]}
    # CREATE TEMPORARY TABLE t (may be rolled back)
      create-table {name name t, temporary true, as_query SELECT x FROM b JOIN c USING (x), reads [name b, name c], options [[engine, MEMORY]]}
    # CREATE OR REPLACE TABLE (commits)
      drop {kind table, name name r, if_exists true}
      create-table {name name r, columns [{name id, data_type name int}], options [[system versioning, true]]}
    # CREATE TABLE p (id (commits)
      create-table {name name p, columns [{name id, data_type name int}], as_query SELECT id FROM q, reads [name q]}
    ");
}

#[test]
fn indexes_and_views() {
    assert_snapshot!(told("CREATE UNIQUE INDEX i ON s.t (a, b(5)) ALGORITHM=INPLACE LOCK=NONE;
        CREATE FULLTEXT INDEX f ON t (a) WITH PARSER ngram; CREATE INDEX h USING HASH ON t ((lower(a)));
        CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`root`@`%` SQL SECURITY INVOKER VIEW v (x, y) AS
            WITH c (n) AS (SELECT 1 FROM base), d AS (SELECT n FROM c)
            SELECT EXTRACT(YEAR FROM now()), t.x FROM s.t, d, (SELECT z FROM inner1 JOIN (inner2, inner3) ON 1) AS q LEFT JOIN u ON u.id = (SELECT max(id) FROM sub)
            WHERE 'FROM no' <> `FROM` UNION SELECT 1, 2 FROM last;
        ALTER VIEW v AS SELECT 1"), @"
    # CREATE UNIQUE INDEX i (commits)
      create-index {name i, table {schema s, name t}, parts [column a, column b], unique true, method btree, options [[prefix, b(5)]]}
    # CREATE FULLTEXT INDEX f (commits)
      create-index {name f, table name t, parts [column a], method fulltext, options [[parser, ngram]]}
    # CREATE INDEX h USING (commits)
      create-index {name h, table name t, parts [expression lower(a)], method hash}
    # CREATE OR REPLACE ALGORITHM=MERGE (commits)
      create-view {name name v, or_replace true, columns [x, y], query WITH c (n) AS (SELECT 1 FROM base), d AS (SELECT n FROM c)
                SELECT EXTRACT(YEAR FROM now()), t.x FROM s.t, d, (SELECT z FROM inner1 JOIN (inner2, inner3) ON 1) AS q LEFT JOIN u ON u.id = (SELECT max(id) FROM sub)
                WHERE 'FROM no' <> `FROM` UNION SELECT 1, 2 FROM last, reads [name base, {schema s, name t}, name inner1, name inner2, name inner3, name u, name sub, name last]}
    # ALTER VIEW v AS (commits)
      create-view {name name v, or_replace true, query SELECT 1}
    ");
}

#[test]
fn stored_programs_are_one_statement() {
    assert_snapshot!(told("CREATE DEFINER=`a`@`b` TRIGGER s.tr BEFORE INSERT ON t FOR EACH ROW BEGIN IF NEW.a THEN SET NEW.a = 1; END IF; END;
        CREATE OR REPLACE PROCEDURE p(IN a INT) BEGIN DELETE FROM t; END;
        CREATE FUNCTION s.f(a INT) RETURNS VARCHAR(20) SQL SECURITY INVOKER RETURN a;
        CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; DELETE FROM u; END;
        SELECT 1"), @"
    # CREATE DEFINER=`a`@`b` TRIGGER s.tr (commits)
      create-trigger {name tr, table {schema s, name t}}
    # CREATE OR REPLACE PROCEDURE (commits)
      create-function {name name p, kind procedure, or_replace true, language sql, body BEGIN DELETE FROM t; END, security_definer true, volatility unknown, opaque true}
    # CREATE FUNCTION s.f(a INT) (commits)
      create-function {name {schema s, name f}, kind function, returns varchar(20), language sql, body SQL SECURITY INVOKER RETURN a, volatility unknown, opaque true}
    # CREATE EVENT e ON (commits)
      other {tag create-event, objects [name e]}
    # SELECT 1 (may be rolled back)
    ");
}
