CREATE TABLE `User` (
    `id` INTEGER NOT NULL AUTO_INCREMENT,
    `email` VARCHAR(191) NOT NULL,
    `name` VARCHAR(191) NULL,
    `role` ENUM('USER', 'ADMIN') NOT NULL DEFAULT 'USER',
    `createdAt` DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    `updatedAt` DATETIME(3) NOT NULL,

    UNIQUE INDEX `User_email_key`(`email`),
    INDEX `User_name_idx`(`name`),
    PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci
-- next
CREATE TABLE `Post` (
    `id` INTEGER NOT NULL AUTO_INCREMENT, `title` VARCHAR(191) NOT NULL, `body` TEXT NULL, `price` DECIMAL(65, 30) NOT NULL DEFAULT 0,
    `authorId` INTEGER NOT NULL, `flags` BIT(1) NOT NULL DEFAULT b'0', `data` JSON NULL, `blob` LONGBLOB,
    FULLTEXT INDEX `Post_title_body_idx`(`title`, `body`), INDEX(`title`(10) DESC), PRIMARY KEY (`id`)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci
-- next
ALTER TABLE `Post` ADD CONSTRAINT `Post_authorId_fkey` FOREIGN KEY (`authorId`) REFERENCES `User`(`id`) ON DELETE RESTRICT ON UPDATE CASCADE
-- next
create table if not exists shop.kinds (
  a tinyint(1) unsigned zerofill, b bool default true, c serial, d double precision(10,2), e real, f national varchar(10), g nchar(3),
  h char byte, i varchar(10) binary, j set('x','y;z','it''s') default 'x', k year(4), l timestamp(3) null default current_timestamp(3) on update current_timestamp(3),
  m long varchar, n int default -5, o int default (1 + 2), p varchar(36) default uuid(), q int as (n + 1) virtual, r int generated always as (n * 2) stored,
  s int invisible default 3, t varchar(5) character set latin1 collate latin1_bin comment 'it''s; -- not', u point not null, v middleint, w dec(5), x fixed(3,1),
  2fa_codes int, `a``b` int, größe int, `key` int check (`key` > 0), z date default '2020-01-01',
  constraint c1 check (n > 0 and n < 10), spatial index (u), key k_idx using btree (n) comment 'x', unique key (e), index (a, b)
) engine = InnoDB, default charset = utf8mb4, comment = 'a;b', auto_increment 10, row_format dynamic
-- next
CREATE TABLE parted (id INT NOT NULL, y INT NOT NULL, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN (2010), PARTITION p2 VALUES LESS THAN MAXVALUE)
-- next
CREATE TABLE copied LIKE kinds
-- next
CREATE TABLE copied2 (LIKE kinds)
-- next
CREATE TABLE picked (id INT PRIMARY KEY) ENGINE=InnoDB AS SELECT id, email FROM `User` WHERE id > 5
-- next
CREATE TABLE picked2 SELECT u.id FROM User u JOIN Post p ON p.authorId = u.id
-- next
CREATE OR REPLACE TABLE picked2 (a INT, b INT, PERIOD FOR SYSTEM_TIME (s, e), s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END) WITH SYSTEM VERSIONING
-- next
CREATE TEMPORARY TABLE tmp (a INT) SELECT 1 AS a
-- next
DROP TEMPORARY TABLE IF EXISTS tmp
-- next
CREATE UNIQUE INDEX `User_name_key` ON `User`(`name`)
-- next
CREATE INDEX IF NOT EXISTS two USING HASH ON User (name, role) COMMENT 'c' ALGORITHM=INPLACE LOCK=NONE
-- next
CREATE FULLTEXT INDEX ft ON Post (body)
-- next
DROP INDEX two ON User
-- next
DROP INDEX IF EXISTS two ON shop.User
-- next
ALTER TABLE User ADD COLUMN bio TEXT, ADD age INT UNSIGNED NOT NULL DEFAULT 0 AFTER name, ADD COLUMN IF NOT EXISTS (x INT, y INT), ADD INDEX age_idx (age), ADD UNIQUE KEY (x), ALGORITHM=COPY
-- next
ALTER TABLE User MODIFY COLUMN name VARCHAR(255) NOT NULL DEFAULT '' FIRST, CHANGE bio biography MEDIUMTEXT COMMENT 'long', ALTER COLUMN age SET DEFAULT 18
-- next
ALTER TABLE Post ALTER price DROP DEFAULT
-- next
ALTER TABLE User RENAME COLUMN x TO x2, RENAME INDEX age_idx TO age_index, DROP COLUMN IF EXISTS nothing, DROP y
-- next
ALTER TABLE User DROP INDEX User_name_idx, DROP KEY age_index
-- next
ALTER TABLE Post DROP FOREIGN KEY Post_authorId_fkey, DROP INDEX Post_authorId_fkey
-- next
ALTER TABLE Post ADD CONSTRAINT FOREIGN KEY fk2 (authorId) REFERENCES User (id), ADD CONSTRAINT price_positive CHECK (price >= 0)
-- next
ALTER TABLE Post DROP CONSTRAINT price_positive
-- next
ALTER TABLE Post CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci
-- next
ALTER TABLE Post ENGINE=InnoDB
-- next
ALTER TABLE Post DEFAULT CHARSET utf8mb4, COMMENT 'posts', AUTO_INCREMENT = 100
-- next
ALTER TABLE Post ORDER BY title, id DESC
-- next
ALTER TABLE Post FORCE, LOCK=SHARED
-- next
ALTER TABLE Post DISABLE KEYS
-- next
ALTER TABLE Post ENABLE KEYS
-- next
ALTER TABLE picked DROP PRIMARY KEY, ADD PRIMARY KEY (id, email)
-- next
ALTER TABLE parted DROP PARTITION p0, p1
-- next
ALTER TABLE parted REORGANIZE PARTITION p2 INTO (PARTITION p2 VALUES LESS THAN (2020), PARTITION p3 VALUES LESS THAN MAXVALUE)
-- next
ALTER TABLE parted TRUNCATE PARTITION p2
-- next
ALTER TABLE parted REMOVE PARTITIONING
-- next
ALTER ONLINE TABLE copied ADD COLUMN extra INT
-- next
ALTER IGNORE TABLE IF EXISTS copied WAIT 5 ADD COLUMN extra2 INT
-- next
ALTER TABLE copied RENAME TO shop.copied_away
-- next
RENAME TABLE copied_away TO copied, copied2 TO copied3
-- next
CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`root`@`localhost` SQL SECURITY INVOKER VIEW actives (id, mail) AS SELECT id, email FROM User WHERE role = 'USER' WITH CHECK OPTION
-- next
ALTER VIEW actives AS SELECT id, email AS mail FROM User
-- next
CREATE VIEW deep AS WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5), s AS (SELECT id FROM Post) SELECT t.n, s.id FROM t, s, (SELECT id FROM picked) AS d
-- next
CREATE DEFINER = CURRENT_USER TRIGGER touch BEFORE UPDATE ON User FOR EACH ROW SET NEW.updatedAt = IF(NEW.name IS NULL, OLD.updatedAt, CASE WHEN 1 THEN NOW() END)
-- next
CREATE TRIGGER shop.audit AFTER DELETE ON Post FOR EACH ROW BEGIN
  DECLARE n INT DEFAULT 0;
  IF OLD.id > 5 THEN SET n = 1; ELSEIF OLD.id = 3 THEN SET n = CASE OLD.id WHEN 3 THEN IF(1, 2, 3) ELSE 4 END; ELSE BEGIN END; END IF;
  /* a comment; with END */ SET @last = "END; BEGIN";
END
-- next
CREATE PROCEDURE fill(IN many INT, OUT done INT)
  READS SQL DATA COMMENT 'fills; all'
label: BEGIN
  DECLARE i, `end` INT DEFAULT 0;
  DECLARE c CURSOR FOR SELECT id FROM User;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = IF(1, 2, 3);
  DECLARE EXIT HANDLER FOR SQLSTATE VALUE '23000', 1062, SQLEXCEPTION BEGIN ROLLBACK; END;
  START TRANSACTION;
  counting: WHILE i < many DO SET i = i + 1; IF i = 3 THEN ITERATE counting; END IF; END WHILE counting;
  again: LOOP SET i = i - 1; IF i < 0 THEN LEAVE again; END IF; END LOOP again;
  REPEAT SET i = i + 1; UNTIL i > 3 END REPEAT;
  CASE i WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE;
  CASE WHEN i = 1 THEN SELECT CASE WHEN 1 THEN REPEAT('a', 3) END; ELSE CASE i WHEN 2 THEN SELECT 2; ELSE SELECT 3; END CASE; END CASE;
  COMMIT;
  SELECT `end`, IF(1, 2, 3), REPLACE('a', 'b', 'c') FROM User WHERE name = 'END';
END
-- next
CREATE FUNCTION plus_one(a INT) RETURNS INT DETERMINISTIC RETURN a + 1
-- next
CREATE FUNCTION kind(a INT) RETURNS SET('a','b') CHARSET utf8mb4 DETERMINISTIC NO SQL SQL SECURITY INVOKER BEGIN RETURN IF(a > 1, 'a', 'b'); END
-- next
CREATE PROCEDURE IF NOT EXISTS one() SELECT IF(1, 2, 3), CASE WHEN 1 THEN 2 END
-- next
CREATE PROCEDURE looped() FOR i IN 1..3 DO INSERT INTO picked VALUES (i, 'x'); END FOR
-- next
CREATE PROCEDURE iffed() IF 1 THEN SELECT 1; SELECT 2; END IF
-- next
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' ON COMPLETION PRESERVE COMMENT 'c' DO BEGIN DELETE FROM Post WHERE id < 0; DELETE FROM User WHERE id < 0; END
-- next
ALTER EVENT tidy DISABLE
-- next
DROP EVENT IF EXISTS tidy
-- next
CREATE SEQUENCE seq START WITH 1 INCREMENT BY 2
-- next
DROP SEQUENCE seq
-- next
CREATE DATABASE IF NOT EXISTS other CHARACTER SET = utf8mb4
-- next
ALTER DATABASE other CHARACTER SET utf8mb4
-- next
CREATE TABLE other.t (a INT PRIMARY KEY, b INT)
-- next
DROP SCHEMA other
-- next
INSERT INTO User (email, name, updatedAt) VALUES ('a@b', 'A''s \'name\' \\', NOW()), ("b;c", 'x' 'y', '2020-01-01') ON DUPLICATE KEY UPDATE name = VALUES(name)
-- next
INSERT IGNORE User SET email = 'x', updatedAt = now(), name = _utf8mb4'q'
-- next
INSERT INTO picked (id, email) SELECT id, email FROM User u WHERE NOT EXISTS (SELECT 1 FROM Post WHERE authorId = u.id) AND id > 900
-- next
REPLACE LOW_PRIORITY INTO picked VALUES (1, 'a')
-- next
UPDATE User SET name = 'x' WHERE id = 1
-- next
UPDATE User SET age = age + 1 ORDER BY id LIMIT 10
-- next
UPDATE User u JOIN Post AS p ON p.authorId = u.id SET u.name = p.title, p.body = u.name
-- next
UPDATE Post SET body = (SELECT name FROM User WHERE id = authorId)
-- next
DELETE FROM Post
-- next
DELETE FROM Post WHERE id IN (SELECT id FROM picked)
-- next
DELETE p, u FROM Post p LEFT JOIN User u ON u.id = p.authorId WHERE u.id IS NULL
-- next
DELETE FROM p USING Post AS p INNER JOIN User WHERE p.id = 5
-- next
DELETE QUICK FROM Post LIMIT 5
-- next
TRUNCATE picked
-- next
TRUNCATE TABLE shop.picked
-- next
WITH c AS (SELECT 1 AS a) SELECT * FROM c
-- next
SELECT 1 --2
-- next
SELECT 1 # a comment; with a semicolon
-- next
SELECT 'a' /* ; */ -- ; it's
-- next
SELECT "a;b", `id` FROM User WHERE name LIKE '%\%' OR name = '\\'
-- next
SELECT 0x1F, x'AB', b'01', 1e5, 1.5e-3, .5, 5., 1 - -2, @a := 5, @@session.sql_mode, \N
-- next
SELECT EXTRACT(YEAR FROM NOW()), TRIM(BOTH 'x' FROM 'xax'), JSON_VALUE('{"a":1}', '$.a') FROM DUAL
-- next
(SELECT 1) UNION (SELECT 2) LIMIT 1
-- next
VALUES (1, 2), (3, 4)
-- next
/*!40101 SET NAMES utf8mb4 */
-- next
/*!40000 ALTER TABLE `User` DISABLE KEYS */
-- next
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER dumped BEFORE INSERT ON Post FOR EACH ROW BEGIN SET NEW.title = TRIM(NEW.title); SET @x = 1; END */
-- next
/*M!100100 SET @m = 1 */
-- next
CREATE TABLE commented (a INT /*!80023 INVISIBLE */, b INT /* plain */) /*!50100 COMMENT='x' */
-- next
SET FOREIGN_KEY_CHECKS = 0
-- next
SET @old = @@sql_mode, SESSION sql_mode = 'STRICT_ALL_TABLES', @@session.lock_wait_timeout = 5, autocommit = 1
-- next
SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci'
-- next
SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE commented ADD COLUMN c INT
-- next
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
-- next
START TRANSACTION WITH CONSISTENT SNAPSHOT
-- next
SAVEPOINT s1
-- next
ROLLBACK TO SAVEPOINT s1
-- next
RELEASE SAVEPOINT s1
-- next
COMMIT
-- next
BEGIN WORK
-- next
ROLLBACK
-- next
BEGIN NOT ATOMIC DECLARE x INT; SET x = 5; IF x > 3 THEN SELECT x; END IF; END
-- next
IF 1 > 2 THEN SELECT 1; ELSE SELECT 2; END IF
-- next
LOCK TABLES User WRITE, Post READ
-- next
UNLOCK TABLES
-- next
ANALYZE TABLE User, Post
-- next
OPTIMIZE TABLE Post
-- next
CALL one()
-- next
PREPARE st FROM 'SELECT 1'
-- next
EXECUTE st
-- next
DEALLOCATE PREPARE st
-- next
EXECUTE IMMEDIATE 'SELECT 1'
-- next
DO SLEEP(0)
-- next
GRANT SELECT ON shop.* TO 'root'@'localhost'
-- next
FLUSH TABLES
-- next
SHOW TABLES
-- next
USE shop
-- next
CREATE ROLE reader
-- next
DROP TABLE IF EXISTS nothing1, nothing2 CASCADE
-- next
DROP VIEW deep
-- next
DROP TRIGGER IF EXISTS shop.audit
-- next
DROP PROCEDURE fill
-- next
DROP FUNCTION IF EXISTS plus_one
-- next
DROP TABLE Post, parted RESTRICT
-- next
CREATE TABLE 1ea10 (1a20 INT, 1e INT, e1 DOUBLE DEFAULT 1e+5, e2 DOUBLE DEFAULT 1.5e-3, e3 DOUBLE DEFAULT 1e5)
-- next
SELECT 1a20 - 1e, 5-1e, 1e-1 FROM 1ea10
-- next
CREATE AGGREGATE FUNCTION f1() RETURNS TEXT CHARACTER SET latin1 BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN ''; LOOP FETCH GROUP NEXT ROW; END LOOP; RETURN ''; END
-- next
SET STATEMENT sql_mode = '' FOR CREATE PROCEDURE wrapped(prm INT) BEGIN SET prm = 1; IF prm > 1 THEN SELECT 1; END IF; END
-- next
CREATE PROCEDURE 15298_1() SQL SECURITY DEFINER SHOW GRANTS FOR CURRENT_USER
-- next
WITH t AS (SELECT 1 AS a) (SELECT a FROM t) UNION SELECT 2
