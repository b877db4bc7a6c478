//! Trial balance.

use contract::{AccountRow, TrialBalance, TrialTotal};
use domain::id::AssetId;
use money::Amount;

use crate::view::asset_tag;
use crate::{AppError, Session};

/// Every account, and whether the two sides are equal per asset.
pub async fn trial_balance(session: &Session) -> Result<TrialBalance, AppError> {
    let assets = session.assets().await?;
    let mut sums: Vec<(AssetId, Amount, Amount)> = Vec::new();
    let mut accounts = Vec::new();
    for row in session.db.accounts(session.program_id()).await? {
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
