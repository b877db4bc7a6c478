//! Trial balance, statements, and the check of every balance.

use contract::{AccountRow, LedgerCheck, LedgerFinding, Period, Statement, StatementLine, TrialBalance, TrialTotal};
use domain::id::AssetId;
use money::{Amount, SignedAmount};

use crate::view::{asset_tag, days, time};
use crate::{AppError, Session, local};

/// Every account, and whether the two sides are equal per asset.
pub async fn trial_balance(session: &Session) -> Result<TrialBalance, AppError> {
    let assets = local::assets(session).await?;
    let mut sums: Vec<(AssetId, Amount, Amount)> = Vec::new();
    let mut accounts = Vec::new();
    for row in local::accounts(session).await? {
        let asset = assets.get(row.asset_id)?;
        let debit_balance = row.debits.checked_sub(row.credits).ok().filter(|a| !a.is_zero());
        let credit_balance = row.credits.checked_sub(row.debits).ok().filter(|a| !a.is_zero());
        let (debit, credit) = (debit_balance.unwrap_or_default(), credit_balance.unwrap_or_default());
        match sums.iter_mut().find(|(id, ..)| *id == row.asset_id) {
            Some((_, debits, credits)) => {
                *debits = debits.checked_add(debit)?;
                *credits = credits.checked_add(credit)?;
            }
            None => sums.push((row.asset_id, debit, credit)),
        }
        let text = |amount: Amount| amount.to_decimal(asset.decimals);
        accounts.push(AccountRow {
            code: row.code,
            name: row.name,
            asset: asset_tag(asset),
            debits: text(row.debits),
            credits: text(row.credits),
            debit_balance: debit_balance.map(text),
            credit_balance: credit_balance.map(text),
            held: text(row.held),
        });
    }
    let totals = sums
        .into_iter()
        .map(|(id, debits, credits)| {
            let asset = assets.get(id)?;
            Ok(TrialTotal {
                asset: asset_tag(asset),
                debits: debits.to_decimal(asset.decimals),
                credits: credits.to_decimal(asset.decimals),
                balanced: debits == credits,
            })
        })
        .collect::<Result<_, AppError>>()?;
    Ok(TrialBalance { accounts, totals })
}

/// Computes every balance again from transfers alone, and every affiliate's liability from its commissions.
pub async fn check(session: &Session) -> Result<LedgerCheck, AppError> {
    let program = session.program_id();
    let (findings, trial) =
        tokio::try_join!(async { Ok(session.db.check_ledger(program).await?) }, trial_balance(session))?;
    Ok(LedgerCheck {
        accounts: trial.accounts.len(),
        findings: findings
            .into_iter()
            .map(|f| LedgerFinding {
                kept: f.kept.to_decimal(f.decimals),
                recomputed: f.recomputed.to_decimal(f.decimals),
                code: f.code,
                name: f.name,
                asset: f.symbol,
                finding: f.finding,
            })
            .collect(),
        unbalanced: trial.totals.into_iter().filter(|t| !t.balanced).map(|t| t.asset.symbol).collect(),
    })
}

/// How many entries are read at once.
const PAGE: u32 = 5_000;

/// One account of one asset over a period, whole: opening, every entry, closing.
///
/// # Errors
/// [`AppError::Invalid`] when there is no such account; [`AppError::Conflict`] when it moved meanwhile.
pub async fn statement(session: &Session, code: &str, symbol: &str, period: &Period) -> Result<Statement, AppError> {
    let (from, to) = days(period)?;
    let program = session.program_id();
    let assets = session.assets().await?;
    let missing = || AppError::Invalid(format!("There is no account {code} in {symbol}: the trial balance lists them"));
    let asset = assets.every().find(|a| a.symbol == symbol).ok_or_else(missing)?;
    let head = session.db.statement(program, code, asset.id, from, to).await?.ok_or_else(missing)?;
    let mut balance = head.opening;
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = session.db.statement_entries(program, head.account, (from, to), after, PAGE).await?;
        let is_last = u32::try_from(page.len()).unwrap_or(PAGE) < PAGE;
        for entry in page {
            after = Some((entry.occurred_at, entry.id));
            let moved = SignedAmount::from(entry.amount);
            balance = balance.checked_add(if entry.is_debit { moved } else { moved.negated() })?;
            let amount = entry.amount.to_decimal(asset.decimals);
            lines.push(StatementLine {
                transfer: entry.id.to_string(),
                date: entry.day.to_string(),
                time: time(entry.occurred_at),
                reason: entry.reason,
                narration: entry.narration,
                other_code: entry.other.0,
                other_name: entry.other.1,
                debit: entry.is_debit.then(|| amount.clone()),
                credit: (!entry.is_debit).then_some(amount),
                balance: balance.to_decimal(asset.decimals),
            });
        }
        if is_last {
            break;
        }
    }
    let closing = head
        .opening
        .checked_add(SignedAmount::from(head.debits))?
        .checked_add(SignedAmount::from(head.credits).negated())?;
    if closing != balance {
        return Err(AppError::Conflict(format!("{code} moved while its statement was made: make it again")));
    }
    Ok(Statement {
        code: head.code,
        name: head.name,
        asset: asset_tag(asset),
        opening: head.opening.to_decimal(asset.decimals),
        debits: head.debits.to_decimal(asset.decimals),
        credits: head.credits.to_decimal(asset.decimals),
        closing: closing.to_decimal(asset.decimals),
        lines,
    })
}
