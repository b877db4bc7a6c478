//! Rejections of legs.

use contract::{LegRef, LegSign, LegSigned, RejectionAsk, RejectionReview};

use super::{Answer, Shared, answer};

/// Asks the owners to use up the nonces of legs.
#[tauri::command]
pub async fn rejection_ask(console: Shared<'_>, request: RejectionAsk) -> Answer<()> {
    answer(console.rejection_ask(request).await)
}

/// What is shown before the key is asked for a rejection.
#[tauri::command]
pub async fn rejection_review(console: Shared<'_>, request: LegRef) -> Answer<RejectionReview> {
    answer(console.rejection_review(request).await)
}

/// Signs the rejection of one leg.
#[tauri::command]
pub async fn rejection_sign(console: Shared<'_>, request: LegSign) -> Answer<LegSigned> {
    answer(console.rejection_sign(request).await)
}
