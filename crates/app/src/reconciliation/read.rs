//! Runs and what they found, for the screens.

use contract::{DiscrepancyView, MatchView, Money, RunDetail, RunGroup, RunSummary, SideField};
use domain::id::RunId;
use domain::reconciliation::DiscrepancyKind;
use money::{Amount, SignedAmount};
use serde::Deserialize;
use store::{DiscrepancyRow, MatchRow, RunRow};

use crate::batch::get::position;
use crate::session::Assets;
use crate::view::{asset_tag, money, time};
use crate::{AppError, Session, local};

/// Runs, newest first.
pub async fn list(session: &Session) -> Result<Vec<RunSummary>, AppError> {
    Ok(local::runs(session, None).await?.iter().map(summary).collect())
}

/// One run with its groups, discrepancies and matches.
pub async fn get(session: &Session, id: RunId) -> Result<RunDetail, AppError> {
    let run = local::runs(session, Some(id))
        .await?
        .into_iter()
        .next()
        .ok_or_else(|| AppError::Invalid("There is no such run in this program".into()))?;
    let assets = local::assets(session).await?;
    let (matches, discrepancies) = tokio::try_join!(local::matches(session, id), local::discrepancies(session, id))?;
    Ok(RunDetail {
        summary: summary(&run),
        groups: groups(&matches, &discrepancies, &assets)?,
        discrepancies: discrepancies.iter().map(|d| discrepancy(d, &assets)).collect::<Result<_, _>>()?,
        matches: matches.iter().map(|m| matched(m, &assets)).collect::<Result<_, _>>()?,
    })
}

fn summary(run: &RunRow) -> RunSummary {
    RunSummary {
        id: run.id.to_string(),
        number: run.number,
        started_at: time(run.started_at),
        completed_at: time(run.completed_at),
        started_by: run.started_by.clone(),
        blocks: (run.blocks.0.to_string(), run.blocks.1.to_string()),
        lines: run.lines,
        matched: run.matched,
        match_rate: match_rate(run.matched, run.lines),
        open: run.open,
    }
}

/// Two decimals, cut and never rounded up: `100.00` means all of them.
fn match_rate(matched: u32, lines: u32) -> String {
    if lines == 0 {
        return "100.00".into();
    }
    let basis_points = u64::from(matched) * 10_000 / u64::from(lines);
    format!("{}.{:02}", basis_points / 100, basis_points % 100)
}

fn groups(matches: &[MatchRow], discrepancies: &[DiscrepancyRow], assets: &Assets) -> Result<Vec<RunGroup>, AppError> {
    let mut sums: Vec<Money> = Vec::new();
    let mut totals: Vec<(domain::id::AssetId, Amount)> = Vec::new();
    for m in matches {
        match totals.iter_mut().find(|(id, _)| *id == m.asset_id) {
            Some((_, sum)) => *sum = sum.checked_add(m.amount)?,
            None => totals.push((m.asset_id, m.amount)),
        }
    }
    for (id, sum) in totals {
        sums.push(money(assets.get(id)?, sum));
    }
    let mut out = vec![RunGroup {
        kind: "matched".into(),
        label: "Matched exactly".into(),
        count: u32::try_from(matches.len()).unwrap_or(u32::MAX),
        money: sums,
    }];
    for kind in DiscrepancyKind::ALL {
        let of_kind: Vec<&DiscrepancyRow> = discrepancies.iter().filter(|d| d.kind == kind.as_str()).collect();
        if of_kind.is_empty() {
            continue;
        }
        let mut at_stake: Vec<(domain::id::AssetId, SignedAmount)> = Vec::new();
        for d in &of_kind {
            let sides = Sides::of(d)?;
            let asset = assets.get(d.asset_id)?;
            let magnitude = Amount::parse_decimal(sides.difference.trim_start_matches('-'), asset.decimals)
                .map_err(|e| AppError::Internal(e.to_string()))?;
            match at_stake.iter_mut().find(|(id, _)| *id == d.asset_id) {
                Some((_, sum)) => *sum = sum.checked_add(magnitude.into())?,
                None => at_stake.push((d.asset_id, magnitude.into())),
            }
        }
        out.push(RunGroup {
            kind: kind.as_str().into(),
            label: kind.title().into(),
            count: u32::try_from(of_kind.len()).unwrap_or(u32::MAX),
            money: at_stake
                .into_iter()
                .map(|(id, sum)| Ok(money(assets.get(id)?, sum.magnitude())))
                .collect::<Result<_, AppError>>()?,
        });
    }
    Ok(out)
}

/// The JSON that a run stores beside each discrepancy.
#[derive(Deserialize)]
struct Sides {
    left_name: String,
    right_name: String,
    left_amount: Option<String>,
    right_amount: Option<String>,
    difference: String,
    fields: Vec<SideField>,
}

impl Sides {
    fn of(row: &DiscrepancyRow) -> Result<Self, AppError> {
        serde_json::from_value(row.sides.clone())
            .map_err(|e| AppError::Internal(format!("discrepancy {} has sides that cannot be read: {e}", row.id)))
    }
}

fn discrepancy(row: &DiscrepancyRow, assets: &Assets) -> Result<DiscrepancyView, AppError> {
    let sides = Sides::of(row)?;
    Ok(DiscrepancyView {
        id: row.id.to_string(),
        number: row.number,
        kind: row.kind.clone(),
        state: row.state.clone(),
        title: row.title.clone(),
        subject: row.line.map(|(_, batch, line)| format!("Batch {batch}, line {line}")).unwrap_or_default(),
        left_name: sides.left_name,
        right_name: sides.right_name,
        asset: asset_tag(assets.get(row.asset_id)?),
        left_amount: sides.left_amount,
        right_amount: sides.right_amount,
        difference: sides.difference,
        fields: sides.fields,
        batch_id: row.line.map(|(id, ..)| id.to_string()),
    })
}

fn matched(row: &MatchRow, assets: &Assets) -> Result<MatchView, AppError> {
    Ok(MatchView {
        batch: row.batch_number,
        batch_id: row.batch_id.to_string(),
        line: row.line_no,
        recipient: row.recipient.to_checksum(None),
        money: money(assets.get(row.asset_id)?, row.amount),
        rule: rule_in_words(&row.rule).into(),
        tx_hash: row.tx_hash.to_string(),
        position: position(&row.position_kind, row.position),
    })
}

/// What an engine's rule is called on screen.
fn rule_in_words(rule: &str) -> &str {
    match rule {
        "evidence_key" => "Evidence",
        "occurrence" => "Identical",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rate_is_cut_and_never_rounded_up() {
        assert_eq!(super::match_rate(36, 37), "97.29");
        assert_eq!(super::match_rate(99_999, 100_000), "99.99");
        assert_eq!(super::match_rate(37, 37), "100.00");
    }
}
