//! `MySQL` statements and what becomes of the schema. The first history was run on MariaDB 10.11, whose catalog says the
//! same.

use tollgate_schema::{Context, Schema};
use tollgate_sql::Dialect;
use tollgate_sql::operation::ObjectKind;

use crate::{apply, name, replayed};

fn outline(text: &str) -> String {
    crate::outline(Dialect::Mysql, text)
}

const HISTORY: &[&str] = &[
    "CREATE TABLE `User` (
        `id` INTEGER NOT NULL AUTO_INCREMENT, `email` VARCHAR(191) NOT NULL, `name` VARCHAR(191) NULL DEFAULT NULL,
        `role` ENUM('USER', 'ADMIN') NOT NULL DEFAULT 'USER', `balance` DECIMAL(12, 2) UNSIGNED NOT NULL DEFAULT 0,
        `createdAt` DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        UNIQUE INDEX `User_email_key`(`email`), INDEX `User_name_idx`(`name`), PRIMARY KEY (`id`)
    ) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
    "CREATE TABLE `Post` (
        `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, `authorId` INTEGER NOT NULL, `editorId` INT NULL, `title` VARCHAR(191) NOT NULL,
        `body` TEXT NULL, `published` BOOLEAN NOT NULL DEFAULT false, PRIMARY KEY (`id`), FULLTEXT INDEX `ft`(`title`, `body`)
    );
    ALTER TABLE `Post` ADD CONSTRAINT `Post_authorId_fkey` FOREIGN KEY (`authorId`) REFERENCES `User`(`id`) ON DELETE RESTRICT ON UPDATE CASCADE;
    ALTER TABLE `Post` ADD FOREIGN KEY (editorId) REFERENCES User (id) ON DELETE SET NULL;",
    "ALTER TABLE `Post` ADD COLUMN slug VARCHAR(50) NOT NULL DEFAULT '' AFTER title, ADD UNIQUE (slug), ADD INDEX (authorId, published),
        MODIFY title VARCHAR(255) NULL, ADD CHECK (length(title) > 1), ADD words INT AS (length(body)) STORED;
    ALTER TABLE user_missing ADD a INT;
    CREATE INDEX `User_name_idx` ON `Post`(`title`(10), `id` DESC);
    RENAME TABLE `Post` TO `Article`;",
    "ALTER TABLE Article RENAME COLUMN BODY TO text, DROP COLUMN published, RENAME INDEX slug TO Article_slug_key;
    ALTER TABLE User CHANGE name full_name VARCHAR(100) NOT NULL DEFAULT 'nobody', DROP INDEX user_NAME_idx, MODIFY createdAt DATETIME(6) NOT NULL, MODIFY role ENUM('ADMIN', 'USER', 'GUEST'),
        ALTER COLUMN balance DROP DEFAULT;
    CREATE TABLE Copied LIKE User;
    CREATE VIEW Authors AS SELECT u.id, u.full_name FROM User u WHERE EXISTS (SELECT 1 FROM Article a WHERE a.authorId = u.id);
    DROP TRIGGER IF EXISTS nothing;",
];

#[test]
fn a_history_makes_what_the_server_makes() {
    insta::assert_snapshot!(outline(&HISTORY.concat()), @"
    table Article
      id bigint unsigned not null autoincrement
      authorId int not null
      editorId int
      title varchar(255)
      text text
      slug varchar(50) not null default ''
      words int generated (length(`text`)) stored
      constraint Article_chk_1 check (length(title) > 1)
      constraint Article_ibfk_1 foreign key (editorId) -> User (id) on delete SetNull
      constraint Article_slug_key unique (slug)
      constraint PRIMARY primary key (id)
      constraint Post_authorId_fkey foreign key (authorId) -> User (id) on update Cascade on delete Restrict
      unique index Article_slug_key (slug)
      unique index PRIMARY (id) of constraint
      index User_name_idx (title, id desc)
      index authorId (authorId)
      index editorId (editorId)
      index ft (title, text) using fulltext
    view Authors reads User reads Article
    table Copied
      id int not null autoincrement
      email varchar(191) not null
      full_name varchar(100) not null default 'nobody'
      role enum('ADMIN','USER','GUEST')
      balance decimal(12,2) unsigned not null
      createdAt datetime(6) not null
      constraint PRIMARY primary key (id)
      constraint User_email_key unique (email)
      unique index PRIMARY (id) of constraint
      unique index User_email_key (email)
    table User
      id int not null autoincrement
      email varchar(191) not null
      full_name varchar(100) not null default 'nobody'
      role enum('ADMIN','USER','GUEST')
      balance decimal(12,2) unsigned not null
      createdAt datetime(6) not null
      constraint PRIMARY primary key (id)
      constraint User_email_key unique (email)
      unique index PRIMARY (id) of constraint
      unique index User_email_key (email)
    ");
}

#[test]
fn what_goes_takes_nothing_along() {
    insta::assert_snapshot!(outline("
        CREATE TABLE a (id INT PRIMARY KEY, b INT, c INT, UNIQUE KEY bc (b, c), KEY cb (c, b), CHECK (b > 0), CHECK (c > 0));
        CREATE TABLE d (id INT PRIMARY KEY, a INT, CONSTRAINT fk FOREIGN KEY (a) REFERENCES a (id));
        CREATE VIEW v AS SELECT * FROM a;
        CREATE TABLE other.a (id INT);
        CREATE TRIGGER t BEFORE INSERT ON d FOR EACH ROW SET NEW.a = 1;
        ALTER TABLE a DROP COLUMN B;
        ALTER TABLE d DROP FOREIGN KEY FK;
        SET foreign_key_checks = 0; DROP TABLE A; DROP TABLE other.a;
    "), @"
    table a
      id int not null
      c int
      constraint PRIMARY primary key (id)
      constraint a_chk_2 check (c > 0)
      constraint bc unique (c)
      unique index PRIMARY (id) of constraint
      unique index bc (c)
      index cb (c)
    table d
      id int not null
      a int
      constraint PRIMARY primary key (id)
      unique index PRIMARY (id) of constraint
      index fk (a)
      trigger t
    view v reads a
    ");
}

#[test]
fn references_beside_a_column_count_where_the_server_honours_them() {
    let text = "CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (a INT REFERENCES a (id), c INT CHECK (c > 0));";
    for (version, keys) in [
        (None, vec!["b_chk_1"]),
        (Some((8, 4, 0)), vec!["b_chk_1"]),
        (Some((9, 0, 0)), vec!["b_chk_1", "b_ibfk_1"]),
        (Some((10, 4, 0)), vec!["CONSTRAINT_1"]),
        (Some((10, 11, 0)), vec!["CONSTRAINT_1", "b_ibfk_1"]),
    ] {
        let mut schema = Schema::empty(Context {
            server_version: version,
            ..Context::new(Dialect::Mysql)
        });
        apply(&mut schema, text);
        let found = schema.relation(&name("b")).unwrap().unwrap();
        let names: Vec<_> = found
            .constraints
            .iter()
            .map(|constraint| constraint.name.as_str())
            .collect();
        assert_eq!(names, keys, "{version:?}");
    }
}

#[test]
fn names_of_tables_are_told_apart_by_case_those_inside_are_not() {
    let schema = replayed(
        Dialect::Mysql,
        "CREATE TABLE Users (Id INT, KEY k (ID)); CREATE TABLE users (id INT, KEY k (id)); ALTER TABLE Users DROP COLUMN iD, DROP INDEX K, ADD x INT;",
    );
    assert_eq!(schema.relation(&name("Users")).unwrap().unwrap().columns[0].name, "x");
    assert!(schema.relation(&name("Users")).unwrap().unwrap().indexes.is_empty());
    assert_eq!(schema.relation(&name("users")).unwrap().unwrap().indexes.len(), 1);
    assert_eq!(schema.exists(ObjectKind::Table, &name("USERS")).unwrap(), Some(false));
}

#[test]
fn a_database_may_be_named_or_not() {
    let schema = replayed(
        Dialect::Mysql,
        "CREATE TABLE t (a INT); ALTER TABLE shop.t ADD b INT; CREATE TABLE other.t (c INT); ALTER TABLE other.t ADD d INT;",
    );
    let columns = |table: &str| schema.relation(&name(table)).unwrap().map(|found| found.columns.len());
    assert_eq!(columns("t"), Some(2));
    assert_eq!(columns("shop.t"), Some(2));
    assert_eq!(columns("other.t"), Some(2));
    assert_eq!(columns("shop.u"), None);
}

#[test]
fn what_cannot_be_followed_is_not_guessed() {
    let mut schema = replayed(Dialect::Mysql, "CREATE TABLE t (a INT); CREATE TABLE u (a INT);");
    assert!(schema.complete() && schema.known_empty(&name("t")));
    apply(&mut schema, "/*!80000 ALTER TABLE u DROP COLUMN a */;");
    assert!(schema.relation(&name("u")).unwrap().unwrap().uncertain);
    assert!(schema.complete());
    apply(&mut schema, "CALL fill();");
    assert!(!schema.complete() && !schema.known_empty(&name("t")));
}
