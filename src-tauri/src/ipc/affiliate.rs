//! Affiliates.

use contract::{AffiliateDetail, AffiliatePage, ById, TableQuery};

use super::{Answer, Shared, answer};

/// A part of the affiliates.
#[tauri::command]
pub async fn affiliate_list(console: Shared<'_>, request: TableQuery) -> Answer<AffiliatePage> {
    answer(console.affiliate_list(request).await)
}

/// One affiliate, with the tree around it and what it earned.
#[tauri::command]
pub async fn affiliate_get(console: Shared<'_>, request: ById) -> Answer<AffiliateDetail> {
    answer(console.affiliate_get(request).await)
}
