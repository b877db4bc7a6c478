//! The first screen: work, balances, commissions, proof.

use contract::{ActionName, Balance, BatchSummary, CommissionTotals, Home, WaitingItem};
use money::Amount;

use crate::batch::allowed::Facts;
use crate::batch::list::{Progress, summary};
use crate::reconciliation::read;
use crate::session::Assets;
use crate::view::{asset_tag, time};
use crate::{AppError, Session, local};

/// Beside work that cannot be done while the shared database does not answer.
const NEEDS_SERVER: &str = "Reading works; the rest needs the shared database";

/// What waits for this person, and how things stand.
pub async fn home(session: &Session) -> Result<Home, AppError> {
    let (assets, safes, batches, sums, mut runs) = tokio::try_join!(
        local::assets(session),
        local::safes(session),
        local::batches(session, None, Progress::is_of_interest),
        local::commission_sums(session),
        read::list(session),
    )?;
    let is_online = session.online().is_ok();
    let mut waiting = Vec::new();
    for (row, found) in batches.into_iter().rev() {
        let Some(safe) = safes.iter().find(|s| s.id == row.safe_id) else { continue };
        let progress = Progress::of(session, &row, found, &safes);
        let leg_states: Vec<_> = progress.legs.iter().map(|l| l.state).collect();
        let facts = progress.facts(session, &row, safe, &leg_states);
        let shown = summary(session, &row, safe, &assets, &progress)?;
        if let Some((verb, reason, button)) = work(&facts, &shown) {
            waiting.push(WaitingItem {
                verb: verb.into(),
                subject: row.title.clone(),
                reason: if is_online { reason } else { NEEDS_SERVER.into() },
                totals: shown.totals,
                since: time(row.submitted_at.unwrap_or(row.created_at)),
                batch_id: row.id.to_string(),
                button: button.into(),
            });
        }
    }
    runs.truncate(12);
    let balances = balances(&assets, &safes, &local::balances(session).await?)?;
    Ok(Home { waiting, balances, commissions: commissions(&assets, &sums)?, runs })
}

/// The one next step of a batch that this person can do.
fn work(facts: &Facts<'_>, batch: &BatchSummary) -> Option<(&'static str, String, &'static str)> {
    let enabled = |name| facts.actions().iter().any(|a| a.name == name && a.enabled);
    if enabled(ActionName::Execute) {
        return Some(("Send batch", "Every leg has its signatures".into(), "Send…"));
    }
    if enabled(ActionName::Sign) {
        return Some(("Countersign", format!("You hold an owner key. {}", batch.next), "Sign…"));
    }
    if enabled(ActionName::Approve) {
        return Some(("Approve batch", format!("Prepared by {}. {}", batch.prepared_by, batch.next), "Review"));
    }
    if enabled(ActionName::Submit) && facts.part == Some("EDITOR") {
        return Some(("Submit batch", "A draft of yours".into(), "Open"));
    }
    None
}

fn balances(assets: &Assets, safes: &[store::SafeRow], rows: &[store::BalanceRow]) -> Result<Vec<Balance>, AppError> {
    rows.iter()
        .map(|row| {
            let asset = assets.get(row.asset_id)?;
            let safe = safes.iter().find(|s| s.id == row.safe_id);
            let usable = row.on_chain.map_or(Amount::ZERO, |(chain, _)| chain.min(row.in_ledger));
            let available = usable.checked_sub(row.committed).unwrap_or(Amount::ZERO);
            Ok(Balance {
                safe_name: safe.map(|s| s.name.clone()).unwrap_or_default(),
                safe_address: safe.map(|s| s.address.to_checksum(None)).unwrap_or_default(),
                asset: asset_tag(asset),
                on_chain: row.on_chain.map(|(amount, _)| amount.to_decimal(asset.decimals)),
                in_ledger: row.in_ledger.to_decimal(asset.decimals),
                committed: row.committed.to_decimal(asset.decimals),
                available: available.to_decimal(asset.decimals),
                agrees: row.on_chain.is_none_or(|(chain, _)| chain == row.in_ledger),
                committed_percent: percent(row.committed, row.in_ledger),
            })
        })
        .collect()
}

/// Whole percent, rounded down, for the length of a bar.
fn percent(part: Amount, whole: Amount) -> u8 {
    if whole.is_zero() {
        return 0;
    }
    let percent = part.to_word() * ruint::aliases::U256::from(100u8) / whole.to_word();
    u8::try_from(percent.min(ruint::aliases::U256::from(100u8))).unwrap_or(100)
}

fn commissions(assets: &Assets, sums: &[store::CommissionSum]) -> Result<Vec<CommissionTotals>, AppError> {
    sums.iter()
        .map(|sum| {
            let asset = assets.get(sum.asset_id)?;
            let text = |amount: Amount| amount.to_decimal(asset.decimals);
            Ok(CommissionTotals {
                asset: asset_tag(asset),
                accrued: text(sum.accrued),
                payable: text(sum.payable),
                in_batch: text(sum.in_batch),
                paid: text(sum.paid),
            })
        })
        .collect()
}
