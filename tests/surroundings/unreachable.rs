//! Servers that do not answer, and logins that lead nowhere.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use tollgate_testing::postgres::cluster;

use crate::session::{APPLIED, BLOG_APPLIED, blog, on, session, words};

#[test]
fn a_listener_that_never_answers() {
    // The system takes the connection; nobody reads what is sent.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for mode in ["prefer", "disable"] {
        let url = format!("postgresql://app:hidden-marker@127.0.0.1:{port}/shop?connect_timeout=1&sslmode={mode}");
        let project = on(&url);
        blog(&project);
        let began = Instant::now();
        let seen = session(&project, &["deploy"]);
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(1), "{mode}: {took:?}\n{seen}");
        // Long before the system itself would give up; preparing the plugins takes its time, too.
        assert!(took < Duration::from_mins(1), "{mode}: {took:?}\n{seen}");
        assert!(!seen.contains("marker"), "{seen}");
        insta::allow_duplicates! {
            assert_snapshot!(seen, @r#"
            $ tollgate deploy
            status: 1
            -- stderr
            database

              × cannot reach PostgreSQL database "shop", schema "public" at 127.0.0.1:[port]: no answer within
              │ 1 second
              help: check host and port, and that no firewall is in between; connect_timeout=SECONDS in the
                    URL waits longer
              the database now: nothing was changed
            "#);
        }
    }
}

#[test]
fn a_listener_that_speaks_something_else() {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let project = on(&format!("postgresql://app@127.0.0.1:{port}/shop?connect_timeout=2"));
    blog(&project);
    let seen = session(&project, &["deploy"]);
    assert!(seen.contains("status: 1"), "{seen}");
    assert!(seen.contains("help: "), "{seen}");
}

#[test]
fn a_host_that_does_not_exist() {
    // RFC 6761: this name exists nowhere. The system's own words differ from one to another.
    let project = on("postgresql://app@no-such-host.invalid/shop");
    blog(&project);
    let refused = project.run(&["deploy"]);
    assert_eq!(refused.status, Some(1), "{refused}");
    let said = words(&refused.stderr);
    assert!(said.contains("its name leads nowhere"), "{refused}");
    assert!(said.contains("check the host's name in the URL"), "{refused}");
}

#[test]
fn a_role_that_does_not_exist() {
    let database = cluster().database();
    let project = on(&database.url_as("tollgate_nobody", None));
    blog(&project);
    assert_snapshot!(session(&project, &["deploy"]), @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] refused the
      │ login: role "tollgate_nobody" does not exist
      help: check the user in the URL, or let an administrator make the role: CREATE ROLE name LOGIN
      the database now: nothing was changed
    "#);
    database.psql("CREATE ROLE tollgate_nobody NOLOGIN");
    let refused = session(&project, &["deploy"]);
    database.psql("DROP ROLE tollgate_nobody");
    assert_snapshot!(refused, @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] refused the
      │ login: role "tollgate_nobody" is not permitted to log in
      help: check the user in the URL, or let an administrator make the role: CREATE ROLE name LOGIN
      the database now: nothing was changed
    "#);
}

#[test]
fn a_role_that_may_not_connect_to_the_database() {
    let database = cluster().database();
    let name = &database.name;
    database.psql(&format!(
        "CREATE ROLE tollgate_stranger LOGIN; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; \
         GRANT CREATE ON DATABASE {name} TO tollgate_stranger; GRANT ALL ON SCHEMA public TO tollgate_stranger;"
    ));
    let project = on(&database.url_as("tollgate_stranger", None));
    blog(&project);
    let refused = session(&project, &["deploy"]);
    database.psql(&format!("GRANT CONNECT ON DATABASE {name} TO tollgate_stranger"));
    let completed = project.run(&["deploy"]);
    let applied = database.psql(APPLIED);
    database.psql("DROP OWNED BY tollgate_stranger CASCADE; DROP ROLE tollgate_stranger");
    assert_snapshot!(refused, @r#"
    $ tollgate deploy
    status: 1
    -- stderr
    database

      × PostgreSQL database "[database]", schema "public" at 127.0.0.1:[port] refused the
      │ login: permission denied for database "[database]": User does not have CONNECT
      │ privilege.
      help: let an administrator run: GRANT CONNECT ON DATABASE the_database TO the_role
      the database now: nothing was changed
    "#);
    assert_eq!(completed.status, Some(0), "{completed}");
    assert_eq!(applied, BLOG_APPLIED);
}
