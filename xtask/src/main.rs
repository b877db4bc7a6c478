//! `cargo xtask`: writes the generated files and checks the rules of the house.
//!
//! Each rule is a function from the repository's files to findings, so that it can be tested without a
//! repository; a finding is one sentence that says where, what, and what to do.

mod database;
mod dependencies;
mod fuzz;
mod generated;
mod query_cache;
mod replicated;
mod repository;
mod states;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::repository::Repository;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Writes the generated files and checks the rules of the house.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes the generated files again: contract, state tables, query cache
    Gen {
        /// Changes nothing; fails if a generated file in the tree is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Checks the rules of the house: who may depend on whom, sizes, words, migrations, lock files
    Tidy,
    /// Checks sources, licences and banned packages of the dependencies
    Dependencies,
    /// Feeds the parsers with bytes that coverage leads, and keeps what was found for the next time
    Fuzz(fuzz::Arguments),
    /// Compares the Ethereum app in the Speculos emulator, with the test seed, with the recorded exchanges
    Ledger {
        /// Its port for commands, as tcp:HOST:PORT
        #[arg(long)]
        device: String,
        /// Its HTTP interface, as HOST:PORT, to press the buttons; without it you press what is printed
        #[arg(long)]
        buttons: Option<String>,
    },
    /// Everything above that only looks: tidy, dependencies, gen --check
    Check,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<ExitCode> {
    let repository = Repository::find()?;
    let findings = match task {
        Task::Ledger { device, buttons } => {
            let device = device.strip_prefix("tcp:").unwrap_or(device);
            let run = ["run", "--quiet", "--package", "countersign-simulator", "--example", "emulator", "--"];
            repository.run(repository.cargo().args(run).arg(device).args(buttons))?;
            Vec::new()
        }
        Task::Gen { check: false } => generated::write(&repository)?,
        Task::Gen { check: true } => generated::findings(&repository)?,
        Task::Tidy => tidy::findings(&repository)?,
        Task::Dependencies => dependencies::findings(&repository)?,
        Task::Fuzz(arguments) => return fuzz::run(&repository, arguments),
        Task::Check => {
            [tidy::findings(&repository)?, dependencies::findings(&repository)?, generated::findings(&repository)?]
                .concat()
        }
    };
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("Nothing to complain about.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nFound {} in all.", findings.len());
    Ok(ExitCode::FAILURE)
}
