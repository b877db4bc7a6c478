//! The cluster's folder: who owns what in it, and the path of the socket.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid, User, chown, geteuid};

use super::{ClusterError, clean_command};

/// `sizeof(sockaddr_un.sun_path)` less the ending zero on Linux; macOS allows 103.
const SOCKET_PATH_MAX_BYTES: usize = if cfg!(target_os = "macos") { 103 } else { 107 };
/// The port is only part of the socket's name; every cluster has a folder of its own.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// The unprivileged user that runs the server when we are root.
#[derive(Debug, Clone)]
pub(super) struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// `None` for an ordinary user, who runs the server in person.
    pub fn for_server() -> Result<Option<Self>, ClusterError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let Ok(Some(user)) = User::from_name(name) {
                return Ok(Some(Self { name: user.name, uid: user.uid, gid: user.gid }));
            }
        }
        Err(ClusterError::NoAccount)
    }

    /// Whether this user may pass through a folder with these permissions. The user's further groups are
    /// not asked: the server runs without them.
    fn may_enter(&self, uid: u32, gid: u32, mode: u32) -> bool {
        let bit = if uid == self.uid.as_raw() {
            0o100
        } else if gid == self.gid.as_raw() {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

/// The folder, opened for one server account.
#[derive(Debug)]
pub(super) struct Folder {
    pub root: PathBuf,
    account: Option<Account>,
}

impl Folder {
    /// Makes the folder if it is not there and checks that the server's user can reach it.
    pub fn open(dir: &Path, account: Option<Account>) -> Result<Self, ClusterError> {
        // Run by root, the server's user passes through on its way to `data`; nobody can list it.
        let mode = if account.is_some() { 0o711 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(dir)
            .map_err(|e| ClusterError::file("make the folder", dir, e))?;
        let root = dir.canonicalize().map_err(|e| ClusterError::file("find", dir, e))?;
        if let Some(account) = &account {
            check_reachable(&root, account)?;
        }
        Ok(Self { root, account })
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    fn password_file(&self) -> PathBuf {
        self.root.join("admin.password")
    }

    /// A command that runs as the server's user, in a folder that user can enter.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = clean_command(program);
        command.current_dir(&self.root);
        if let Some(account) = &self.account {
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        command
    }

    fn draft(&self) -> PathBuf {
        self.root.join("draft")
    }

    /// Removes what a break left of a cluster in the making. Only for the holder of the lock: nobody else writes there.
    pub fn remove_draft(&self) -> Result<(), ClusterError> {
        let draft = self.draft();
        match std::fs::remove_dir_all(&draft) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(ClusterError::file("remove", &draft, e)),
            _ => Ok(()),
        }
    }

    /// An empty folder of the server's user for a cluster in the making.
    pub fn make_draft(&self) -> Result<PathBuf, ClusterError> {
        let draft = self.draft();
        DirBuilder::new().mode(0o700).create(&draft).map_err(|e| ClusterError::file("make", &draft, e))?;
        self.give_to_server(&draft)?;
        Ok(draft)
    }

    /// Writes a file that only the server's user can read.
    pub fn write_for_server(&self, path: &Path, text: &str) -> Result<(), ClusterError> {
        write_private(path, text)?;
        self.give_to_server(path)
    }

    /// Keeps the superuser's password for whoever runs us.
    pub fn write_password(&self, password: &str) -> Result<(), ClusterError> {
        let path = self.password_file();
        let draft = path.with_extension("new");
        match std::fs::remove_file(&draft) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(ClusterError::file("replace", &draft, e));
            }
            _ => {}
        }
        write_private(&draft, password)?;
        std::fs::rename(&draft, &path).map_err(|e| ClusterError::file("write", &path, e))
    }

    pub fn read_password(&self) -> Result<String, ClusterError> {
        let path = self.password_file();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(ClusterError::NoPassword(path)),
            Err(e) => Err(ClusterError::file("read", &path, e)),
        }
    }

    /// The socket's folder: `socket` here, or a short one in the temporary folder when that path would not
    /// fit the system's limit.
    pub fn make_socket_dir(&self) -> Result<PathBuf, ClusterError> {
        let here = self.root.join("socket");
        if fits(&here) {
            return self.make_owned_dir(here);
        }
        let mut name = OsString::from("countersign-");
        name.push(format!("{:016x}", fingerprint(&self.root)));
        let short = std::env::temp_dir().join(name);
        if !fits(&short) {
            let path = socket_in(&short);
            return Err(ClusterError::SocketPath { length: path.as_os_str().len(), path });
        }
        if let Some(account) = &self.account {
            check_reachable(&std::env::temp_dir(), account)?;
        }
        self.make_owned_dir(short)
    }

    /// Makes a 0700 folder of the server's user; one that exists must be exactly that, for a stranger could
    /// have made it first in a folder open to all.
    fn make_owned_dir(&self, path: PathBuf) -> Result<PathBuf, ClusterError> {
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => self.give_to_server(&path)?,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let found = std::fs::symlink_metadata(&path).map_err(|e| ClusterError::file("read", &path, e))?;
                let owner = self.account.as_ref().map_or(geteuid(), |account| account.uid);
                if !found.is_dir() || found.uid() != owner.as_raw() || found.mode() & 0o077 != 0 {
                    return Err(ClusterError::ForeignSocketFolder(path));
                }
            }
            Err(e) => return Err(ClusterError::file("make", &path, e)),
        }
        Ok(path)
    }

    fn give_to_server(&self, path: &Path) -> Result<(), ClusterError> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        chown(path, Some(account.uid), Some(account.gid)).map_err(|e| ClusterError::file("hand over", path, e.into()))
    }
}

/// The socket in a socket folder.
pub(super) fn socket_in(socket_dir: &Path) -> PathBuf {
    socket_dir.join(SOCKET_NAME)
}

fn fits(socket_dir: &Path) -> bool {
    socket_in(socket_dir).as_os_str().len() <= SOCKET_PATH_MAX_BYTES
}

fn check_reachable(folder: &Path, account: &Account) -> Result<(), ClusterError> {
    for path in folder.ancestors() {
        let found = std::fs::metadata(path).map_err(|e| ClusterError::file("read", path, e))?;
        if !account.may_enter(found.uid(), found.gid(), found.mode()) {
            return Err(ClusterError::Unreachable { user: account.name.clone(), path: path.to_owned() });
        }
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> Result<(), ClusterError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // The process's umask may only take rights away, so the mode above is never wider than this.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|e| ClusterError::file("write", path, e))
}

/// FNV-1a of a path: the same short name for the same folder, in every release. Not a secret; ownership is
/// checked instead.
fn fingerprint(path: &Path) -> u64 {
    path.as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
