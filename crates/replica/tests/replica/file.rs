//! Encrypted, for its owner alone, and locked when its lease ends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use domain::replicated::Table;
use replica::{Filler, Head, Key, LEASE, Replica, ReplicaError, Step};
use tempfile::TempDir;

use crate::rows::{chains_row, piece};

const SECRET: &str = "a name that must not be read";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32], None)
}

/// Puts one chain of that name into the copy, as a pull at that time.
pub fn fill(filler: &mut Filler, name: &str, at: DateTime<Utc>) {
    let head = Head {
        server: "one/2/00000001".into(),
        snapshot: "10:10:".parse().expect("a snapshot"),
        me: domain::id::StaffId::new(uuid::Uuid::from_u128(7)),
        programs: Vec::new(),
        permissions: String::new(),
    };
    filler.plan(head).expect("a plan");
    let chains = Table::named("chains").expect("a table");
    filler.take(&Step::Rows(chains, piece(&[chains_row(1, name)]))).expect("rows");
    filler.take(&Step::Stand(at)).expect("a commit");
}

fn filled() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copies/one.sqlite");
    let replica = Replica::open(&file, key(1), LEASE).expect("a copy");
    fill(&mut replica.filler().expect("a filler"), SECRET, now());
    (folder, file)
}

fn name_in(replica: &Replica) -> Result<String, ReplicaError> {
    let reader = replica.reader(now())?;
    let connection = reader.at(now())?;
    Ok(connection.query_row("SELECT name FROM chains", [], |row| row.get(0))?)
}

#[test]
fn nothing_can_be_read_without_the_key() {
    let (_folder, file) = filled();
    let folder = file.parent().expect("a folder");
    assert_eq!(folder.metadata().expect("the folder").permissions().mode() & 0o777, 0o700);
    let mut looked_at = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("a file").path();
        assert_eq!(path.metadata().expect("the file").permissions().mode() & 0o777, 0o600, "{}", path.display());
        let bytes = std::fs::read(&path).expect("the bytes");
        for word in [SECRET.as_bytes(), b"SQLite format 3", b"CREATE TABLE", b"chains"] {
            let is_found = bytes.windows(word.len()).any(|window| window == word);
            assert!(!is_found, "{} holds {}", path.display(), String::from_utf8_lossy(word));
        }
        looked_at += 1;
    }
    assert!(looked_at >= 1);
    // Neither without a key nor with another one.
    let plain = rusqlite::Connection::open(&file).expect("a handle");
    let refused = plain.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    assert_eq!(refused.expect_err("encrypted").sqlite_error_code(), Some(rusqlite::ErrorCode::NotADatabase));
    for other in [key(2), Key::new(&[1; 32], Some(&[1; 32]))] {
        let error = Replica::open(&file, other, LEASE).expect_err("another key");
        assert!(matches!(error, ReplicaError::WrongKey(_)), "{error}");
        assert!(
            error.to_string().starts_with("The local copy does not open: the passphrase is another one"),
            "{error}"
        );
    }
    let replica = Replica::open(&file, key(1), LEASE).expect("the copy");
    assert_eq!(name_in(&replica).expect("a name"), SECRET);
}

#[test]
fn a_lease_without_contact_locks_and_a_contact_unlocks() {
    let (_folder, file) = filled();
    let replica = Replica::open(&file, key(1), LEASE).expect("the copy");
    assert!(replica.reader(now() + LEASE - TimeDelta::seconds(1)).is_ok());
    let reader = replica.reader(now()).expect("a reader");
    let later = now() + LEASE;
    for error in [replica.reader(later).expect_err("locked"), reader.at(later).expect_err("locked meanwhile")] {
        assert!(matches!(error, ReplicaError::LeaseEnded(contact) if contact == now()), "{error}");
    }
    // Setting the clock back does not help.
    let earlier = replica.reader(now() - TimeDelta::days(1)).expect_err("locked");
    assert!(matches!(earlier, ReplicaError::ClockWentBack(_)), "{earlier}");
    fill(&mut replica.filler().expect("a filler"), "new", later);
    assert!(replica.reader(later).is_ok());
    assert!(reader.at(later).is_ok());
}

#[test]
fn an_empty_copy_shows_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let replica = Replica::open(&folder.path().join("one.sqlite"), key(1), LEASE).expect("a copy");
    assert!(matches!(replica.reader(now()), Err(ReplicaError::Empty)));
}

#[test]
fn a_wiped_copy_is_gone() {
    let (_folder, file) = filled();
    Replica::wipe(&file).expect("wiped");
    assert_eq!(std::fs::read_dir(file.parent().expect("a folder")).expect("the folder").count(), 0);
    Replica::wipe(&file).expect("nothing to wipe");
    let replica = Replica::open(&file, key(2), LEASE).expect("a new copy");
    assert!(matches!(replica.reader(now()), Err(ReplicaError::Empty)));
}

#[test]
fn what_was_not_committed_is_not_there() {
    let (_folder, file) = filled();
    let replica = Replica::open(&file, key(1), LEASE).expect("the copy");
    let chains = Table::named("chains").expect("a table");
    {
        let mut filler = replica.filler().expect("a filler");
        filler.take(&Step::Rows(chains, piece(&[chains_row(1, "half")]))).expect("rows");
        assert_eq!(name_in(&replica).expect("a name"), SECRET, "a reader sees the last snapshot");
    }
    assert_eq!(name_in(&replica).expect("a name"), SECRET);
    // A row that cannot be read takes everything of its commit along.
    let mut filler = replica.filler().expect("a filler");
    filler.take(&Step::Rows(chains, piece(&[chains_row(1, "half")]))).expect("rows");
    let mut cut = piece(&[chains_row(2, "cut")]);
    cut.truncate(cut.len() - 4);
    let error = filler.take(&Step::Rows(chains, cut)).expect_err("cut short");
    assert!(error.to_string().starts_with("A row of chains cannot be read: it ends too early"), "{error}");
    filler.take(&Step::Stand(now())).expect("a commit");
    assert_eq!(name_in(&replica).expect("a name"), SECRET);
}
