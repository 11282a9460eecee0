//! Migrations for MySQL and MariaDB: read, judged and explained, without a database.

#![allow(clippy::unwrap_used, reason = "a failing test should stop here")]

use insta::assert_snapshot;
use tollgate_tests::Project;

const USERS: &str = "-- CreateTable
CREATE TABLE `User` (
    `id` INTEGER NOT NULL AUTO_INCREMENT,
    `email` VARCHAR(191) NOT NULL,
    `name` VARCHAR(191) NULL,
    `role` ENUM('USER', 'ADMIN') NOT NULL DEFAULT 'USER',
    `createdAt` DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),

    UNIQUE INDEX `User_email_key`(`email`),
    PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
";

const POSTS: &str = "-- CreateTable
CREATE TABLE `Post` (
    `id` INTEGER NOT NULL AUTO_INCREMENT,
    `title` VARCHAR(191) NOT NULL,
    `content` TEXT NULL,
    `published` BOOLEAN NOT NULL DEFAULT false,
    `authorId` INTEGER NOT NULL,

    INDEX `Post_authorId_idx`(`authorId`),
    PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

-- AddForeignKey
ALTER TABLE `Post` ADD CONSTRAINT `Post_authorId_fkey` FOREIGN KEY (`authorId`) REFERENCES `User`(`id`) ON DELETE RESTRICT ON UPDATE CASCADE;
";

/// A project as Prisma makes it for MySQL: two migrations and the lock file that names the provider.
fn prisma() -> Project {
    let project = Project::new();
    project
        .file("migrations/migration_lock.toml", "provider = \"mysql\"\n")
        .migration("20260101120000_create_user", USERS)
        .migration("20260201120000_create_post", POSTS);
    project
}

/// Rule, level, line and message of each finding of a check.
fn findings(project: &Project, arguments: &[&str]) -> String {
    let outcome = project.run(&[&["check", "--format", "json"], arguments].concat());
    let report = outcome.json();
    let migrations = report["migrations"].as_array().unwrap();
    let found = migrations
        .iter()
        .flat_map(|migration| migration["findings"].as_array().unwrap());
    let lines = found.map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let line = &finding["place"]["line"];
        let allowed = if finding["allowed"].is_null() { "" } else { "allowed: " };
        format!(
            "{line}: {allowed}{}/{} ({}): {}",
            text("plugin"),
            text("rule"),
            text("severity"),
            text("message")
        )
    });
    let lines: Vec<String> = lines.collect();
    format!("status: {}\n{}", outcome.status.unwrap(), lines.join("\n"))
}

#[test]
fn what_prisma_generates_is_read_and_silent() {
    assert_snapshot!(prisma().run(&["check"]), @"
    status: 0
    -- stdout
    2 migrations checked: nothing found
    ");
}

#[test]
fn the_six_rules_report() {
    let project = prisma();
    project.migration(
        "20260301120000_alter_post_and_user",
        "-- AlterTable
ALTER TABLE `Post` MODIFY `content` MEDIUMTEXT NULL;

-- AlterTable
ALTER TABLE `User` MODIFY `role` ENUM('GUEST', 'USER', 'ADMIN') NOT NULL DEFAULT 'USER';
ALTER TABLE `User` CHANGE `name` `fullName` VARCHAR(191) NULL;

-- CreateIndex
CREATE INDEX `Post_title_idx` ON `Post`(`title`);

-- CreateTable
CREATE TABLE `Comment` (
    `id` INTEGER NOT NULL AUTO_INCREMENT,
    `postId` INTEGER NOT NULL REFERENCES `Post` (`id`),
    PRIMARY KEY (`id`)
);
",
    );
    assert_snapshot!(project.run(&["check"]), @"
    status: 3
    -- stdout
    3 migrations checked: 1 blocking, 6 warnings, 2 notes
    -- stderr
    destructive::alter-column-type

      ☞ changes Post.content from text to mediumtext: it only widens
       ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:2:20]
     1 │ -- AlterTable
     2 │ ALTER TABLE `Post` MODIFY `content` MEDIUMTEXT NULL;
       ·                    ────────────────┬───────────────
       ·                                    ╰── low
     3 │ 
       ╰────

    safety::alter-copy-algorithm

      ⚠ copies Post, which nobody can write to until it is done: the type of a column changes
       ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:2:20]
     1 │ -- AlterTable
     2 │ ALTER TABLE `Post` MODIFY `content` MEDIUMTEXT NULL;
       ·                    ────────────────┬───────────────
       ·                                    ╰── medium
     3 │ 
       ╰────
      help: add a column of the new type, fill it in batches and move over; or let gh-ost or
            pt-online-schema-change copy the table

    destructive::alter-column-type

      ☞ changes User.role from enum('USER','ADMIN') to enum('GUEST','USER','ADMIN'): the new list has
      │ every value of the old one
       ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:5:20]
     4 │ -- AlterTable
     5 │ ALTER TABLE `User` MODIFY `role` ENUM('GUEST', 'USER', 'ADMIN') NOT NULL DEFAULT 'USER';
       ·                    ──────────────────────────────────┬─────────────────────────────────
       ·                                                      ╰── low
     6 │ ALTER TABLE `User` CHANGE `name` `fullName` VARCHAR(191) NULL;
       ╰────

    safety::enum-reorder

      ⚠ moves USER and ADMIN of User.role to another place: User is copied while nobody can write to
      │ it, and what is sorted or compared by the column comes out differently
       ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:5:20]
     4 │ -- AlterTable
     5 │ ALTER TABLE `User` MODIFY `role` ENUM('GUEST', 'USER', 'ADMIN') NOT NULL DEFAULT 'USER';
       ·                    ──────────────────────────────────┬─────────────────────────────────
       ·                                                      ╰── medium
     6 │ ALTER TABLE `User` CHANGE `name` `fullName` VARCHAR(191) NULL;
       ╰────
      help: append what is new: ('USER', 'ADMIN', 'GUEST')

    safety::non-transactional-ddl-in-multi-statement-file

      ⚠ can fail on a row that is there, and the statement above that is committed by then stays: the
      │ file is then neither done nor can it be run again
       ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:5:20]
     4 │ -- AlterTable
     5 │ ALTER TABLE `User` MODIFY `role` ENUM('GUEST', 'USER', 'ADMIN') NOT NULL DEFAULT 'USER';
       ·                    ──────────────────────────────────┬─────────────────────────────────
       ·                                                      ╰── medium
     6 │ ALTER TABLE `User` CHANGE `name` `fullName` VARCHAR(191) NULL;
       ╰────
      help: put it into a migration of its own; several changes of one table go into one ALTER TABLE

    safety::change-column-rename

      × renames the column User.name to fullName: queries of the running application that name name
      │ fail
       ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:6:20]
     5 │ ALTER TABLE `User` MODIFY `role` ENUM('GUEST', 'USER', 'ADMIN') NOT NULL DEFAULT 'USER';
     6 │ ALTER TABLE `User` CHANGE `name` `fullName` VARCHAR(191) NULL;
       ·                    ─────────────────────┬────────────────────
       ·                                         ╰── high: blocks a deploy
     7 │ 
       ╰────
      help: add fullName beside it, write both, move the readers, and drop name in a later release

    tollgate::rollback-procedure

      ⚠ has no way back from what safety/change-column-rename reports: there is no down.sql, and no
      │ rollback can be generated: no rollback generator knows how to undo every statement
       ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:6:20]
     5 │ ALTER TABLE `User` MODIFY `role` ENUM('GUEST', 'USER', 'ADMIN') NOT NULL DEFAULT 'USER';
     6 │ ALTER TABLE `User` CHANGE `name` `fullName` VARCHAR(191) NULL;
       ·                    ─────────────────────┬────────────────────
       ·                                         ╰── medium
     7 │ 
       ╰────
      help: write a down.sql, or say in the file how it is taken back: `-- rollback: …`

    safety::alter-without-algorithm-or-lock

      ⚠ builds an index on Post and says neither ALGORITHM nor LOCK: where that cannot be done in
      │ place, the server copies the table without a word, and nobody can write meanwhile
        ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:9:1]
      8 │ -- CreateIndex
      9 │ CREATE INDEX `Post_title_idx` ON `Post`(`title`);
        · ────────────────────────┬───────────────────────
        ·                         ╰── medium
     10 │ 
        ╰────
      help: say `ALGORITHM=INPLACE, LOCK=NONE`: then it fails at once instead of holding everybody up
            fix: demand ALGORITHM=INPLACE, LOCK=NONE

    safety::inline-references-ignored

      ⚠ makes no foreign key for Comment.postId: MySQL before 9.0 reads REFERENCES beside a column and
      │ forgets it
        ╭─[migrations/20260301120000_alter_post_and_user/migration.sql:14:31]
     13 │     `id` INTEGER NOT NULL AUTO_INCREMENT,
     14 │     `postId` INTEGER NOT NULL REFERENCES `Post` (`id`),
        ·                               ────────────┬───────────
        ·                                           ╰── medium
     15 │     PRIMARY KEY (`id`)
        ╰────
      help: write it as a clause of its own: FOREIGN KEY (`postId`) REFERENCES `Post` (`id`)
            fix: make it a clause of its own
    ");
}

#[test]
fn the_same_without_reports_is_silent() {
    let project = prisma();
    project.migration(
        "20260301120000_add_post_views",
        "ALTER TABLE `Post` ADD COLUMN `views` INTEGER NOT NULL DEFAULT 0, ALGORITHM=INSTANT;\n",
    );
    project.migration(
        "20260302120000_add_post_title_idx",
        "CREATE INDEX `Post_title_idx` ON `Post`(`title`) ALGORITHM=INPLACE LOCK=NONE;\n",
    );
    assert_snapshot!(findings(&project, &[]), @"status: 0");
}

#[test]
fn what_goes_is_reported_and_what_is_meant_for_others_is_not() {
    let project = prisma();
    project.migration(
        "20260301120000_drop_things",
        "# tollgate:allow destructive/truncate -- the posts are imported anew
TRUNCATE TABLE `Post`;
ALTER TABLE `User` DROP COLUMN `name`, DROP INDEX `User_email_key`, ALGORITHM=INPLACE, LOCK=NONE;
DELETE FROM `User` WHERE `id` > 5;
DROP TABLE `Post`;
DROP DATABASE `shop`;
",
    );
    assert_snapshot!(findings(&project, &[]), @"
    status: 3
    2: allowed: destructive/truncate (high): empties the table Post: all its rows are lost
    2: tollgate/rollback-procedure (medium): has no way back from what destructive/truncate reports: there is no down.sql, and no rollback can be generated: no rollback generator knows how to undo every statement
    3: destructive/drop-column (high): drops the column User.name with all its values
    3: destructive/drop-index (medium): drops the unique index User_email_key of User: equal rows are possible from then on
    4: destructive/delete-rows (high): deletes rows of User that a condition selects
    4: safety/non-transactional-ddl-in-multi-statement-file (medium): can fail on a row that is there, and the 2 statements above that are committed by then stay: the file is then neither done nor can it be run again
    5: destructive/drop-table (high): drops the table Post with all its rows
    6: destructive/drop-database (high): drops the database shop with everything in it
    ");
}

#[test]
fn the_version_of_the_server_counts() {
    let project = prisma();
    let text = "CREATE TABLE `Tag` (`id` INT PRIMARY KEY, `post` INT REFERENCES `Post` (`id`));\n";
    project.migration("20260301120000_create_tag", text);
    for (version, reported) in [("8.4", true), ("9.1", false), ("10.4", true), ("10.11", false)] {
        project.file(
            "tollgate.toml",
            &format!("[database]\nserver_version = \"{version}\"\n"),
        );
        let found = findings(&project, &[]).contains("inline-references-ignored");
        assert_eq!(found, reported, "{version}");
    }
}

#[test]
fn the_provider_is_known_from_any_of_its_places() {
    let copied = "ALTER TABLE `User` CONVERT TO CHARACTER SET latin1;\n";
    let expected = "alter-copy-algorithm";
    let with = |path: &str, text: &str| {
        let project = Project::new();
        project.file(path, text);
        project.migration("20260101120000_create_user", USERS);
        project.migration("20260102120000_alter_user", copied);
        project
    };
    let configured = with("tollgate.toml", "[database]\nprovider = \"mysql\"\n");
    assert!(findings(&configured, &[]).contains(expected));
    for url in ["mysql://app:secret@db/shop", "mariadb://app:secret@db/shop"] {
        let mut by_url = with("note", "");
        by_url.set("DATABASE_URL", url);
        assert!(findings(&by_url, &[]).contains(expected), "{url}");
    }
    let schema = "datasource db {\n  provider = \"mysql\"\n}\n";
    assert!(findings(&with("schema.prisma", schema), &[]).contains(expected));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let project = prisma();
    project.migration(
        "20260301120000_add_trigger",
        "-- touches the post\nDELIMITER //\nCREATE TRIGGER touch BEFORE UPDATE ON Post FOR EACH ROW BEGIN SET NEW.title = TRIM(NEW.title); END//\n",
    );
    assert_snapshot!(project.run(&["check"]), @"
    status: 1
    -- stderr
    script::syntax

      × 20260301120000_add_trigger cannot be read
       ╭─[migrations/20260301120000_add_trigger/migration.sql:2:1]
     1 │ -- touches the post
     2 │ DELIMITER //
       · ────┬────
       ·     ╰── `DELIMITER` is a command of the mysql client, not SQL
     3 │ CREATE TRIGGER touch BEFORE UPDATE ON Post FOR EACH ROW BEGIN SET NEW.title = TRIM(NEW.title); END//
       ╰────
      help: leave the DELIMITER lines out and end the body with `END;`: the body of a procedure,
            function, trigger or event is read to its end as it is
      the database now: nothing was changed
    ");
    project.migration(
        "20260301120000_add_trigger",
        "ALTER TABLE `Post`\n  ADD COLUMN `slug` VARCHAR(50) DEFAULT 'a,\n  ADD COLUMN `x` INT;\n",
    );
    assert_snapshot!(project.run(&["check"]), @"
    status: 1
    -- stderr
    script::syntax

      × 20260301120000_add_trigger cannot be read
       ╭─[migrations/20260301120000_add_trigger/migration.sql:2:41]
     1 │ ALTER TABLE `Post`
     2 │   ADD COLUMN `slug` VARCHAR(50) DEFAULT 'a,
       ·                                         ┬
       ·                                         ╰── a string is never closed
     3 │   ADD COLUMN `x` INT;
       ╰────
      the database now: nothing was changed
    ");
    project.migration(
        "20260301120000_add_trigger",
        "CREATE TABLE `Tag` (\n  `id` INT,\n  `name` TEXT,\n);\n",
    );
    assert_snapshot!(project.run(&["check"]), @"
    status: 1
    -- stderr
    script::syntax

      × 20260301120000_add_trigger cannot be read
       ╭─[migrations/20260301120000_add_trigger/migration.sql:3:14]
     2 │   `id` INT,
     3 │   `name` TEXT,
       ·              ┬
       ·              ╰── a column or a key is expected here
     4 │ );
       ╰────
      the database now: nothing was changed
    ");
}

#[test]
fn a_trigger_is_one_statement() {
    let project = prisma();
    project.migration(
        "20260301120000_add_trigger",
        "CREATE TRIGGER touch BEFORE UPDATE ON Post FOR EACH ROW BEGIN SET NEW.title = TRIM(NEW.title); SET @last = 'END;'; END;\n",
    );
    assert_snapshot!(findings(&project, &[]), @"
    status: 0
    1: conventions/migration-name (low): the name 20260301120000_add_trigger could say more: it does not name Post, all that it changes
    ");
}

#[test]
fn nothing_untrue_is_told_of_locks() {
    let project = prisma();
    project.migration(
        "20260301120000_alter_post",
        "ALTER TABLE `Post` ADD COLUMN `slug` VARCHAR(50) NULL, MODIFY `title` VARCHAR(255) NOT NULL, DROP FOREIGN KEY `Post_authorId_fkey`;
SET foreign_key_checks = 0;
/*!80000 DROP TABLE `User` */;
UPDATE `Post` SET `slug` = `title`;
",
    );
    assert_snapshot!(project.run(&["explain", "20260301120000_alter_post"]), @"
    status: 0
    -- stdout
    20260301120000_alter_post
      line 1: ALTER TABLE `Post` ADD COLUMN `slug` VARCHAR(50) NULL, MODIFY `title` VARCHAR(2… (outside of transactions)
        add column Post.slug
        define column Post.title anew: varchar(255)
        drop constraint Post_authorId_fkey of Post
      line 2: SET foreign_key_checks = 0
        set foreign_key_checks
      line 3: /*!80000 DROP TABLE `User` */ (outside of transactions)
        perhaps: drop table User
      line 4: UPDATE `Post` SET `slug` = `title`
        update Post
      what a statement locks is not told for MySQL: it depends on the storage engine and the algorithm
    ");
    let document = project
        .run(&["explain", "20260301120000_alter_post", "--format", "json"])
        .json();
    assert!(document["script"]["statements"][0]["locks"].is_null());
}

#[test]
fn a_database_is_not_opened_yet() {
    let mut project = prisma();
    project.set("DATABASE_URL", "mysql://app:secret@db/shop");
    assert_snapshot!(project.run(&["deploy"]), @"
    status: 2
    -- stderr
    config::database-url

      × MySQL databases are not supported yet
      help: PostgreSQL and SQLite are; it is from DATABASE_URL
    ");
    assert_snapshot!(project.run(&["status"]), @"
    status: 2
    -- stderr
    config::database-url

      × MySQL databases are not supported yet
      help: PostgreSQL and SQLite are; it is from DATABASE_URL
    ");
    let made = project.run(&["new", "add_slug"]);
    assert_eq!(made.status, Some(0), "{made}");
}

#[test]
fn a_fix_is_written_into_the_file() {
    let project = prisma();
    project.migration(
        "20260301120000_add_post_title_idx",
        "CREATE INDEX `Post_title_idx` ON `Post`(`title`); -- for the search\n",
    );
    let fixed = project.run(&["check", "--fix", "--assume-unapplied"]);
    let text = std::fs::read_to_string(
        project
            .path()
            .join("migrations/20260301120000_add_post_title_idx/migration.sql"),
    );
    assert_snapshot!(fixed, @"
    status: 0
    -- stdout
    1 fix in migrations/20260301120000_add_post_title_idx/migration.sql
      safety::alter-without-algorithm-or-lock: demand ALGORITHM=INPLACE, LOCK=NONE
    --- migrations/20260301120000_add_post_title_idx/migration.sql
    +++ migrations/20260301120000_add_post_title_idx/migration.sql
    @@ -1 +1 @@
    -CREATE INDEX `Post_title_idx` ON `Post`(`title`); -- for the search
    +CREATE INDEX `Post_title_idx` ON `Post`(`title`) ALGORITHM=INPLACE LOCK=NONE; -- for the search
    3 migrations checked: nothing found
    ");
    assert_snapshot!(text.unwrap(), @"CREATE INDEX `Post_title_idx` ON `Post`(`title`) ALGORITHM=INPLACE LOCK=NONE; -- for the search");
}
