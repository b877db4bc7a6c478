//! The legs of a batch as Safe transactions, for tools that hash or sign them elsewhere.

use domain::id::BatchId;
use safe::SafeTx;
use safe::hash::SafeDomain;

use crate::batch::get::Loaded;
use crate::{AppError, Session};

/// One leg, rebuilt on this machine.
pub struct PlannedTransaction {
    /// Which Safe.
    pub domain: SafeDomain,
    /// The transaction, with its nonce.
    pub tx: SafeTx,
    /// From 1.
    pub leg: u32,
    /// Line numbers in call order.
    pub lines: Vec<u32>,
}

/// Rebuilds the legs of a batch. Their nonces are those that were allocated when signing opened; before that they count
/// up from `first_nonce`.
///
/// # Errors
/// [`AppError::Conflict`] when nonces are neither allocated nor given, or others are; [`AppError::Incident`] when a
/// submitted batch is not what this machine makes of its lines.
pub async fn plan(
    session: &Session,
    id: BatchId,
    first_nonce: Option<u64>,
) -> Result<Vec<PlannedTransaction>, AppError> {
    let mut loaded = Loaded::load(session, id).await?;
    if loaded.row.content_hash.is_some() {
        loaded = Loaded::load_identical(session, id).await?;
    }
    let allocated = |index: u32| loaded.progress.legs.iter().find(|leg| leg.index == index).and_then(|leg| leg.nonce);
    let one = |(at, leg): (u64, &crate::rebuild::RebuiltLeg)| {
        let given = first_nonce.and_then(|first| first.checked_add(at));
        let nonce = match (allocated(leg.index), given) {
            (Some(allocated), Some(given)) if allocated != given => {
                return Err(AppError::Conflict(format!(
                    "Leg {} has the nonce {allocated} since signing opened, and {given} was asked for: leave --nonce out",
                    leg.index
                )));
            }
            (Some(nonce), _) | (None, Some(nonce)) => nonce,
            (None, None) => {
                return Err(AppError::Conflict(
                    "The nonces of this batch are allocated when signing opens: name the first with --nonce".into(),
                ));
            }
        };
        let signable = leg.at_nonce(&loaded.safe, nonce)?;
        Ok(PlannedTransaction { domain: signable.domain, tx: signable.tx, leg: leg.index, lines: leg.line_nos.clone() })
    };
    (0..).zip(&loaded.rebuilt.legs).map(one).collect()
}
