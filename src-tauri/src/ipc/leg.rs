//! Legs of a batch.

use contract::{LegCode, LegRef, LegReview, LegSign, LegSigned};

use super::{Answer, Shared, answer};

/// What is shown before the key is asked.
#[tauri::command]
pub async fn leg_review(console: Shared<'_>, request: LegRef) -> Answer<LegReview> {
    answer(console.leg_review(request).await)
}

/// The hashes of a leg as a QR code.
#[tauri::command]
pub async fn leg_code(console: Shared<'_>, request: LegRef) -> Answer<LegCode> {
    answer(console.leg_code(request).await)
}

/// Countersigns one leg.
#[tauri::command]
pub async fn leg_sign(console: Shared<'_>, request: LegSign) -> Answer<LegSigned> {
    answer(console.leg_sign(request).await)
}
