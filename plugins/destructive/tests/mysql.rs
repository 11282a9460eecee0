//! Every rule on MySQL, in a migration that gives it something to say.
#![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

use insta::assert_snapshot;
use tollgate_plugin::Dialect;
use tollgate_plugin::testing::{Test, policy};
use tollgate_plugin_destructive::Destructive;

const SHOP: &str = "
    CREATE TABLE `users` (`id` INTEGER NOT NULL AUTO_INCREMENT, `email` VARCHAR(191) NOT NULL, `name` VARCHAR(191) NULL DEFAULT 'x',
        `role` ENUM('USER', 'ADMIN') NOT NULL DEFAULT 'USER', `age` INT NULL,
        UNIQUE INDEX `users_email_key`(`email`), INDEX `users_name_idx`(`name`), PRIMARY KEY (`id`));
    CREATE TABLE `posts` (`id` INTEGER NOT NULL AUTO_INCREMENT, `author_id` INTEGER NOT NULL, `title` TEXT NOT NULL, `at` DATETIME(3) NOT NULL,
        INDEX `users_name_idx`(`at`), PRIMARY KEY (`id`), CONSTRAINT `positive` CHECK (`author_id` > 0));
    ALTER TABLE `posts` ADD CONSTRAINT `posts_author_fkey` FOREIGN KEY (`author_id`) REFERENCES `users`(`id`) ON DELETE RESTRICT ON UPDATE CASCADE;
    CREATE VIEW authors AS SELECT * FROM users;
    CREATE TRIGGER touch BEFORE UPDATE ON posts FOR EACH ROW SET NEW.title = OLD.title;";

fn shop() -> Test<Destructive> {
    policy::<Destructive>().dialect(Dialect::Mysql).before(SHOP)
}

/// Rule, level and message of each finding; nothing else.
fn report(script: &str) -> String {
    let report = shop().report(script);
    let kept = report.lines().filter(|line| !line.starts_with(' '));
    kept.collect::<Vec<_>>().join("\n")
}

#[test]
fn objects_that_go() {
    assert_snapshot!(report("DROP TABLE `posts`; DROP VIEW authors; DROP DATABASE shop; DROP TRIGGER touch; TRUNCATE TABLE users;"), @"
    drop-table (high): drops the table posts with all its rows
    drop-view (medium): drops the view authors
    drop-database (high): drops the database shop with everything in it
    drop-trigger (medium): drops the trigger touch
    truncate (high): empties the table users: all its rows are lost
    ");
    assert_snapshot!(report("DROP TABLE IF EXISTS nothing, users; DROP TEMPORARY TABLE t; DROP PROCEDURE p;"), @"drop-table (high): drops the table users with all its rows, which the constraint posts_author_fkey of posts and the view authors need");
}

#[test]
fn parts_of_tables_that_go() {
    assert_snapshot!(report("ALTER TABLE users DROP COLUMN `email`, DROP name; ALTER TABLE posts DROP FOREIGN KEY posts_author_fkey, DROP CHECK positive;"), @"
    drop-column (high): drops the column users.email with all its values
    drop-column (high): drops the column users.name with all its values
    drop-constraint (medium): drops the foreign key posts_author_fkey from posts (author_id) to users
    drop-constraint (medium): drops the check constraint positive of posts
    ");
    assert_snapshot!(report("ALTER TABLE posts DROP PRIMARY KEY; DROP INDEX `users_email_key` ON `users`; ALTER TABLE posts DROP INDEX users_name_idx;"), @"
    drop-constraint (medium): drops the primary key (id) of posts
    drop-index (medium): drops the unique index users_email_key of users: equal rows are possible from then on
    drop-index (medium): drops the index users_name_idx of posts
    ");
    assert_snapshot!(report("ALTER TABLE users DROP INDEX users_name_idx, ADD INDEX users_name_idx (name, email);"), @"");
    assert_snapshot!(report("ALTER TABLE users DROP INDEX users_name_idx;"), @"drop-index (medium): drops the index users_name_idx of users");
    assert_snapshot!(report("ALTER TABLE posts DROP PARTITION p0; ALTER TABLE posts DROP title; ALTER TABLE posts ADD title VARCHAR(20);"), @"
    delete-rows (high): deletes rows of posts that a condition selects
    recreate-column (high): drops the column posts.title and adds it again: its values do not come back
    ");
}

#[test]
fn columns_that_are_said_anew() {
    assert_snapshot!(report("ALTER TABLE users MODIFY email VARCHAR(100) NOT NULL, MODIFY role ENUM('USER') NOT NULL;"), @"
    alter-column-type (high): changes users.email from varchar(191) to varchar(100): longer values make it fail
    alter-column-type (high): changes users.role from enum('USER','ADMIN') to enum('USER'): rows that hold a value which is taken away make it fail
    drop-default (low): drops the default of users.role
    ");
    assert_snapshot!(report("ALTER TABLE users MODIFY `name` VARCHAR(255) NOT NULL, MODIFY role ENUM('USER', 'ADMIN', 'GUEST');"), @"
    alter-column-type (low): changes users.name from varchar(191) to varchar(255): it only widens
    set-not-null (medium): makes users.name required, which fails while a row is without a value
    drop-default (low): drops the default of users.name
    alter-column-type (low): changes users.role from enum('USER','ADMIN') to enum('USER','ADMIN','GUEST'): the new list has every value of the old one
    drop-default (low): drops the default of users.role
    drop-not-null (low): lets users.role be without a value
    ");
    assert_snapshot!(report("ALTER TABLE users CHANGE Email mail VARCHAR(191) NOT NULL, MODIFY id BIGINT NOT NULL AUTO_INCREMENT, ALTER name DROP DEFAULT;"), @"
    alter-column-type (low): changes users.id from int to bigint: it only widens
    drop-default (low): drops the default of users.name
    ");
    assert_snapshot!(report("ALTER TABLE users MODIFY id BIGINT NOT NULL;"), @"
    alter-column-type (low): changes users.id from int to bigint: it only widens
    drop-default (medium): takes AUTO_INCREMENT from users.id: inserts that leave it out fail
    ");
    assert_snapshot!(report("ALTER TABLE users MODIFY email VARCHAR(191) NOT NULL COMMENT 'x', MODIFY `id` INT AUTO_INCREMENT, MODIFY age INT NULL;"), @"");
}

#[test]
fn new_keys_columns_and_rows() {
    assert_snapshot!(report("ALTER TABLE users ADD slug VARCHAR(50) NOT NULL, ADD UNIQUE INDEX u (name); CREATE UNIQUE INDEX v ON posts (title(10));"), @"
    required-column-without-default (medium): adds the required column users.slug without a default: every row that is there gets '', without a word
    unique-on-existing-data (medium): adds the unique constraint (name) to users, which fails where rows share their values
    unique-on-existing-data (medium): adds the unique index (title) to posts, which fails where rows share their values
    ");
    assert_snapshot!(report("DELETE FROM posts; DELETE p FROM posts p JOIN users u ON u.id = p.author_id WHERE u.age > 5; UPDATE users SET age = 1;"), @"
    delete-rows (high): deletes every row of posts: all rows
    delete-rows (high): deletes rows of posts that a condition selects
    update-without-where (medium): overwrites age in every row of users
    ");
    assert_snapshot!(report("UPDATE users SET age = 1 WHERE id = 2; INSERT INTO users (email) VALUES ('a'); CREATE TABLE t (a INT); DROP TABLE t;"), @"");
}

#[test]
fn nothing_is_known() {
    let report = policy::<Destructive>().dialect(Dialect::Mysql).report(
        "ALTER TABLE a DROP b, MODIFY c INT NOT NULL, CHANGE d e TEXT; DROP INDEX i ON a; /*!80000 DROP TABLE f */; ALTER TABLE g DROP PRIMARY KEY",
    );
    assert_snapshot!(report, @"
    drop-column (high): drops the column a.b with all its values
      at: DROP b
      help: stop using the column first and drop it in a later release, or copy its values before
    alter-column-type (medium): changes a.c to int: values that do not fit are lost or make it fail
      at: MODIFY c INT NOT NULL
      help: add a column of the new type, fill and check it, and move over
    set-not-null (medium): makes a.c required, which fails while a row is without a value
      at: MODIFY c INT NOT NULL
      help: fill the column first, in a migration of its own where the table is large
    drop-default (low): drops the default of a.c
      at: MODIFY c INT NOT NULL
      help: deploy first the code that always writes the column
    alter-column-type (medium): changes a.e to text: values that do not fit are lost or make it fail
      at: CHANGE d e TEXT
      help: add a column of the new type, fill and check it, and move over
    drop-default (low): drops the default of a.e
      at: CHANGE d e TEXT
      help: deploy first the code that always writes the column
    drop-not-null (low): lets a.e be without a value
      at: CHANGE d e TEXT
      help: deploy first the code that can read NULL
    drop-index (medium): drops the index i
      at: DROP INDEX i ON a
      help: make the index that takes its place first, and check that no query needs this one
    drop-table (high): may drop the table f with all its rows
      at: /*!80000 DROP TABLE f */
      help: rename the table first and drop it later, or keep a copy of its rows
    drop-constraint (medium): drops the constraint PRIMARY of g
      at: DROP PRIMARY KEY
      help: add the constraint that takes its place first, then drop this one
    ");
}
