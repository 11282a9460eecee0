//! Statements that change rows.

use insta::assert_snapshot;

use super::told;

#[test]
fn inserts() {
    assert_snapshot!(told("INSERT INTO t (a, `b`) VALUES (1, (SELECT max(x) FROM u)) ON DUPLICATE KEY UPDATE a = 2;
        INSERT IGNORE s.t SET a = 1, b = (SELECT 2); REPLACE INTO t VALUES (1); INSERT INTO t (SELECT * FROM u);
        INSERT INTO t (a) WITH c AS (SELECT 1 FROM x) SELECT * FROM c JOIN y; LOAD DATA LOCAL INFILE 'f' INTO TABLE t FIELDS TERMINATED BY ';'"), @"
    # INSERT INTO t (a, (may be rolled back)
      insert {table name t, columns [a, b], reads [name u]}
    # INSERT IGNORE s.t SET (may be rolled back)
      insert {table {schema s, name t}, columns [a, b]}
    # REPLACE INTO t VALUES (may be rolled back)
      insert table name t
    # INSERT INTO t (SELECT (may be rolled back)
      insert {table name t, filtered true, reads [name u]}
    # INSERT INTO t (a) (may be rolled back)
      insert {table name t, filtered true, columns [a], reads [name x, name y]}
    # LOAD DATA LOCAL INFILE (may be rolled back)
      insert {table name t, filtered true}
    ");
}

#[test]
fn updates() {
    assert_snapshot!(told("UPDATE t SET a = 1; UPDATE LOW_PRIORITY IGNORE s.t SET a = 1, b = (SELECT x FROM u WHERE y) WHERE c; UPDATE t SET a = 1 ORDER BY b LIMIT 5;
        UPDATE users u JOIN (SELECT id FROM big WHERE z) AS p ON p.id = u.id LEFT JOIN s.orders o USING (id) SET u.name = 'a', o.x = u.y, s.orders.z = 1;
        WITH c AS (SELECT 1 FROM d) UPDATE t, c SET t.a = c.a"), @"
    # UPDATE t SET a (may be rolled back)
      update {table name t, columns [a]}
    # UPDATE LOW_PRIORITY IGNORE s.t (may be rolled back)
      update {table {schema s, name t}, filtered true, columns [a, b], reads [name u]}
    # UPDATE t SET a (may be rolled back)
      update {table name t, filtered true, columns [a]}
    # UPDATE users u JOIN (may be rolled back)
      update {table name users, filtered true, columns [name], reads [name big, {schema s, name orders}]}
      update {table {schema s, name orders}, filtered true, columns [x, z], reads [name big, name users]}
    # WITH c AS (SELECT (may be rolled back)
      update {table name t, filtered true, columns [a], reads [name d]}
    ");
}

#[test]
fn deletes() {
    assert_snapshot!(told("DELETE FROM t; DELETE QUICK FROM s.t WHERE a IN (SELECT b FROM u); DELETE FROM t LIMIT 5;
        DELETE p, u FROM posts p LEFT JOIN users u ON u.id = p.u WHERE u.id IS NULL; DELETE FROM p USING posts AS p, x WHERE p.id = x.id; DELETE FROM t PARTITION (p0)"), @"
    # DELETE FROM t (may be rolled back)
      delete table name t
    # DELETE QUICK FROM s.t (may be rolled back)
      delete {table {schema s, name t}, filtered true, reads [name u]}
    # DELETE FROM t LIMIT (may be rolled back)
      delete {table name t, filtered true}
    # DELETE p, u FROM (may be rolled back)
      delete {table name posts, filtered true, reads [name users]}
      delete {table name users, filtered true, reads [name posts]}
    # DELETE FROM p USING (may be rolled back)
      delete {table name posts, filtered true, reads [name x]}
    # DELETE FROM t PARTITION (may be rolled back)
      delete {table name t, filtered true}
    ");
}
