//! The chains that this machine can ask, connected on first use.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chain::{Quorum, Rpc};
use tokio::sync::Mutex;

use crate::AppError;

/// Endpoints per chain.
#[derive(Clone, Default)]
pub struct Chains {
    urls: Arc<BTreeMap<u64, Vec<String>>>,
    connected: Arc<Mutex<HashMap<u64, Arc<Quorum>>>>,
}

impl Chains {
    /// Takes the endpoints; nothing is asked yet.
    pub fn new(urls: BTreeMap<u64, Vec<String>>) -> Self {
        Self { urls: Arc::new(urls), connected: Arc::default() }
    }

    /// Chains that have endpoints.
    pub fn ids(&self) -> Vec<u64> {
        self.urls.keys().copied().collect()
    }

    /// The endpoints of a chain.
    ///
    /// # Errors
    /// [`AppError::Chain`] when none is configured or one does not answer.
    pub async fn quorum(&self, chain_id: u64) -> Result<Arc<Quorum>, AppError> {
        let mut connected = self.connected.lock().await;
        if let Some(quorum) = connected.get(&chain_id) {
            return Ok(Arc::clone(quorum));
        }
        let urls = self.urls.get(&chain_id).map(Vec::as_slice).unwrap_or_default();
        let quorum = Arc::new(Quorum::connect(chain_id, urls).await?);
        connected.insert(chain_id, Arc::clone(&quorum));
        Ok(quorum)
    }

    /// The first endpoint of a chain, for what does not decide about finality.
    pub async fn rpc(&self, chain_id: u64) -> Result<Rpc, AppError> {
        Ok(self.quorum(chain_id).await?.first().clone())
    }
}
