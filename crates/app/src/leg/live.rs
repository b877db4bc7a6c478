//! Signatures that are out: bearer cheques until their nonces are used (law 6).

use contract::{LiveSigner, LiveTransaction};
use store::LiveSignatureRow;

use crate::view::time;
use crate::{AppError, Session};

/// Every signed Safe transaction of the program that the chain may still take, by Safe and nonce.
pub async fn live(session: &Session) -> Result<Vec<LiveTransaction>, AppError> {
    Ok(by_transaction(session.db.live_signatures(session.program_id()).await?))
}

fn by_transaction(rows: Vec<LiveSignatureRow>) -> Vec<LiveTransaction> {
    let mut out: Vec<LiveTransaction> = Vec::new();
    for row in rows {
        let safe_tx_hash = row.safe_tx_hash.to_string();
        let signer = LiveSigner {
            person: row.person,
            owner: row.owner.to_checksum(None),
            at: time(row.at),
            left_at: row.left_at.map(time),
        };
        match out.iter_mut().find(|t| t.safe_tx_hash == safe_tx_hash) {
            Some(known) => known.signers.push(signer),
            None => out.push(LiveTransaction {
                safe_id: row.safe_id.to_string(),
                nonce: row.nonce.to_string(),
                batch_id: row.batch_id.to_string(),
                batch: row.batch_number,
                leg: row.leg,
                state: row.state.to_string(),
                safe_tx_hash,
                is_rejection: row.is_rejection,
                threshold: row.threshold,
                signers: vec![signer],
            }),
        }
    }
    out
}
