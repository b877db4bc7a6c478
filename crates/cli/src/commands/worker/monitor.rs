//! How the jobs of this process and the house are doing: metrics for Prometheus and one answer for a health check.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use serde::Serialize;
use store::{Db, MetricRow};

use crate::commands::worker::round::Job;

/// How often the house is measured.
pub const MEASURE_EVERY: Duration = Duration::from_secs(10);
/// A job that completed no round for this long is in question.
const SILENT_AFTER: Duration = Duration::from_secs(60);
/// Failures are counted over this time.
const WINDOW: Duration = Duration::from_secs(300);
/// More than this share of failures is worth a warning: 0.5 %.
const FAILURES_MAX_PER_MILLE: u64 = 5;
/// Fewer intents than this say nothing about a share.
const WINDOW_MIN: u64 = 200;
/// Unsealed audit entries older than this are worth a warning, in milliseconds.
const UNSEALED_MAX_MS: i64 = 300_000;

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge>;

/// What a health check gets.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
    /// What a person should look at; nothing stands still for it.
    pub warnings: Vec<String>,
    /// Version of this program.
    pub version: &'static str,
}

/// What one job did lately.
struct Pulse {
    last_done: Instant,
    last_error: Option<String>,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<&'static str, Option<Pulse>>,
    /// When, completed, failed.
    settled: VecDeque<(Instant, u64, u64)>,
    warned: bool,
    house: Option<Vec<MetricRow>>,
    house_error: Option<String>,
    /// What is so for as long as the process lives.
    standing: Vec<&'static str>,
    gas: BTreeMap<(u64, String), Result<i64, String>>,
}

/// Shared by the jobs that write and the server that reads.
#[derive(Clone)]
pub struct Monitor {
    registry: Arc<Registry>,
    completed: Counter,
    failed: Counter,
    rounds: Family<Labels, Counter>,
    failed_rounds: Family<Labels, Counter>,
    since_round: Gauges,
    intents: Gauges,
    oldest_pending: Gauges,
    unbalanced: Gauges,
    unsealed: Gauge,
    oldest_unsealed: Gauge,
    failing_runs: Gauges,
    silence: Gauges,
    gas: Gauges,
    failure_share: Gauge,
    state: Arc<Mutex<State>>,
}

impl Monitor {
    /// For these jobs.
    pub fn new(jobs: &[Job]) -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let mut state = State::default();
        state.jobs.extend(jobs.iter().map(|job| (job.name(), None)));
        macro_rules! registered {
            ($name:literal, $help:literal) => {{
                let metric = Default::default();
                registry.register($name, $help, Clone::clone(&metric));
                metric
            }};
        }
        let made = Self {
            completed: registered!("intents_completed", "Intents that this process completed"),
            failed: registered!("intents_failed", "Attempts of this process that failed"),
            rounds: registered!("rounds", "Rounds of this process that ended well, by job"),
            failed_rounds: registered!("failed_rounds", "Rounds of this process that failed, by job"),
            since_round: registered!("milliseconds_since_round", "Since this process's last good round, by job"),
            intents: registered!(
                "intents",
                "Intents that wait, are leased, failed or are dead; at most 20,000 are counted"
            ),
            oldest_pending: registered!(
                "oldest_pending_milliseconds",
                "How long the intent that waits longest has been due"
            ),
            unbalanced: registered!("ledger_unbalanced_assets", "Assets whose debits and credits differ; must be 0"),
            unsealed: registered!(
                "unsealed_audit_entries",
                "Audit entries that are not sealed yet; at most 100,000 are counted"
            ),
            oldest_unsealed: registered!(
                "oldest_unsealed_milliseconds",
                "Age of the oldest audit entry that is not sealed"
            ),
            failing_runs: registered!("failing_runs", "Runs of schedules that failed and are tried again"),
            silence: registered!("job_silence_milliseconds", "Since the last sign of life of any worker, by job"),
            gas: registered!("executor_gas_gwei", "What the executor's key has left for gas"),
            failure_share: registered!(
                "failed_per_mille",
                "Of a thousand intents of this process in five minutes, how many failed"
            ),
            state: Arc::new(Mutex::new(state)),
            registry: Arc::default(),
        };
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of this program", version);
        Self { registry: Arc::new(registry), ..made }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says so in every health check from here on.
    pub fn warn(&self, warning: &'static str) {
        self.state().standing.push(warning);
    }

    /// A round ended well.
    pub fn round_done(&self, job: Job, completed: u64, failed: u64) {
        self.rounds.get_or_create(&of_job(job.name())).inc();
        let mut state = self.state();
        state.jobs.insert(job.name(), Some(Pulse { last_done: Instant::now(), last_error: None }));
        if completed + failed > 0 {
            self.completed.inc_by(completed);
            self.failed.inc_by(failed);
            state.settled.push_back((Instant::now(), completed, failed));
        }
        let (of, share) = failures(&mut state);
        let is_high = of >= WINDOW_MIN && share > FAILURES_MAX_PER_MILLE;
        if is_high && !state.warned {
            tracing::warn!(failed_per_mille = share, of, "more than 0.5 % of intents fail");
        }
        state.warned = is_high;
    }

    /// A round failed.
    pub fn round_failed(&self, job: Job, error: &str) {
        self.failed_rounds.get_or_create(&of_job(job.name())).inc();
        let mut state = self.state();
        match state.jobs.get_mut(job.name()) {
            Some(Some(pulse)) => pulse.last_error = Some(error.to_owned()),
            _ => {
                state.house_error.get_or_insert_with(|| error.to_owned());
            }
        }
    }

    /// What an executor's key has left, in gwei.
    pub fn gas_left(&self, chain_id: u64, address: &str, left: Result<i64, String>) {
        if let Ok(gwei) = left {
            let labels = vec![("chain", chain_id.to_string()), ("address", address.to_owned())];
            self.gas.get_or_create(&labels).set(gwei);
        }
        self.state().gas.insert((chain_id, address.to_owned()), left);
    }

    /// Measures the house once.
    pub async fn measure(&self, db: &Db) {
        match db.metrics().await {
            Ok(rows) => {
                self.show(&rows);
                let mut state = self.state();
                state.house = Some(rows);
                state.house_error = None;
            }
            Err(error) => self.state().house_error = Some(error.to_string()),
        }
    }

    fn show(&self, rows: &[MetricRow]) {
        for row in rows {
            let program = || vec![("program", row.program.clone())];
            match row.metric.as_str() {
                "intents" => {
                    let labels = vec![("program", row.program.clone()), ("state", row.label.clone())];
                    self.intents.get_or_create(&labels).set(row.value)
                }
                "oldest_pending" => self.oldest_pending.get_or_create(&program()).set(row.value),
                "unbalanced_assets" => self.unbalanced.get_or_create(&program()).set(row.value),
                "unsealed" => self.unsealed.set(row.value),
                "oldest_unsealed" => self.oldest_unsealed.set(row.value),
                "failing_runs" => self.failing_runs.get_or_create(&of_job(&row.label)).set(row.value),
                "silence" => self.silence.get_or_create(&of_job(&row.label)).set(row.value),
                other => {
                    tracing::debug!(metric = other, "a metric that this version does not know");
                    0
                }
            };
        }
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        {
            let mut state = self.state();
            for (job, pulse) in &state.jobs {
                if let Some(pulse) = pulse {
                    let silent = i64::try_from(pulse.last_done.elapsed().as_millis()).unwrap_or(i64::MAX);
                    self.since_round.get_or_create(&of_job(job)).set(silent);
                }
            }
            let (_, share) = failures(&mut state);
            self.failure_share.set(i64::try_from(share).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// What is wrong, if anything is.
    pub fn health(&self) -> Health {
        let mut state = self.state();
        let (of, share) = failures(&mut state);
        let mut problems = Vec::new();
        let mut warnings: Vec<String> = state.standing.iter().map(|warning| (*warning).to_owned()).collect();
        for (job, pulse) in &state.jobs {
            match pulse {
                None => problems.push(format!("{job} has not completed a round yet")),
                Some(pulse) if pulse.last_done.elapsed() > SILENT_AFTER => {
                    let why = pulse.last_error.as_deref().unwrap_or("it is still in one");
                    problems.push(format!(
                        "{job} has not completed a round for {} s: {why}",
                        pulse.last_done.elapsed().as_secs()
                    ));
                }
                Some(Pulse { last_error: Some(error), .. }) => {
                    warnings.push(format!("the last round of {job} failed: {error}"))
                }
                Some(_) => {}
            }
        }
        match (&state.house_error, &state.house) {
            (Some(error), _) => problems.push(error.clone()),
            (None, None) => problems.push("the house has not been measured yet".to_owned()),
            (None, Some(rows)) => judge(rows, &mut problems, &mut warnings),
        }
        for ((chain, address), left) in &state.gas {
            match left {
                Ok(0) => problems.push(format!("the executor {address} has no gas left on chain {chain}")),
                Ok(_) => {}
                Err(error) => warnings.push(format!("the executor's gas on chain {chain} cannot be read: {error}")),
            }
        }
        if of >= WINDOW_MIN && share > FAILURES_MAX_PER_MILLE {
            warnings.push(format!("{share} of 1,000 intents failed in the last five minutes, of {of}"));
        }
        Health { healthy: problems.is_empty(), problems, warnings, version: env!("CARGO_PKG_VERSION") }
    }
}

fn judge(rows: &[MetricRow], problems: &mut Vec<String>, warnings: &mut Vec<String>) {
    for row in rows {
        match row.metric.as_str() {
            "unbalanced_assets" if row.value != 0 => {
                problems.push(format!("the ledger of {} does not balance in {} assets", row.program, row.value));
            }
            "intents" if row.label == "DEAD" && row.value != 0 => {
                warnings.push(format!("{} intents of {} are dead: look at their errors", row.value, row.program));
            }
            "oldest_unsealed" if row.value > UNSEALED_MAX_MS => {
                warnings.push(format!("an audit entry has waited for its seal for {} s", row.value / 1_000));
            }
            "failing_runs" if row.value != 0 => {
                warnings.push(format!("{} runs of {} failed and are tried again", row.value, row.label));
            }
            _ => {}
        }
    }
}

/// Intents in the window, and how many of a thousand failed.
fn failures(state: &mut State) -> (u64, u64) {
    while state.settled.front().is_some_and(|(at, ..)| at.elapsed() > WINDOW) {
        state.settled.pop_front();
    }
    let (completed, failed) = state.settled.iter().fold((0, 0), |(c, f), (_, done, bad)| (c + done, f + bad));
    let of = completed + failed;
    (of, (failed * 1_000).checked_div(of).unwrap_or(0))
}

fn of_job(job: &str) -> Labels {
    vec![("job", job.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(metric: &str, label: &str, value: i64) -> MetricRow {
        MetricRow { program: "acme".into(), metric: metric.into(), label: label.into(), value }
    }

    #[test]
    fn an_executor_that_pins_no_root_says_so_each_time() {
        let monitor = Monitor::new(&[]);
        monitor.state().house = Some(vec![]);
        assert!(monitor.health().warnings.is_empty());
        monitor.warn(crate::commands::worker::round::UNPINNED);
        let health = monitor.health();
        assert!(health.healthy && health.warnings == [crate::commands::worker::round::UNPINNED], "{health:?}");
    }

    #[test]
    fn failures_above_half_a_percent_are_said_once_there_are_enough() {
        let monitor = Monitor::new(&[Job::Intents]);
        monitor.state().house = Some(vec![]);
        monitor.round_done(Job::Intents, 100, 10);
        assert!(monitor.health().healthy && monitor.health().warnings.is_empty(), "too few to judge");
        monitor.round_done(Job::Intents, 890, 0);
        let health = monitor.health();
        assert!(health.healthy && health.warnings == ["10 of 1,000 intents failed in the last five minutes, of 1000"]);
        monitor.round_done(Job::Intents, 2_000, 0);
        assert!(monitor.health().warnings.is_empty(), "3 of 1,000 is below 0.5 %");
        let text = monitor.text().expect("text");
        assert!(text.contains("countersign_intents_completed_total 2990\n"), "{text}");
        assert!(text.contains("countersign_intents_failed_total 10\n"), "{text}");
        assert!(text.contains("countersign_rounds_total{job=\"intents\"} 3\n"), "{text}");
        assert!(text.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))), "{text}");
    }

    #[test]
    fn an_unbalanced_ledger_a_silent_job_and_an_empty_key_are_problems() {
        let monitor = Monitor::new(&[Job::Watch]);
        let problems = monitor.health().problems;
        assert_eq!(problems, ["watch has not completed a round yet", "the house has not been measured yet"]);
        monitor.round_done(Job::Watch, 0, 0);
        monitor.state().house = Some(vec![row("unbalanced_assets", "", 0), row("intents", "DEAD", 2)]);
        let health = monitor.health();
        assert!(health.healthy, "{health:?}");
        assert_eq!(health.warnings, ["2 intents of acme are dead: look at their errors"]);
        monitor.state().house = Some(vec![row("unbalanced_assets", "", 1)]);
        monitor.gas_left(1, "0xab", Ok(0));
        let problems = monitor.health().problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("does not balance") && problems[1].contains("no gas left"), "{problems:?}");
        monitor.round_failed(Job::Watch, "no answer");
        assert!(monitor.health().warnings.contains(&"the last round of watch failed: no answer".to_owned()));
    }
}
