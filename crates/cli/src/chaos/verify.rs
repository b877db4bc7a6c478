//! What must be true afterwards, worked out again from what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use money::{Amount, Rate};
use store::{Administrator, ProvedSale};

use crate::chaos::traffic::{PREFIX, Promised};
use crate::demo::evidence::Record;
use crate::demo::seed::{AFFILIATES, RATES, USERS};

/// Compares every promise with the books.
pub async fn check(administrator: &Administrator, promised: &Promised, record: &mut Record) -> Result<()> {
    let sales = administrator.proved_sales(PREFIX).await?;
    let found: BTreeMap<&str, &ProvedSale> = sales.iter().map(|s| (s.charge.as_str(), s)).collect();
    let lost: Vec<_> = promised.charges.keys().filter(|charge| !found.contains_key(charge.as_str())).collect();
    record.check(format!("none of {} sales was lost {}", promised.charges.len(), examples(&lost)), lost.is_empty());
    let invented: Vec<_> = found.keys().filter(|charge| !promised.charges.contains_key(**charge)).collect();
    record
        .check(format!("none was invented {}", examples(&invented)), invented.is_empty() && sales.len() == found.len());
    let unfinished: Vec<_> = sales.iter().filter(|s| s.state != "COMPLETED").collect();
    record.check(format!("every one is completed {}", examples(&unfinished)), unfinished.is_empty());
    let mut wrong = Vec::new();
    let mut commissions = 0;
    for sale in &sales {
        let expected =
            promised.charges.get(&sale.charge).map(|(number, amount)| effects(&sale.charge, *number, *amount));
        commissions += sale.commissions.len();
        if expected.transpose()?.as_ref() != Some(sale) {
            wrong.push(sale);
        }
    }
    record.check(
        format!(
            "each has one settlement, one posting of it, and exactly the {commissions} commissions of its rule {}",
            examples(&wrong)
        ),
        wrong.is_empty(),
    );
    let ledger = administrator.proved_ledger().await?;
    record.check(
        format!("every balance is the sum of its {} transfers, and debits equal credits", ledger.transfers),
        ledger.wrong_accounts == 0 && ledger.unbalanced_assets == 0,
    );
    Ok(())
}

/// What one sale has to cause.
fn effects(charge: &str, number: u64, amount: Amount) -> Result<ProvedSale> {
    let (base, gold, over) = RATES;
    let place = usize::try_from(number % USERS)? % AFFILIATES.len();
    let (_, tier, code, parent) = AFFILIATES.get(place).context("an affiliate")?;
    let rate: Rate = if *tier == "gold" { gold.parse()? } else { base.parse()? };
    let mut commissions = vec![("DIRECT".to_owned(), (*code).to_owned(), amount.share_half_even(rate))];
    if let Some(parent) = parent {
        commissions.push(("OVERRIDE".to_owned(), (*parent).to_owned(), amount.share_half_even(over.parse()?)));
    }
    Ok(ProvedSale {
        charge: charge.to_owned(),
        state: "COMPLETED".to_owned(),
        settlements: 1,
        transfers: i64::try_from(1 + commissions.len())?,
        amount,
        commissions,
    })
}

fn examples<T: std::fmt::Debug>(found: &[T]) -> String {
    match found {
        [] => String::new(),
        [first, ..] => format!("({} are: {first:?} …)", found.len()),
    }
}

/// By how many hours the times in a log are wrong, each once; the log has one line per event and begins it with its time.
pub fn hours_off(log: &Path, now: DateTime<Utc>) -> Result<BTreeSet<i64>> {
    let text = std::fs::read_to_string(log).with_context(|| log.display().to_string())?;
    let times = text.lines().filter_map(|line| line.split_whitespace().next()?.parse::<DateTime<Utc>>().ok());
    // A run takes minutes, so whole hours tell right from wrong.
    Ok(times.map(|time| ((time - now).num_minutes() + 30).div_euclid(60)).filter(|hours| *hours != 0).collect())
}
