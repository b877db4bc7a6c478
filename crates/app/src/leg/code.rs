//! The hashes of a leg as another machine compares them: as text, and as a QR code of the same text.

use contract::{LegCode, LegHashes, QrCode};
use domain::id::BatchId;
use qrcode::Color;
use safe::Hashes;

use crate::batch::get::Loaded;
use crate::leg::review::signable;
use crate::{AppError, Session};

/// Domain hash, message hash and Safe transaction hash, a line each: what the code holds.
pub fn hash_lines(hashes: &Hashes) -> String {
    format!("{}\n{}\n{}", hashes.domain_separator, hashes.message_hash, hashes.safe_tx_hash)
}

/// The code of a leg, made from rows on this machine.
pub async fn code(session: &Session, id: BatchId, leg: u32) -> Result<LegCode, AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    let own = signable(&loaded, leg)?;
    Ok(LegCode { hashes: hashes_view(&own.hashes), code: qr(&own.hashes)? })
}

pub(crate) fn hashes_view(hashes: &Hashes) -> LegHashes {
    LegHashes {
        domain_hash: hashes.domain_separator.to_string(),
        message_hash: hashes.message_hash.to_string(),
        safe_tx_hash: hashes.safe_tx_hash.to_string(),
    }
}

pub(crate) fn qr(hashes: &Hashes) -> Result<QrCode, AppError> {
    let code = qrcode::QrCode::new(hash_lines(hashes)).map_err(|e| AppError::Internal(e.to_string()))?;
    let letter = |module: &Color| if *module == Color::Dark { '1' } else { '0' };
    let rows = code.to_colors().chunks(code.width()).map(|row| row.iter().map(letter).collect()).collect();
    Ok(QrCode { rows })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    #[test]
    fn a_code_is_a_square_with_its_three_finders() {
        let hash = B256::repeat_byte;
        let own = Hashes { domain_separator: hash(1), message_hash: hash(2), safe_tx_hash: hash(3) };
        assert_eq!(hash_lines(&own).lines().count(), 3);
        let QrCode { rows } = qr(&own).expect("200 letters fit");
        assert!(rows.len() > 40 && rows.iter().all(|row| row.len() == rows.len()));
        let finder = "1111111";
        let last = rows.last().expect("rows");
        assert!(rows[0].starts_with(finder) && rows[0].ends_with(finder) && last.starts_with(finder));
        let other = Hashes { message_hash: hash(9), ..own };
        assert_ne!(qr(&other).expect("a code").rows, rows);
    }
}
