//! The main job in the terminal: the same use cases as the window, person by person.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use app::use_cases as cases;
use app::{Confirmation, FileKind, Host, Session, SigningKey};
use contract::{BatchDetail, ErrorCode, Money, Period};
use domain::commission::{Shares, share};
use domain::id::{BatchId, PayoutId, ProgramId};
use money::Amount;
use secrecy::SecretString;
use serde_json::Value;
use store::Administrator;

use crate::demo::evidence::Record;
use crate::demo::people::PASSPHRASE;
use crate::demo::seed::{charge, commerce};
use crate::demo::stage::{MAIN_JOBS, OnChain, PAYOUT_FILE_NAME, Stage, work_until};
use crate::demo::{last_week, now};

/// Period of the payout file, as its preparer names it.
const PERIOD: &str = "2023-02-07 to 2023-02-14";
const PATIENCE: Duration = Duration::from_secs(120);

/// Stands in for the person who would click: the headless demo confirms what it is about to show.
struct Terminal;

impl Host for Terminal {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, _: &Confirmation) -> bool {
        true
    }
}

/// People at work, each with a session of their own.
struct Team {
    ines: Session,
    tomas: Session,
    adaeze: Session,
    noor: Session,
}

/// Runs the job. What a run before this one did is kept: its file is recognised, its payments are reconciled again.
pub async fn run(
    stage: &Stage,
    on_chain: &OnChain,
    program: ProgramId,
    is_new: bool,
    record: &mut Record,
) -> Result<()> {
    record.step(if is_new { "A program was set up by two people" } else { "The program of an earlier run is there" });
    let team = Team {
        ines: stage.session("ines").await?,
        tomas: stage.session("tomas").await?,
        adaeze: stage.session("adaeze").await?,
        noor: stage.session("noor").await?,
    };
    record.fact("program", program);
    record.fact("Safe", on_chain.safe);
    record.fact("COW", on_chain.cow);
    record.fact("USDC", on_chain.usdc);
    record.fact("chain", &stage.rpc_url);
    let balances = team.ines.db.balances(program).await?;
    record.check(
        "the watcher read three balances of the Safe",
        balances.iter().filter(|b| b.on_chain.is_some()).count() == 3,
    );

    intents(stage, on_chain, &team, record).await?;
    if let Some(batch) = import(stage, &team, record).await? {
        approve_and_sign(&team, batch, record).await?;
        execute(stage, &team, batch, record).await?;
    }
    record.step("Payable commissions become a batch");
    let safe = team.ines.db.safes(program).await?.first().context("no Safe")?.id;
    let title = format!("Affiliate payouts, {}", now().date_naive());
    let batch = cases::from_commissions(&team.ines, safe, &title).await?;
    describe(&cases::batch_get(&team.ines, batch).await?, record);
    cases::submit(&team.ines, batch).await?;
    approve_and_sign(&team, batch, record).await?;
    execute(stage, &team, batch, record).await?;
    let sums = team.ines.db.commission_sums(program).await?;
    record.check(
        "no commission is left payable, every one of them is paid",
        sums.iter().all(|s| s.payable.is_zero() && s.in_batch.is_zero()),
    );
    reconcile(stage, &team, batch, record).await?;
    export(stage, &team, record).await
}

/// COMMERCE intents: once each, a repeat has no effect, another body under the same key is refused.
async fn intents(stage: &Stage, on_chain: &OnChain, team: &Team, record: &mut Record) -> Result<()> {
    record.step("The platform writes COMMERCE intents");
    let platform = stage.db("demo_platform").await?;
    let (program, run) = (team.ines.program_id(), now().timestamp());
    let before = team.ines.db.intent_counts(program).await?;
    let payloads: Vec<Value> =
        (0..12u64).map(|i| charge(on_chain, &format!("run_{run}_{i}"), i * 37 + 11, last_week())).collect();
    let sums_before = paid_out(&team.ines).await?;
    let ids = commerce(stage, &payloads).await?;
    let after = team.ines.db.intent_counts(program).await?;
    record.fact("first intent", ids.first().context("an intent was written")?);
    record.check(
        "12 intents were settled",
        after.completed - before.completed == 12 && after.failed == 0 && after.dead == 0,
    );
    let again = platform.submit_intents("COMMERCE", &Value::from(payloads.clone())).await?;
    record.check("the same 12 again are recognised", again.iter().all(|a| a.outcome == "REPEATED"));
    let mut other = payloads.first().cloned().context("a payload")?;
    other["amount"] = Value::from("1");
    let conflict = platform.submit_intents("COMMERCE", &Value::from(vec![other])).await?;
    record.check(
        "the same key with another amount is refused as a conflict",
        conflict.iter().all(|c| c.outcome == "CONFLICT"),
    );
    commerce(stage, &payloads).await?;
    let unchanged = team.ines.db.intent_counts(program).await?;
    record.check("neither had a second effect", unchanged.completed == after.completed && unchanged.open == 0);
    let expected = recompute(&payloads, on_chain)?;
    let accrued = paid_out(&team.ines).await?;
    for (index, (symbol, expected)) in ["USDC", "COW"].into_iter().zip(expected).enumerate() {
        let grown = accrued[index].checked_sub(sums_before[index])?;
        record.fact(&format!("commissions, {symbol}"), format!("{grown} base units"));
        record.check(format!("an independent recomputation agrees on {symbol}"), grown == expected);
    }
    let trial = cases::trial_balance(&team.ines).await?;
    record.check(
        "the ledger balances in every asset",
        trial.totals.len() == 3 && trial.totals.iter().all(|t| t.balanced),
    );
    Ok(())
}

/// Everything that was ever accrued: USDC, COW.
async fn paid_out(session: &Session) -> Result<[Amount; 2]> {
    let assets = session.db.assets(session.program_id()).await?;
    let sums = session.db.commission_sums(session.program_id()).await?;
    let of = |symbol: &str| -> Result<Amount> {
        let asset = assets.iter().find(|a| a.asset.symbol == symbol).context("a known asset")?;
        let sum = sums.iter().find(|s| s.asset_id == asset.asset.id);
        Ok(sum.map_or(Ok(Amount::ZERO), |s| Amount::checked_sum([s.accrued, s.payable, s.in_batch, s.paid]))?)
    };
    Ok([of("USDC")?, of("COW")?])
}

/// The same commissions by the domain's rule in Rust; the database computed them in SQL.
fn recompute(payloads: &[Value], on_chain: &OnChain) -> Result<[Amount; 2]> {
    let (base, gold, over) = crate::demo::seed::RATES;
    let standard = Shares::try_new(base.parse()?, over.parse()?)?;
    let gold = Shares::try_new(gold.parse()?, over.parse()?)?;
    let mut sums = [Amount::ZERO; 2];
    for payload in payloads {
        let text = |name: &str| payload[name].as_str().map(str::to_owned).with_context(|| format!("{name} is a text"));
        let (wallet, amount): (String, Amount) = (text("wallet")?, text("amount")?.parse()?);
        let user = (0..24)
            .find(|i| format!("{:#x}", crate::demo::seed::made_up_wallet("user", *i)) == wallet)
            .context("a known user")?;
        // Users go round the six affiliates in order: HARROW and DUNLIN are gold and have no parent.
        let (rule, has_parent) = if matches!(user % 6, 0 | 3) { (&gold, false) } else { (&standard, true) };
        let accrual = share(amount, rule, has_parent);
        let asset = usize::from(text("token")? == format!("{:#x}", on_chain.cow));
        sums[asset] = Amount::checked_sum([sums[asset], accrual.direct, accrual.override_])?;
    }
    Ok(sums)
}

/// The payout file: a bad copy is refused line by line, the real one becomes a batch, a second time it is recognised.
async fn import(stage: &Stage, team: &Team, record: &mut Record) -> Result<Option<BatchId>> {
    record.step("A payout file is imported");
    let files = stage.dir.join("files");
    let path = files.join(PAYOUT_FILE_NAME);
    let bad = files.join("bad-copy.csv");
    let text = std::fs::read_to_string(&path)?;
    let spoiled =
        text.replacen("0x926D0e69", "0x926d0e69", 1).replacen("562.0863529345378", "562.0863529345378000001", 1);
    std::fs::write(&bad, spoiled)?;
    let (preview, chosen) = cases::choose(&team.ines, &bad, "demo").await?;
    for error in &preview.errors {
        record.fact(&format!("line {}", error.file_line), &error.message);
    }
    record.check(
        "a copy with two bad lines is refused, each named with its line",
        chosen.is_none() && preview.errors.len() == 2,
    );
    let (preview, chosen) = cases::choose(&team.ines, &path, "demo").await?;
    let chosen = chosen.context("the real file has no bad line")?;
    record.file(&path);
    record.fact("SHA-256", &preview.sha256);
    let tokens = preview.lines.iter().filter(|l| l.money.asset.token.is_some()).count();
    record.check("8 ERC-20 and 29 native lines were read", tokens == 8 && preview.lines.len() == 37);
    totals(&preview.totals, record);
    if let Some(already) = preview.already {
        record.check(
            format!("it is recognised as batch {} ({}) of an earlier run", already.number, already.state),
            already.state == "EXECUTED",
        );
        return Ok(None);
    }
    let safe = team.ines.db.safes(team.ines.program_id()).await?.first().context("no Safe")?.id;
    let batch = cases::import(&team.ines, &chosen, safe, "Solver rewards, week 7", PERIOD).await?;
    record.fact("batch", batch);
    let twice = cases::import(&team.ines, &chosen, safe, "Solver rewards, week 7 again", PERIOD).await;
    refused(record, "the same file twice", twice.map(|_| ()), ErrorCode::Conflict);
    let hash = cases::submit(&team.ines, batch).await?;
    record.fact("content hash", hex::encode(hash));
    let detail = cases::batch_get(&team.ines, batch).await?;
    record.check(
        "it is held against the treasury and waits for two approvers",
        detail.summary.state == "PENDING_APPROVAL" && detail.approvals == (0, 2),
    );
    // Past every button: the preparer's own login, the database's own function.
    let signature = [7u8; 64];
    let own = team.ines.db.approve_batch(team.ines.program_id(), batch, &hash, &signature).await;
    refused(
        record,
        "the preparer's own approval, by the database itself",
        own.map(|_| ()).map_err(Into::into),
        ErrorCode::Forbidden,
    );
    Ok(Some(batch))
}

fn refused(record: &mut Record, what: &str, result: Result<(), app::AppError>, code: ErrorCode) {
    match result {
        Ok(()) => record.check(format!("{what} is refused"), false),
        Err(error) => {
            record.fact("refusal", &error);
            record.check(format!("{what} is refused"), error.code() == code);
        }
    }
}

fn totals(totals: &[Money], record: &mut Record) {
    for total in totals {
        record.fact("total", format!("{} {}", total.amount, total.asset.symbol));
    }
}

fn describe(batch: &BatchDetail, record: &mut Record) {
    record.fact(
        "batch",
        format!(
            "{} ({}), {} lines, {} payees",
            batch.summary.number, batch.summary.title, batch.summary.lines, batch.summary.payees
        ),
    );
    totals(&batch.summary.totals, record);
}

/// Two other people approve what they see, then countersign it with their own keys.
async fn approve_and_sign(team: &Team, batch: BatchId, record: &mut Record) -> Result<()> {
    record.step("Two other people approve and countersign");
    for person in [&team.tomas, &team.adaeze] {
        let shown = cases::batch_get(person, batch).await?;
        let hash = shown.content_hash.context("a submitted batch has a content hash")?;
        cases::approve(person, Arc::new(Terminal), batch, &hash).await?;
        record.fact("approved", format!("{} saw {hash}", person.me.person));
    }
    let detail = cases::batch_get(&team.tomas, batch).await?;
    for leg in &detail.legs {
        record.fact(&format!("leg {}", leg.index), &leg.sentence);
        for person in [&team.tomas, &team.adaeze] {
            let review = cases::leg_review(person, batch, leg.index).await?;
            let hashes = review.leg.hashes.clone().context("signing is open")?;
            if person.me.id == team.tomas.me.id {
                record.fact("nonce", review.leg.nonce.as_deref().unwrap_or("none"));
                record.fact("domain hash", &hashes.domain_hash);
                record.fact("message hash", &hashes.message_hash);
                record.fact("safeTxHash", &hashes.safe_tx_hash);
                for check in &review.checks {
                    record.fact(&check.label, &check.detail);
                }
            }
            let key = SigningKey::Software(SecretString::from(PASSPHRASE));
            let signed =
                cases::leg_sign(person, Arc::new(Terminal), batch, leg.index, &hashes.safe_tx_hash, key).await?;
            record.fact(
                "signed",
                format!(
                    "{} with {}, {} of {}",
                    person.me.person,
                    review.signer.unwrap_or_default(),
                    signed.signatures,
                    signed.threshold
                ),
            );
        }
    }
    let detail = cases::batch_get(&team.tomas, batch).await?;
    record.check(
        "every leg has 2 of 2 signatures",
        detail.legs.iter().all(|l| l.state == "SIGNED" && l.signatures.len() == 2),
    );
    Ok(())
}

/// The executor sends, the watcher proves line by line.
async fn execute(stage: &Stage, team: &Team, batch: BatchId, record: &mut Record) -> Result<()> {
    record.step("The batch executes on the chain");
    cases::execute(&team.ines, Arc::new(Terminal), batch).await?;
    let workers = stage.workers(&MAIN_JOBS).await?;
    work_until(&workers, PATIENCE, async || {
        let state = cases::batch_get(&team.ines, batch).await?.summary.state;
        anyhow::ensure!(state == "EXECUTING" || state == "EXECUTED", "the batch became {state}");
        Ok(state == "EXECUTED")
    })
    .await?;
    let detail = cases::batch_get(&team.ines, batch).await?;
    for leg in &detail.legs {
        record.fact("transaction", leg.tx_hash.as_deref().unwrap_or("none"));
        record.fact(
            "block",
            format!(
                "{}, {:?} confirmations of those needed",
                leg.block.as_deref().unwrap_or("none"),
                leg.confirmations.unwrap_or_default()
            ),
        );
    }
    let proved: Vec<_> = detail.lines.iter().filter_map(|l| l.evidence.as_ref().map(|e| (l, e))).collect();
    for (line, evidence) in proved.iter().take(2).chain(proved.iter().rev().take(1)) {
        record.fact(
            &format!("line {}", line.line),
            format!("{} {} by {}", line.money.amount, line.money.asset.symbol, evidence.position),
        );
    }
    record.check(
        format!("each of the {} lines is paid by evidence of its own", detail.lines.len()),
        proved.len() == detail.lines.len() && detail.lines.iter().all(|l| l.state == "SETTLED"),
    );
    Ok(())
}

/// Ledger, batches and chain agree; a posting that somebody altered past every trigger is found.
async fn reconcile(stage: &Stage, team: &Team, batch: BatchId, record: &mut Record) -> Result<()> {
    record.step("Ledger, batches and chain are reconciled");
    let path = stage.dir.join("files").join("reconciliation.csv");
    let run = cases::reconciliation_get(&team.ines, cases::reconciliation_write(&team.ines, &path).await?).await?;
    record.fact(
        &format!("run {}", run.summary.number),
        format!(
            "{} of {} lines, blocks {} to {}",
            run.summary.matched, run.summary.lines, run.summary.blocks.0, run.summary.blocks.1
        ),
    );
    record.fact("match rate", format!("{} %", run.summary.match_rate));
    record.file(&path);
    record.check(
        "every line agrees on all three sides",
        run.summary.match_rate == "100.00" && run.discrepancies.is_empty(),
    );
    let line = team.ines.db.payouts(team.ines.program_id(), batch).await?;
    let victim: PayoutId = line.first().context("the batch has lines")?.id;
    let administrator = Administrator::connect(&stage.administrator).await?;
    administrator.forge_posting(victim, 1).await?;
    let found = cases::reconciliation_run(&team.ines).await;
    // Put right before anything is judged: the books of the demo stay whole whatever this finds.
    administrator.forge_posting(victim, -1).await?;
    let run = cases::reconciliation_get(&team.ines, found?).await?;
    for d in &run.discrepancies {
        record.fact(&d.subject, &d.title);
    }
    let named = run.discrepancies.len() == 1
        && run.discrepancies.iter().all(|d| d.kind == "amount_mismatch" && d.subject.ends_with("line 1"));
    record.check("one base unit altered by a superuser is found, and nothing else is flagged", named);
    let run = cases::reconciliation_get(&team.ines, cases::reconciliation_run(&team.ines).await?).await?;
    record.check("put right, everything agrees again", run.summary.match_rate == "100.00");
    Ok(())
}

/// The accountant's file, read back and summed apart from the program that wrote it.
async fn export(stage: &Stage, team: &Team, record: &mut Record) -> Result<()> {
    record.step("The accountant exports the journal");
    let today = now().date_naive();
    let period = Period { from: (today - chrono::TimeDelta::days(60)).to_string(), to: today.to_string() };
    let path = stage.dir.join("files").join(format!("journal-{}-to-{}.csv", period.from, period.to));
    let written = cases::write_journal(&team.noor, &path, &period).await?;
    record.file(Path::new(&written.path));
    record.fact("lines", written.export.rows);
    record.fact("SHA-256", &written.export.sha256);
    let decimals = |symbol: &str| if symbol == "USDC" { 6u8 } else { 18 };
    let mut sums: std::collections::BTreeMap<String, (Amount, Amount)> = std::collections::BTreeMap::new();
    let mut reader = csv::Reader::from_path(&path)?;
    for row in reader.deserialize::<std::collections::HashMap<String, String>>() {
        let row = row?;
        let symbol = row["asset"].clone();
        let scale = money::Decimals::try_new(decimals(&symbol))?;
        let amount =
            |name: &str| if row[name].is_empty() { Ok(Amount::ZERO) } else { Amount::parse_decimal(&row[name], scale) };
        let (debit, credit) = (amount("debit")?, amount("credit")?);
        let sum = sums.entry(symbol).or_default();
        *sum = (sum.0.checked_add(debit)?, sum.1.checked_add(credit)?);
    }
    for (symbol, (debits, credits)) in &sums {
        record.fact(symbol, format!("debits {debits} = credits {credits} base units"));
    }
    record.check(
        "read back, debits equal credits to the base unit in all three assets",
        sums.len() == 3 && sums.values().all(|(d, c)| d == c),
    );
    Ok(())
}
