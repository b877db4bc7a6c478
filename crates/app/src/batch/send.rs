//! A person sends the signed legs of a batch with a key of their own, where no executor runs or theirs is to pay the gas.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256, hex};
use chain::{BlockId, Rpc};
use contract::{AssetTag, BatchSent, GasKey, KeyKind, Money, SendReview};
use domain::id::BatchId;
use domain::states::{BatchState, SafeTransactionState};
use signing::ledger::{EthereumApp, LedgerExecutor, Show};
use signing::trust::Stage;
use signing::{Executor, Keystore, LocalSigner};
use store::LegWork;

use crate::batch::get::Loaded;
use crate::confirm::{Act, ask};
use crate::device::refusal;
use crate::foreign::{keep, place, refuse_unkept};
use crate::host::Host;
use crate::kept::{self, Passphrase};
use crate::leg::sign::incident;
use crate::session::blocking;
use crate::settings::LedgerSettings;
use crate::view::{asset_tag, totals_in_words};
use crate::worker::execute::{Limits, Sender, Sent, Stopped, Trust};
use crate::{AppError, Session, trust};

/// Of the coin of every EVM chain.
const COIN_DECIMALS: u8 = 18;
/// How often it is asked whether a leg is in a block before the next one is sent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Hands the batch over if nobody did, then sends each leg that nobody sends, in the order of their nonces. Whoever records a leg
/// first sends it: a machine that is faster is left to it.
///
/// # Errors
/// As handing over; what keeps the key from signing; [`AppError::Incident`] when it signed something else; [`AppError::Conflict`] when
/// a leg is sent by somebody else meanwhile or does not get into a block.
pub async fn send(
    session: &Session,
    host: Arc<dyn Host>,
    id: BatchId,
    executor: Arc<dyn Executor>,
    limits: &Limits,
) -> Result<Vec<Sent>, AppError> {
    let loaded = Loaded::load_identical(session, id).await?;
    if !matches!(loaded.row.state, BatchState::Approved | BatchState::Executing) {
        let (number, state) = (loaded.row.number, loaded.row.state);
        return Err(AppError::Conflict(format!("Batch {number} is {state}: there is nothing to send")));
    }
    if let Some(frozen) = &loaded.row.frozen {
        return Err(AppError::Conflict(format!("Batch {} is frozen: {frozen}", loaded.row.number)));
    }
    trust::check(session, &loaded, Stage::Sign).await?;
    let rpc = session.chains.rpc(loaded.safe.chain_id).await?;
    let holds = rpc.balance(executor.address(), BlockId::latest()).await?;
    let in_words = |wei| totals_in_words(&[coin(&loaded, wei)]);
    let gas = format!(
        "The gas is paid by {}, which holds {}: at most {} for each transaction.",
        executor.address().to_checksum(None),
        in_words(holds),
        in_words(U256::from(limits.fee_cap_wei))
    );
    let _done_to_its_end = ask(session, &host, &loaded, &Act::SendWith { legs: unsent(&loaded), gas }).await?;
    let program = session.program_id();
    if loaded.row.state == BatchState::Approved {
        session.db.execute_batch(program, id, &loaded.rebuilt.content_hash).await?;
    }
    let sender =
        Sender { db: &session.db, rpc: &rpc, executor: &executor, limits, is_person: true, trust: Trust::Database };
    let mut sent = Vec::new();
    for leg in session.db.execution_package(program, id).await? {
        if leg.state != SafeTransactionState::Signed {
            continue;
        }
        refuse_other(&loaded, &leg)?;
        let sending = match sender.send(&leg).await {
            Ok(sending) => sending,
            Err(stopped) => return Err(report(session, &loaded, stopped).await),
        };
        let Some(done) = sending else {
            return Err(AppError::Conflict(format!(
                "Leg {} waits for an earlier nonce of the Safe: send what holds it first",
                leg.index
            )));
        };
        let hash: B256 = done.tx_hash.parse().map_err(|_| AppError::Internal("a hash".to_owned()))?;
        sent.push(done);
        included(&rpc, hash, limits, &leg).await?;
    }
    Ok(sent)
}

/// The key that pays the gas, as a person names it.
pub enum PayingKey {
    /// The key file on this machine.
    File(Passphrase),
    /// The Ledger that the person chose on this machine.
    Ledger,
}

/// What is shown before a person sends with a key of their own: which keys there are, and what they hold.
///
/// # Errors
/// When the batch cannot be read; a key that cannot pay is shown with its problem.
pub async fn review(session: &Session, id: BatchId) -> Result<SendReview, AppError> {
    let loaded = Loaded::load(session, id).await?;
    let mut keys = Vec::new();
    if let Some(ledger) = session.ledger() {
        let found = on_device(session, &ledger).await.map_err(|error| error.to_string());
        keys.push(gas_key(session, &loaded, KeyKind::Ledger, found).await);
    }
    if let Some(path) = session.keystore.clone() {
        let says = "The key file does not say whose key it holds: take the file that your wallet writes now";
        let read = blocking(move || Keystore::read(&path)).await?.map_err(|error| error.to_string());
        let found = read.and_then(|file| file.address().ok_or_else(|| says.to_owned()));
        keys.push(gas_key(session, &loaded, KeyKind::Software, found).await);
    }
    Ok(SendReview {
        keys,
        passphrase_kept: kept::is_kept(session).await,
        legs: u32::try_from(unsent(&loaded)).unwrap_or(u32::MAX),
        fee_cap: coin(&loaded, U256::from(Limits::default().fee_cap_wei)),
    })
}

async fn gas_key(session: &Session, loaded: &Loaded, kind: KeyKind, found: Result<Address, String>) -> GasKey {
    let address = match found {
        Ok(address) => address,
        Err(problem) => return GasKey { kind, address: None, balance: None, problem: Some(problem) },
    };
    let holds = async {
        let rpc = session.chains.rpc(loaded.safe.chain_id).await?;
        Ok::<_, AppError>(rpc.balance(address, BlockId::latest()).await?)
    };
    let (balance, problem) = match holds.await {
        Ok(U256::ZERO) => (Some(coin(loaded, U256::ZERO)), Some("It holds nothing to pay gas with".to_owned())),
        Ok(wei) => (Some(coin(loaded, wei)), None),
        Err(error) => (None, Some(error.to_string())),
    };
    GasKey { kind, address: Some(address.to_checksum(None)), balance, problem }
}

/// The address at the chosen path; nothing is asked of the person.
async fn on_device(session: &Session, ledger: &LedgerSettings) -> Result<Address, AppError> {
    let _turn = session.device_turn().await;
    let LedgerSettings { device, path, .. } = ledger.clone();
    let found = blocking(move || EthereumApp::open(&device)?.address(&path, Show::Silent)).await?;
    found.map_err(|error| refusal(session, error))
}

/// Opens the key, then sends as [`send`] does, where the content is the one that was shown.
///
/// # Errors
/// As [`send`]; [`AppError::Conflict`] for another content, [`AppError::Passphrase`] for a wrong one, [`AppError::Key`] where there is no such
/// key.
pub async fn send_with(
    session: &Session,
    host: Arc<dyn Host>,
    id: BatchId,
    shown: &str,
    key: PayingKey,
) -> Result<BatchSent, AppError> {
    let own = Loaded::load_identical(session, id).await?.rebuilt.content_hash;
    if hex::encode(own) != shown {
        return Err(AppError::Conflict("The content is not the one on screen: open the batch again".into()));
    }
    let mut note = None;
    let (executor, _turn): (Arc<dyn Executor>, _) = match key {
        PayingKey::File(passphrase) => {
            let (signer, said) = open_file(session, passphrase).await?;
            note = said;
            (Arc::new(signer), None)
        }
        PayingKey::Ledger => {
            let ledger = session
                .ledger()
                .ok_or_else(|| AppError::Key("No Ledger is chosen on this machine: choose yours first".into()))?;
            refuse_unkept(session)?;
            let address = on_device(session, &ledger).await?;
            let turn = session.device_turn().await;
            session.device_stop.reset();
            let stop = session.device_stop.clone();
            (Arc::new(LedgerExecutor::new(ledger.device, ledger.path, address).until(stop)), Some(turn))
        }
    };
    let sent = send(session, host, id, executor, &Limits::default()).await?;
    Ok(BatchSent { legs: u32::try_from(sent.len()).unwrap_or(u32::MAX), note })
}

/// The key of the file, and what became of keeping its passphrase.
async fn open_file(session: &Session, passphrase: Passphrase) -> Result<(LocalSigner, Option<String>), AppError> {
    let path = session.keystore.clone();
    let path = path.ok_or_else(|| AppError::Key("This machine has no key file of yours. Nothing was sent".into()))?;
    let to_keep = match &passphrase {
        Passphrase::Typed { text, keep: true } => Some(text.clone()),
        _ => None,
    };
    let (from_store, store) = (matches!(passphrase, Passphrase::Kept), Arc::clone(&session.passphrases));
    let signer = match blocking(move || kept::open(&path, &passphrase, store.as_ref())).await? {
        Ok(signer) => signer,
        Err(failure) => return Err(kept::refused(session, failure, from_store).await),
    };
    let note = match to_keep {
        Some(text) => kept::keep(session, text).await.err().map(|error| format!("The passphrase is not kept. {error}")),
        None => None,
    };
    Ok((signer, note))
}

/// Legs that nobody sends yet.
fn unsent(loaded: &Loaded) -> usize {
    loaded.progress.legs.iter().filter(|leg| leg.state == SafeTransactionState::Signed).count()
}

/// An amount of the chain's coin, under its pinned name where the program has it as an asset.
fn coin(loaded: &Loaded, wei: U256) -> Money {
    let asset = loaded.assets.of_token(loaded.safe.chain_id, None).map_or_else(
        || AssetTag { symbol: "of the chain's coin".to_owned(), decimals: COIN_DECIMALS, token: None },
        asset_tag,
    );
    Money { asset, amount: in_coins(wei) }
}

/// Wei as a plain decimal of the coin, whose 18 decimals every EVM chain has.
fn in_coins(wei: U256) -> String {
    let digits = format!("{wei:0>19}");
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(COIN_DECIMALS));
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// A signature that nobody asked for is kept; one in place of what was asked for is an incident, and the Safe is frozen.
async fn report(session: &Session, loaded: &Loaded, Stopped { error, foreign, .. }: Stopped) -> AppError {
    let Some(foreign) = foreign else { return *error };
    match (foreign.expected, foreign.asked) {
        (Some(expected), Some(asked)) => incident(session, loaded, &foreign, expected, asked).await,
        _ => AppError::Incident(format!("{error}. {}", place(keep(session, &foreign)))),
    }
}

/// What the database hands out is the leg that this machine makes of the lines.
fn refuse_other(loaded: &Loaded, leg: &LegWork) -> Result<(), AppError> {
    let own = loaded.rebuilt.leg(leg.index);
    let own = own.ok_or_else(|| AppError::Incident(format!("The batch has no leg {}: send nothing", leg.index)))?;
    if own.at_nonce(&loaded.safe, leg.nonce)?.hashes.safe_tx_hash == leg.safe_tx_hash {
        return Ok(());
    }
    Err(AppError::Incident(format!(
        "Leg {} is not what this machine makes of its lines: send nothing, freeze the Safe and call the other owners",
        leg.index
    )))
}

/// Waits until a transaction is in a block: the next leg has the next nonce of the Safe.
async fn included(rpc: &Rpc, hash: B256, limits: &Limits, leg: &LegWork) -> Result<(), AppError> {
    let looks = limits.replace_after.as_secs() / LOOK_EVERY.as_secs();
    for _ in 0..=looks {
        if rpc.receipt(hash).await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(AppError::Conflict(format!(
        "Leg {} is sent as {hash} and in no block yet: the watcher follows it, and an executor sends it too after ten minutes",
        leg.index
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wei_are_coins_with_every_digit() {
        let cases =
            [("0", "0"), ("1", "0.000000000000000001"), ("500000000000000000", "0.5"), ("12000000000000000000", "12")];
        for (wei, coins) in cases {
            assert_eq!(in_coins(U256::from_str_radix(wei, 10).expect("a number")), coins);
        }
    }
}
