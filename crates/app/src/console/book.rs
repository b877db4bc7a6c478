//! The payee book, the changes that two people make, and the audit trail of both.

use std::sync::Arc;

use contract::{
    AffiliateDetail, AffiliatePage, AuditDetail, AuditPage, AuditState, ById, ChangeConfirm, ChangeDetail, ChangePage,
    ChangeWithdraw, CommissionDetail, CommissionPage, Created, PayeeDetail, PayeeFilePreview, PayeeFileWritten,
    PayeePage, PayeeProposal, PayeesProposed, TableQuery,
};

use super::Console;
use crate::session::{blocking, new_id};
use crate::use_cases as cases;
use crate::{AppError, FileKind};

impl Console {
    /// A part of the two-person changes.
    pub async fn change_list(&self, request: TableQuery) -> Result<ChangePage, AppError> {
        cases::change_list(&*self.session().await?, request).await
    }

    /// One change.
    pub async fn change_get(&self, request: ById) -> Result<ChangeDetail, AppError> {
        cases::change_get(&*self.session().await?, &request).await
    }

    /// Confirms what somebody else proposed.
    pub async fn change_confirm(&self, request: ChangeConfirm) -> Result<(), AppError> {
        let _one = self.one_dialog()?;
        let session = self.online().await?;
        let done = cases::change_confirm(&session, Arc::clone(&self.host), &request).await;
        self.written(&session, done).await
    }

    /// Takes back what one proposed, or turns down what somebody else did.
    pub async fn change_withdraw(&self, request: ChangeWithdraw) -> Result<(), AppError> {
        let session = self.online().await?;
        let done = cases::change_withdraw(&session, &request).await;
        self.written(&session, done).await
    }

    /// A part of the payee book.
    pub async fn payee_list(&self, request: TableQuery) -> Result<PayeePage, AppError> {
        cases::payee_list(&*self.session().await?, request).await
    }

    /// One payee.
    pub async fn payee_get(&self, request: ById) -> Result<PayeeDetail, AppError> {
        cases::payee_get(&*self.session().await?, &request).await
    }

    /// Proposes a new payee or another address.
    pub async fn payee_propose(&self, request: PayeeProposal) -> Result<Created, AppError> {
        let _one = self.one_dialog()?;
        let session = self.online().await?;
        let done = cases::payee_propose(&session, Arc::clone(&self.host), &request).await;
        self.written(&session, done).await
    }

    /// Asks for an address book and reads it.
    pub async fn payee_choose_file(&self, (): ()) -> Result<Option<PayeeFilePreview>, AppError> {
        let session = self.session().await?;
        let _one = self.one_dialog()?;
        let host = Arc::clone(&self.host);
        let Some(path) = blocking(move || host.choose_file(FileKind::Payees)).await? else { return Ok(None) };
        session.still_open()?;
        let token = new_id().to_string();
        let (preview, chosen) = cases::payee_choose(&session, &path, &token).await?;
        if let Some(chosen) = chosen {
            self.desk.books.lock().await.insert(token, Arc::new(chosen));
        }
        Ok(Some(preview))
    }

    /// Proposes everything that a chosen address book changes.
    pub async fn payee_import(&self, request: ById) -> Result<PayeesProposed, AppError> {
        let session = self.online().await?;
        let _one = self.one_dialog()?;
        let chosen = self.desk.books.lock().await.get(&request.id).cloned();
        let chosen = chosen
            .ok_or_else(|| AppError::Conflict("The chosen file is not at hand any more: choose it again".into()))?;
        let done = cases::payee_import(&session, Arc::clone(&self.host), &chosen).await;
        let proposed = self.written(&session, done).await?;
        self.desk.books.lock().await.remove(&request.id);
        Ok(proposed)
    }

    /// Writes the book to a file.
    pub async fn payee_export(&self, (): ()) -> Result<Option<PayeeFileWritten>, AppError> {
        let session = self.session().await?;
        let _one = self.one_dialog()?;
        let (host, name) = (Arc::clone(&self.host), format!("payees-{}.csv", session.program.slug));
        let Some(path) = blocking(move || host.save_file(FileKind::PayeeBook, &name)).await? else { return Ok(None) };
        session.still_open()?;
        cases::payee_export(&session, &path).await.map(Some)
    }

    /// A part of the audit trail.
    pub async fn audit_list(&self, request: TableQuery) -> Result<AuditPage, AppError> {
        cases::audit_list(&*self.session().await?, request).await
    }

    /// One entry of it.
    pub async fn audit_get(&self, request: ById) -> Result<AuditDetail, AppError> {
        cases::audit_get(&*self.session().await?, &request).await
    }

    /// Verifies the whole trail on this machine.
    pub async fn audit_verify(&self, (): ()) -> Result<AuditState, AppError> {
        cases::audit_verify(&*self.session().await?).await
    }

    /// A part of the commissions.
    pub async fn commission_list(&self, request: TableQuery) -> Result<CommissionPage, AppError> {
        cases::commission_list(&*self.session().await?, request).await
    }

    /// One commission.
    pub async fn commission_get(&self, request: ById) -> Result<CommissionDetail, AppError> {
        cases::commission_get(&*self.session().await?, &request).await
    }

    /// A part of the affiliates.
    pub async fn affiliate_list(&self, request: TableQuery) -> Result<AffiliatePage, AppError> {
        cases::affiliate_list(&*self.session().await?, request).await
    }

    /// One affiliate.
    pub async fn affiliate_get(&self, request: ById) -> Result<AffiliateDetail, AppError> {
        cases::affiliate_get(&*self.session().await?, &request).await
    }
}
