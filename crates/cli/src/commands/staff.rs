//! `countersign staff`: logins, which only whoever administers the database makes, and a person's own password.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use store::{Administrator, Db, Founders, NewLogin};

use crate::commands::Connection;
use crate::output::{Output, WrongUse};

/// Make logins for people, and set one's own password.
///
/// Nothing in the product makes a login or resets a password: `provision`, `found` and `settle` are run by whoever
/// administers the database server, under that login. A new login has a one-time password that ends after some hours. The
/// person signs in with it and sets one of their own (`password`); PostgreSQL lets nobody move the end of a password but
/// the administrator, who takes it off afterwards (`settle`), which is refused while the one-time password stands.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Provision(Provision),
    Settle(Settle),
    Found(Found),
    Password(Password),
}

/// Make a person's login with a one-time password, which is shown once.
///
/// It gives no right in any program: two people with manage_staff add the person (staff.add) and grant roles.
#[derive(clap::Args)]
struct Provision {
    #[command(flatten)]
    connection: Connection,
    /// Login to make.
    login: String,
    /// Whose it is.
    #[arg(long)]
    person: String,
    /// Hours after which the one-time password ends.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=168))]
    hours: u32,
    /// Replace a forgotten password of a login that is there.
    #[arg(long)]
    reset: bool,
}

/// Take the end off the password that a person has set.
#[derive(clap::Args)]
struct Settle {
    #[command(flatten)]
    connection: Connection,
    /// The person's login.
    login: String,
}

/// Found an empty database with its first two super_admins, and make their logins.
///
/// Everything after this takes two people. The identity keys of these two are what every client of the house is told to
/// trust, so they are two people who meet.
#[derive(clap::Args)]
struct Found {
    #[command(flatten)]
    connection: Connection,
    /// The first two super_admins as LOGIN=NAME, given twice.
    #[arg(long = "founder", value_name = "LOGIN=NAME", required = true)]
    founders: Vec<String>,
    /// Hours after which the one-time passwords end.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=168))]
    hours: u32,
}

/// Set one's own password, read from the terminal or from standard input.
///
/// Only its SCRAM verifier is sent. An identity key that is sealed under the old password stays so: open it with the old one.
#[derive(clap::Args)]
struct Password {
    #[command(flatten)]
    connection: Connection,
}

/// A login that was made. Shown once.
#[derive(Serialize)]
struct Provisioned {
    login: String,
    person: String,
    one_time_password: String,
    expires_at: DateTime<Utc>,
}

impl Provisioned {
    fn words(&self) -> String {
        format!(
            "Login {} of {}. One-time password, shown once: {}\nIt ends at {}. Until then: countersign staff password, under this login; then: countersign staff settle {}",
            self.login,
            self.person,
            self.one_time_password,
            self.expires_at.format("%Y-%m-%d %H:%M UTC"),
            self.login
        )
    }
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    match args.command {
        Command::Provision(args) => {
            let administrator = Administrator::connect(&args.connection.database()?).await?;
            let made = provision(&administrator, &args.login, &args.person, args.hours, args.reset).await?;
            output.answer(&made, Provisioned::words);
        }
        Command::Settle(args) => {
            Administrator::connect(&args.connection.database()?).await?.settle_login(&args.login).await?;
            output.answer(&serde_json::json!({ "login": args.login }), |_| {
                format!("The password that {} set has no end any more.", args.login)
            });
        }
        Command::Found(args) => found(args, output).await?,
        Command::Password(args) => {
            let db = Db::connect(&args.connection.database()?).await?;
            let password = new_password()?;
            db.set_own_password(&password, random()?).await?;
            output.answer(&serde_json::json!({}), |_| {
                "Your password is set. Ask the administrator of the database to settle your login, or it ends with the one-time password.".to_owned()
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn found(args: Found, output: Output) -> Result<()> {
    let founders: Vec<(&str, &str)> = args.founders.iter().filter_map(|f| f.split_once('=')).collect();
    let ([first, second], 2) = (founders.as_slice(), args.founders.len()) else {
        return Err(WrongUse("--founder is given exactly twice, each as LOGIN=NAME".into()).into());
    };
    let administrator = Administrator::connect(&args.connection.database()?).await?;
    let mut made = Vec::new();
    for (login, person) in [first, second] {
        // A login that was provisioned before keeps its password.
        if !administrator.has_login(login).await? {
            made.push(provision(&administrator, login, person, args.hours, false).await?);
        }
    }
    administrator.found(Founders { first: *first, second: *second }).await?;
    output.answer(&made, |made| {
        let mut lines: Vec<String> = made.iter().map(Provisioned::words).collect();
        lines.push(format!("{} and {} are the first two super_admins.", first.1, second.1));
        lines.join("\n")
    });
    Ok(())
}

async fn provision(
    administrator: &Administrator,
    login: &str,
    person: &str,
    hours: u32,
    reset: bool,
) -> Result<Provisioned> {
    let password = one_time_password()?;
    let expires_at = now() + TimeDelta::hours(i64::from(hours));
    administrator
        .provision(&NewLogin { login, person, password: &password, salt: random()?, expires_at, reset })
        .await?;
    Ok(Provisioned {
        login: login.to_owned(),
        person: person.to_owned(),
        one_time_password: password.expose_secret().to_owned(),
        expires_at,
    })
}

/// 120 bits, in groups that can be read out: 24 characters of an alphabet of 32 without 0, 1, I and O.
pub(crate) fn one_time_password() -> Result<SecretString> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let bytes: [u8; 24] = random()?;
    let letters: Vec<char> =
        bytes.iter().filter_map(|b| ALPHABET.get(usize::from(b % 32))).copied().map(char::from).collect();
    let groups: Vec<String> = letters.chunks(6).map(|group| group.iter().collect()).collect();
    Ok(SecretString::from(groups.join("-")))
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("the system gave no random bytes: {e}"))?;
    Ok(bytes)
}

/// Twice from a terminal; once from anything else.
fn new_password() -> Result<SecretString> {
    let first = hidden_line("New password: ")?;
    if std::io::stdin().is_terminal() {
        let second = hidden_line("The same again: ")?;
        if first.expose_secret() != second.expose_secret() {
            return Err(WrongUse("The two passwords differ: nothing was changed".into()).into());
        }
    }
    Ok(first)
}

/// A line of standard input; a terminal is asked, and shows nothing of it.
pub(crate) fn hidden_line(question: &str) -> Result<SecretString> {
    let hidden = if std::io::stdin().is_terminal() {
        eprint!("{question}");
        Some(Hidden::begin()?)
    } else {
        None
    };
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("nothing could be read")?;
    if hidden.is_some() {
        eprintln!();
    }
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden {
    before: nix::sys::termios::Termios,
}

impl Hidden {
    fn begin() -> Result<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        if let Err(error) = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.before) {
            tracing::warn!(%error, "the terminal could not be set back: run stty echo");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the administrator's clock says when a one-time password ends")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_passwords_differ_and_can_be_read_out() {
        let (one, other) = (one_time_password().expect("random"), one_time_password().expect("random"));
        assert_ne!(one.expose_secret(), other.expose_secret());
        let groups: Vec<&str> = one.expose_secret().split('-').collect();
        assert_eq!(groups.iter().map(|g| g.len()).collect::<Vec<_>>(), [6, 6, 6, 6]);
        assert!(groups.concat().chars().all(|c| !"01IO".contains(c)));
    }
}
