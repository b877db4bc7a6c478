//! The payee book, and the changes that two people make.

use std::sync::Arc;

use contract::{
    ById, ChangeConfirm, ChangeDetail, ChangePage, ChangeWithdraw, Created, PayeeDetail, PayeePage, PayeeProposal,
    TableQuery,
};

use super::Console;
use crate::AppError;
use crate::use_cases as cases;

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
}
