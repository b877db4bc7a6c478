//! Connecting: each thing that can be wrong is one sentence with the next step.

use std::os::unix::fs::PermissionsExt as _;

use flows::{House, Server};
use local::postgres::Cluster;
use secrecy::SecretString;
use store::{Db, Settings, StoreError};

async fn refusal(settings: &Settings) -> StoreError {
    Db::connect(settings).await.expect_err("a refusal")
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_login_sound_the_same() {
    let house = House::new().await;
    let settings = house.settings("mia");
    for (login, password) in [("mia", "guessed"), ("nobody", "guessed")] {
        let error = refusal(&settings.as_login(login, &SecretString::from(password))).await;
        let expected = format!(
            "The database refused the login {login} for {}: check the login and its password; the administrator of the database resets it",
            settings.place()
        );
        assert_eq!(error.to_string(), expected);
        assert!(matches!(error, StoreError::LoginRefused(_)));
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = Settings::on_socket(folder.path(), "mia", &SecretString::from("x"), "countersign");
    let error = refusal(&nowhere).await.to_string();
    assert!(error.starts_with(&format!("countersign on {} cannot be reached", folder.path().display())), "{error}");
    assert!(error.ends_with("check the host, the port and that the server runs"), "{error}");
    let url = SecretString::from("postgres://mia:secret@127.0.0.1:1/countersign?sslmode=disable");
    let error = refusal(&Settings::from_url(&url).expect("settings")).await.to_string();
    assert!(error.starts_with("countersign on 127.0.0.1 cannot be reached"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_open_is_named() {
    let house = House::new().await;
    let server = Server::shared().await;
    let password = SecretString::from(house.person("mia").password.as_str());
    let missing = Settings::on_socket(server.socket_dir(), "mia", &password, "no_such_house");
    let error = refusal(&missing).await.to_string();
    assert_eq!(error, format!("There is no database {}: check its name, or create it", missing.place()));
    let closed = server.empty().await;
    let mut admin = server.admin(&closed).await;
    sqlx::query(sqlx::AssertSqlSafe(format!("REVOKE ALL ON DATABASE {closed} FROM PUBLIC")))
        .execute(&mut admin)
        .await
        .expect("closed");
    let closed = Settings::on_socket(server.socket_dir(), "mia", &password, &closed);
    let error = refusal(&closed).await.to_string();
    assert!(error.contains("The login mia may not connect to"), "{error}");
}

#[tokio::test]
async fn an_unmigrated_an_older_and_a_newer_schema_name_the_next_step() {
    let house = House::new().await;
    let server = Server::shared().await;
    let empty = server.admin_settings(&server.empty().await);
    let error = refusal(&empty).await;
    assert!(matches!(error, StoreError::Schema(_)));
    assert_eq!(
        error.to_string(),
        format!(
            "{} has no Countersign schema yet: run `countersign migrate` as the administrator of the database",
            empty.place()
        )
    );
    let place = house.settings("mia").place();
    let mut owner = house.owner().await;
    sqlx::query("INSERT INTO core._sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99991231235959, 'later', true, '', 0)")
        .execute(&mut owner)
        .await
        .expect("a later migration");
    let newer = "has schema 99991231235959, which is newer than";
    let error = refusal(&house.settings("mia")).await.to_string();
    assert!(
        error.starts_with(&format!("{place} {newer}")) && error.ends_with("install the newer Countersign"),
        "{error}"
    );
    let migrated = store::migrate(&house.admin_settings()).await.expect_err("newer").to_string();
    assert!(migrated.contains(newer), "{migrated}");
    sqlx::query("DELETE FROM core._sqlx_migrations WHERE version IN (99991231235959, (SELECT max(version) FROM core._sqlx_migrations WHERE version < 99991231235959))")
        .execute(&mut owner)
        .await
        .expect("an older schema");
    let error = refusal(&house.settings("mia")).await.to_string();
    assert!(error.contains("and this program needs") && error.contains("run `countersign migrate`"), "{error}");
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_needs_the_administrator() {
    let house = House::new().await;
    let again = store::migrate(&house.admin_settings()).await.expect("a second time");
    assert_eq!((again.from, again.to), (store::SCHEMA_VERSION, store::SCHEMA_VERSION));
    let refused = store::migrate(&house.settings("mia")).await.expect_err("not an administrator").to_string();
    assert!(refused.contains("migrate as a superuser or a role with CREATEROLE"), "{refused}");
    let founders = store::Founders { first: ("mia", "Mia"), second: ("max", "Max") };
    let found = async |settings| {
        let administrator = store::Administrator::connect(&settings).await.expect("a connection");
        administrator.found(founders).await.expect_err("a refusal").to_string()
    };
    assert_eq!(found(house.admin_settings()).await, "This database has its founders already");
    let stranger = found(house.settings("mia")).await;
    assert!(stranger.contains("permission denied"), "{stranger}");
}

#[test]
fn a_url_that_is_none_says_how_one_looks() {
    for text in ["", "mysql://x", "postgres://mia@host:port/x"] {
        let error = Settings::from_url(&SecretString::from(text)).expect_err("no URL").to_string();
        assert!(
            error.starts_with("DATABASE_URL cannot be read: write postgres://LOGIN:PASSWORD@HOST:PORT/DATABASE"),
            "{error}"
        );
    }
    let settings =
        Settings::from_url(&SecretString::from("postgres://mia:secret@db.example/countersign")).expect("settings");
    let shown = format!("{settings:?}");
    assert!(shown.contains("countersign on db.example") && !shown.contains("secret"), "{shown}");
}

/// What another program's settings leave in the environment is not for us.
#[test]
fn what_is_set_for_psql_changes_nothing() {
    let mut again = std::process::Command::new(std::env::current_exe().expect("this program"));
    again.args(["--exact", "a_wrong_password_and_an_unknown_login_sound_the_same"]);
    for (name, value) in [
        ("PGPORT", "1"),
        ("PGHOST", "/nowhere"),
        ("PGUSER", "nobody"),
        ("PGDATABASE", "nothing"),
        ("PGAPPNAME", "psql"),
    ] {
        again.env(name, value);
    }
    let output = again.output().expect("a run");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn two_databases_of_one_server_are_set_up_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("permissions");
    let cluster =
        Cluster::start_with(&folder.path().join("cluster"), &local::postgres::Settings::for_tests()).expect("a server");
    let password = SecretString::from(cluster.password());
    let on = |database: &str| Settings::on_socket(cluster.socket_dir(), cluster.superuser(), &password, database);
    let administrator = store::Administrator::connect(&on("postgres")).await.expect("the administrator");
    for database in ["first", "second", "third"] {
        administrator.create_database(database).await.expect("a database");
    }
    // The group roles are the server's: whoever comes second finds them made at that moment.
    let (first, second, third) = (on("first"), on("second"), on("third"));
    let (first, second, third) = tokio::join!(store::migrate(&first), store::migrate(&second), store::migrate(&third));
    for migrated in [first, second, third] {
        let migrated = migrated.expect("a migrated database");
        assert_eq!((migrated.from, migrated.to), (0, store::SCHEMA_VERSION));
    }
}
