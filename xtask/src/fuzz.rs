//! `cargo xtask fuzz`: libFuzzer over the targets of `fuzz/`, built with the coverage of the stable compiler.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::repository::Repository;

/// What makes the compiler count every edge and every comparison for libFuzzer.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// An input that takes longer than this is a finding, in seconds.
const TIMEOUT_SECS: u32 = 10;
/// So is one that takes more memory than this, in MiB.
const MEMORY_MAX_MIB: u32 = 2_048;
/// Longest input, in bytes.
const LENGTH_MAX: u32 = 16_384;

/// What to feed, and for how long.
#[derive(clap::Args)]
pub struct Arguments {
    /// Names of targets; all of them without one
    targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Builds, writes the seeds, and runs each target for its time. A finding ends with exit code 1; its input is kept.
pub fn run(repository: &Repository, arguments: &Arguments) -> Result<ExitCode> {
    let folder = folder(repository);
    let program = build(repository, &folder)?;
    let list = repository.output(Command::new(&program).env("FUZZ_LIST", "1"))?;
    let known: Vec<&str> = list.lines().collect();
    if let Some(stranger) = arguments.targets.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("{stranger} is no target; the targets are {}.", known.join(", "));
    }
    let mut is_clean = true;
    for target in known {
        if arguments.targets.is_empty() || arguments.targets.iter().any(|name| name == target) {
            is_clean &= feed(repository, &program, &folder, target, arguments.seconds)?;
        }
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where programs, corpora and findings are kept, so that hours of different days add up.
fn folder(repository: &Repository) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| OsString::from("target"));
    repository.root.join(target).join("fuzz")
}

fn build(repository: &Repository, folder: &Path) -> Result<PathBuf> {
    let version = repository.output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let mut cargo = repository.cargo();
    // With a target named, build scripts and macros of the host are left without coverage, which they could not link.
    cargo.args(["build", "--locked", "--package", "countersign-fuzz", "--bin", "fuzz", "--features", "engine"]);
    cargo.args(["--profile", "fuzz", "--target", host, "--target-dir"]).arg(folder).env("RUSTFLAGS", COVERAGE);
    repository.run(&mut cargo)?;
    Ok(folder.join(host).join("fuzz/fuzz"))
}

/// One target for its time; whether nothing was found.
fn feed(repository: &Repository, program: &Path, folder: &Path, target: &str, seconds: u32) -> Result<bool> {
    let corpus = folder.join("corpus").join(target);
    let findings = folder.join("findings");
    for made in [&corpus, &findings] {
        std::fs::create_dir_all(made).with_context(|| made.display().to_string())?;
    }
    repository.output(Command::new(program).env("FUZZ_TARGET", target).env("FUZZ_SEEDS", &corpus))?;
    let began = Instant::now();
    let output = Command::new(program)
        .env("FUZZ_TARGET", target)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={TIMEOUT_SECS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MAX_MIB}"))
        .arg(format!("-max_len={LENGTH_MAX}"))
        .arg(format!("-artifact_prefix={}/{target}-", findings.display()))
        .arg("-print_final_stats=1")
        .arg(&corpus)
        .stdin(Stdio::null())
        .output()
        .with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let seconds = began.elapsed().as_secs();
    if output.status.success() {
        println!("{target}: {} inputs in {seconds} s, {} edges, nothing found", inputs(&said), edges(&said));
        return Ok(true);
    }
    let tail: Vec<&str> = said.lines().rev().take(40).collect();
    for line in tail.iter().rev() {
        println!("{line}");
    }
    println!("{target}: found something after {seconds} s; the input is in {}", findings.display());
    Ok(false)
}

/// How many inputs were tried, from the final statistics.
fn inputs(said: &str) -> &str {
    let line = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.map_or("?", str::trim)
}

/// How many edges were reached, from the last line of progress.
fn edges(said: &str) -> &str {
    let after = said.lines().rev().find_map(|line| line.split_once(" cov: "));
    after.and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_libfuzzer_says() {
        let said = "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#9\tDONE   cov: 345 ft: 9 corp: 3/9b\n\
                    stat::number_of_executed_units: 678\nstat::peak_rss_mb: 9\n";
        assert_eq!((inputs(said), edges(said)), ("678", "345"));
        assert_eq!((inputs(""), edges("")), ("?", "?"));
    }
}
