//! What is paid: the assets that a program knows, with their pinned decimals.

use std::collections::HashMap;

use alloy_primitives::Address;
use money::Decimals;
use serde::{Deserialize, Serialize};

use crate::id::AssetId;
use crate::wallet;

/// An asset of one chain, as its program pinned it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// The asset's row.
    pub id: AssetId,
    /// The token's contract, or none for the native coin of the chain.
    pub token: Option<Address>,
    /// How it is called: `COW`.
    pub symbol: String,
    /// The pinned number of decimals.
    pub decimals: Decimals,
}

/// The assets that a program may pay on one chain.
#[derive(Clone, Debug, Default)]
pub struct AssetBook {
    by_token: HashMap<Option<Address>, Asset>,
}

impl AssetBook {
    /// Gathers the assets of one program on one chain.
    ///
    /// # Errors
    /// [`AssetBookError`] when two assets name the same token.
    pub fn try_new(assets: impl IntoIterator<Item = Asset>) -> Result<Self, AssetBookError> {
        let mut by_token = HashMap::new();
        for asset in assets {
            if let Some(other) = by_token.insert(asset.token, asset) {
                return Err(AssetBookError { token: name(other.token) });
            }
        }
        Ok(Self { by_token })
    }

    /// The asset of a token, or of the native coin for none.
    #[must_use]
    pub fn get(&self, token: Option<Address>) -> Option<&Asset> {
        self.by_token.get(&token)
    }
}

fn name(token: Option<Address>) -> String {
    token.map_or_else(|| "the native coin".to_owned(), wallet::checksummed)
}

/// Two assets of one program on one chain name the same token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The program lists {token} twice on this chain; close one of the two assets.")]
pub struct AssetBookError {
    token: String,
}
