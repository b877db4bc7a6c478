//! The published Safe contracts: addresses and code hashes per version and flavour, chains per flavour.
//!
//! The data is `data/deployments.json`, taken whole from npm `@safe-global/safe-deployments` 1.37.63 (MIT). An address
//! alone proves nothing on a chain where anybody could deploy there: compare the hash of the code found at it too.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::version::SafeVersion;

/// How a set of contracts was deployed.
///
/// On zkSync-like chains both EraVM (`Zksync`) and EVM sets exist: take the one that the Safe's own singleton is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// Through a deterministic deployer without chain protection; the same address on most chains.
    Canonical,
    /// 1.3.0 through Safe's own factory, where transactions need a chain id.
    Eip155,
    /// Compiled for zkSync's EraVM.
    Zksync,
}

/// What a published contract is for, over the names it had from version to version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Contract {
    /// The account's code for L1, without the event per transaction.
    #[serde(alias = "GnosisSafe")]
    Safe,
    /// The account's code that announces each transaction by an event.
    #[serde(alias = "GnosisSafeL2")]
    SafeL2,
    /// Makes proxies.
    #[serde(alias = "ProxyFactory", alias = "GnosisSafeProxyFactory")]
    SafeProxyFactory,
    /// The usual fallback handler from 1.3.0.
    CompatibilityFallbackHandler,
    /// The fallback handler of 1.1.1 and 1.2.0.
    DefaultCallbackHandler,
    /// A fallback handler of 1.5.0 with handlers per selector.
    ExtensibleFallbackHandler,
    /// A fallback handler of 1.5.0 that only receives tokens.
    TokenCallbackHandler,
    /// Batches of plain calls.
    MultiSendCallOnly,
    /// Batches that may hold delegate calls.
    MultiSend,
    /// Simulates a Safe transaction in a call that reverts.
    SimulateTxAccessor,
    /// Deploys contracts from a Safe.
    CreateCall,
    /// Enables modules at creation (1.1.1).
    CreateAndAddModules,
    /// Marks messages as signed, by delegate call.
    SignMessageLib,
    /// Changes the singleton, by delegate call.
    SafeMigration,
    /// Changes an L1 singleton to L2, by delegate call.
    SafeToL2Migration,
    /// Picks the L2 singleton at creation.
    SafeToL2Setup,
}

impl std::fmt::Display for Contract {
    /// The published name, for example `MultiSendCallOnly`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}

/// One published contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// What it is for.
    pub contract: Contract,
    /// Its version.
    pub version: SafeVersion,
    /// Its flavour.
    pub flavour: Flavour,
    /// Where it is.
    pub address: Address,
    /// keccak-256 of its runtime code.
    pub code_hash: B256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    chain_sets: Vec<Vec<u64>>,
    contracts: Vec<FileContract>,
}

#[derive(Deserialize)]
struct FileContract {
    name: Contract,
    version: SafeVersion,
    deployments: Vec<FileDeployment>,
    /// Flavours on a chain, the preferred one first, joined by commas -> index into the chain sets.
    networks: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileDeployment {
    flavour: Flavour,
    address: Address,
    code_hash: B256,
}

struct Published {
    rows: Vec<Deployment>,
    /// Flavours by contract, version and chain, the preferred one first.
    chains: HashMap<(Contract, SafeVersion, u64), Vec<Flavour>>,
}

/// The data is part of the program and a test reads all of it, so a failure here cannot reach a user.
static PUBLISHED: LazyLock<Published> =
    LazyLock::new(|| parse(include_str!("../data/deployments.json")).expect("data/deployments.json is well formed"));

fn parse(text: &str) -> Result<Published, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    let mut rows = Vec::new();
    let mut chains = HashMap::new();
    for FileContract { name, version, deployments, networks } in file.contracts {
        rows.extend(deployments.into_iter().map(|FileDeployment { flavour, address, code_hash }| Deployment {
            contract: name,
            version,
            flavour,
            address,
            code_hash,
        }));
        for (flavours, set) in networks {
            let words = flavours.split(',').map(|word| serde_json::Value::String(word.to_owned()));
            let flavours: Vec<Flavour> = words.map(serde_json::from_value).collect::<Result<_, _>>()?;
            for chain in file.chain_sets.get(set).into_iter().flatten() {
                chains.insert((name, version, *chain), flavours.clone());
            }
        }
    }
    Ok(Published { rows, chains })
}

/// Every published contract.
pub fn all() -> &'static [Deployment] {
    &PUBLISHED.rows
}

/// The published contract at an address, on any chain. No address is published twice.
pub fn at(address: Address) -> Option<&'static Deployment> {
    all().iter().find(|row| row.address == address)
}

/// The published contract at an address, if it is of this version.
pub fn at_version(address: Address, version: SafeVersion) -> Option<&'static Deployment> {
    at(address).filter(|row| row.version == version)
}

/// One contract of a version and flavour.
pub fn find(contract: Contract, version: SafeVersion, flavour: Flavour) -> Option<&'static Deployment> {
    all().iter().find(|row| (row.contract, row.version, row.flavour) == (contract, version, flavour))
}

/// The flavours of a contract that are published for a chain, the preferred one first; empty where none is (a local
/// chain, say).
pub fn flavours_on(contract: Contract, version: SafeVersion, chain_id: u64) -> &'static [Flavour] {
    PUBLISHED.chains.get(&(contract, version, chain_id)).map_or(&[], Vec::as_slice)
}

/// The version whose MultiSendCallOnly a Safe uses: 1.3.0's up to 1.3.0 (there is none before), its own after.
pub fn multi_send_version(version: SafeVersion) -> SafeVersion {
    version.max(SafeVersion::V1_3_0)
}

/// The canonical MultiSendCallOnly for a Safe of `version`.
pub fn multi_send_call_only(version: SafeVersion) -> &'static Deployment {
    multi_send_call_only_of(version, Flavour::Canonical)
        .expect("data/deployments.json has every canonical MultiSendCallOnly")
}

/// The MultiSendCallOnly for a Safe of `version` whose singleton is of `flavour`; `None` where that was never
/// published (1.5.0 has only the canonical one).
pub fn multi_send_call_only_of(version: SafeVersion, flavour: Flavour) -> Option<&'static Deployment> {
    find(Contract::MultiSendCallOnly, multi_send_version(version), flavour)
}

/// Whether an address is a published MultiSendCallOnly of any version and flavour.
pub fn is_multi_send_call_only(address: Address) -> bool {
    at(address).is_some_and(|row| row.contract == Contract::MultiSendCallOnly)
}

/// The published singleton (Safe or SafeL2) at an address, of a version.
pub fn singleton(address: Address, version: SafeVersion) -> Option<&'static Deployment> {
    at_version(address, version).filter(|row| matches!(row.contract, Contract::Safe | Contract::SafeL2))
}

/// Whether an address is a published fallback handler, of any version.
pub fn is_fallback_handler(address: Address) -> bool {
    let handlers = [
        Contract::CompatibilityFallbackHandler,
        Contract::DefaultCallbackHandler,
        Contract::ExtensibleFallbackHandler,
        Contract::TokenCallbackHandler,
    ];
    at(address).is_some_and(|row| handlers.contains(&row.contract))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alloy_primitives::{address, b256};

    use super::*;

    #[test]
    fn the_whole_file_reads_and_no_address_is_twice() {
        assert_eq!(all().len(), 73);
        let addresses: BTreeSet<_> = all().iter().map(|row| row.address).collect();
        assert_eq!(addresses.len(), all().len());
    }

    #[test]
    fn knows_the_multi_send_call_only_of_every_version() {
        let canonical = |version| multi_send_call_only(version).address;
        let first = address!("40A2aCCbd92BCA938b02010E17A5b8929b49130D");
        for version in [SafeVersion::V1_0_0, SafeVersion::V1_1_1, SafeVersion::V1_2_0, SafeVersion::V1_3_0] {
            assert_eq!(canonical(version), first);
        }
        assert_eq!(canonical(SafeVersion::V1_4_1), address!("9641d764fc13c8B624c04430C7356C1C7C8102e2"));
        assert_eq!(canonical(SafeVersion::V1_5_0), address!("A83c336B20401Af773B6219BA5027174338D1836"));
        let hash = b256!("ecd5bd14a08c5d2122379900b2f272bdf107a7e92423c10dd5fe3254386c9939");
        assert_eq!(multi_send_call_only(SafeVersion::V1_4_1).code_hash, hash);
        let zksync = multi_send_call_only_of(SafeVersion::V1_3_0, Flavour::Zksync).expect("published");
        assert_eq!(zksync.address, address!("f220D3b4DFb23C4ade8C88E526C1353AbAcbC38F"));
        assert_eq!(multi_send_call_only_of(SafeVersion::V1_5_0, Flavour::Zksync), None);
    }

    #[test]
    fn every_version_from_1_3_0_has_what_a_payout_needs() {
        use Contract::{
            CompatibilityFallbackHandler, MultiSendCallOnly, Safe, SafeL2, SafeProxyFactory, SimulateTxAccessor,
        };
        for version in [SafeVersion::V1_3_0, SafeVersion::V1_4_1, SafeVersion::V1_5_0] {
            for contract in
                [Safe, SafeL2, SafeProxyFactory, CompatibilityFallbackHandler, MultiSendCallOnly, SimulateTxAccessor]
            {
                let row = find(contract, version, Flavour::Canonical).expect("published");
                assert_eq!(at_version(row.address, version), Some(row));
                assert_eq!(flavours_on(contract, version, 1).first(), Some(&Flavour::Canonical));
            }
        }
    }

    #[test]
    fn the_order_of_flavours_is_the_chains_own_and_unknown_chains_have_none() {
        let on = |chain| flavours_on(Contract::Safe, SafeVersion::V1_3_0, chain);
        assert_eq!(on(10), [Flavour::Eip155, Flavour::Canonical]);
        assert_eq!(on(31_337), []);
        assert!(is_fallback_handler(address!("fd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99")));
        assert!(!is_multi_send_call_only(address!("38869bf66a61cF6bDB996A6aE40D5853Fd43B526")));
        assert_eq!(at(Address::repeat_byte(1)), None);
    }
}
