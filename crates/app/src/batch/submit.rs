//! Makes the plan, hashes the content, signs it with the identity key, submits.

use domain::id::BatchId;
use domain::statement;
use domain::states::BatchState;

use crate::batch::get::Loaded;
use crate::batch::plan;
use crate::rebuild::{Rebuilt, rebuild};
use crate::{AppError, Session, preflight};

/// Submits a draft; answers the content hash.
///
/// Lines that cannot be paid stop it, and the plan is measured, where an endpoint answers. Without one the plan is made by the
/// table of gas; whoever signs looks at the chain in any case.
///
/// # Errors
/// [`AppError::Conflict`] names a line that cannot be paid; whatever the database refuses: an uncovered asset, too little
/// money, a freeze, another state.
pub async fn submit(session: &Session, id: BatchId) -> Result<[u8; 32], AppError> {
    let loaded = Loaded::load(session, id).await?;
    if loaded.row.state != BatchState::Draft {
        return Err(AppError::Conflict(format!(
            "Batch {} is {} now: open it again",
            loaded.row.number, loaded.row.state
        )));
    }
    let planned = on_chain(session, &loaded).await?;
    let rebuilt = planned.as_ref().unwrap_or(&loaded.rebuilt);
    let content_hash = rebuilt.content_hash;
    let signature = session.sign_statement(&statement::submit(session.program_id(), id, &content_hash))?;
    session.db.submit_batch(session.program_id(), id, &rebuilt.plan(), &content_hash, &signature).await?;
    Ok(content_hash)
}

/// What the chain changes about the batch: its plan, if a measured one is better.
async fn on_chain(session: &Session, loaded: &Loaded) -> Result<Option<Rebuilt>, AppError> {
    let advice = "Take such lines out and submit the rest";
    let mut found = preflight::look(session, loaded).await?;
    let Some((observation, trials)) = found.tried.take() else {
        found.refuse(loaded, advice)?;
        return Ok(None);
    };
    // Lines and account first: measuring asks for nothing that they do not allow.
    found.clone().with_another_plan().refuse(loaded, advice)?;
    let rpc = session.chains.rpc(loaded.safe.chain_id).await?;
    let Some(plan) = plan::measured(&rpc, loaded, &observation, &trials).await? else {
        found.refuse(loaded, advice)?;
        return Ok(None);
    };
    let Loaded { program, row, safe, lines, assets, .. } = loaded;
    rebuild(*program, row.id, row.revision, safe, lines, assets, Some(plan)).map(Some)
}
