//! What a Safe is made of, and what changed since it was pinned.
//!
//! Before every signature the console reads the account and compares it with the copy that two people pinned. Any
//! difference that could move money without the approved owners blocks.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, b256};
use serde::{Deserialize, Serialize};

use crate::{deployments, version::SafeVersion};

/// Storage slot 0: the singleton that the proxy runs.
pub const SINGLETON_SLOT: B256 = B256::ZERO;
/// The transaction guard: `keccak256("guard_manager.guard.address")`.
pub const GUARD_SLOT: B256 = b256!("4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8");
/// The module guard (1.5.0): `keccak256("module_manager.module_guard.address")`.
pub const MODULE_GUARD_SLOT: B256 = b256!("b104e0b93118902c651344349b610029d694cfdec91c589c91ebafbcd0289947");
/// The fallback handler: `keccak256("fallback_manager.handler.address")`.
pub const FALLBACK_HANDLER_SLOT: B256 = b256!("6c9a6c4a39284e37ed1cf53d337577d14212a4870fb976a4366c693b939918d5");
/// The first argument of `getModulesPaginated` and the end mark of the owner and module lists.
pub const SENTINEL: Address = Address::with_last_byte(1);

/// A Safe as two people pinned it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedSafe {
    /// What `VERSION()` said.
    pub version: SafeVersion,
    /// What slot 0 held.
    pub singleton: Address,
    /// keccak-256 of the singleton's code.
    pub singleton_code_hash: B256,
    /// In any order.
    pub owners: Vec<Address>,
    /// How many owners must sign.
    pub threshold: u32,
    /// The nonce when it was pinned, or the highest seen since.
    pub nonce: U256,
    /// Modules that may move money without signatures, in any order.
    pub modules: Vec<Address>,
    /// The transaction guard; zero for none.
    pub guard: Address,
    /// The module guard; zero for none.
    pub module_guard: Address,
    /// The fallback handler; zero for none.
    pub fallback_handler: Address,
}

/// A Safe as the chain shows it now: the same facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedSafe {
    /// What `VERSION()` says.
    pub version: SafeVersion,
    /// What slot 0 holds.
    pub singleton: Address,
    /// keccak-256 of the singleton's code.
    pub singleton_code_hash: B256,
    /// In the contract's order.
    pub owners: Vec<Address>,
    /// How many owners must sign.
    pub threshold: u32,
    /// The next nonce.
    pub nonce: U256,
    /// All enabled modules.
    pub modules: Vec<Address>,
    /// The transaction guard; zero for none.
    pub guard: Address,
    /// The module guard; zero for none.
    pub module_guard: Address,
    /// The fallback handler; zero for none.
    pub fallback_handler: Address,
}

/// Which fact a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fact {
    /// `VERSION()`.
    Version,
    /// The singleton's address.
    Singleton,
    /// The singleton's code.
    SingletonCode,
    /// The owners.
    Owners,
    /// The threshold.
    Threshold,
    /// The nonce.
    Nonce,
    /// The modules.
    Modules,
    /// The transaction guard.
    Guard,
    /// The module guard.
    ModuleGuard,
    /// The fallback handler.
    FallbackHandler,
}

impl Fact {
    /// The fact as a sentence begins with it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "The version",
            Self::Singleton => "The singleton",
            Self::SingletonCode => "The singleton's code hash",
            Self::Owners => "The owners",
            Self::Threshold => "The threshold",
            Self::Nonce => "The nonce",
            Self::Modules => "The modules",
            Self::Guard => "The transaction guard",
            Self::ModuleGuard => "The module guard",
            Self::FallbackHandler => "The fallback handler",
        }
    }

    const fn is_plural(self) -> bool {
        matches!(self, Self::Owners | Self::Modules)
    }
}

/// One difference, or one fact that should not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What it is about.
    pub what: Fact,
    /// What was pinned or, at a first look, what is published or expected.
    pub pinned: String,
    /// What the chain shows.
    pub observed: String,
    /// Whether signing must stop.
    pub blocking: bool,
}

impl Finding {
    /// The finding in one sentence.
    pub fn sentence(&self) -> String {
        let verb = if self.what.is_plural() { "are" } else { "is" };
        let was = if self.what.is_plural() { "were" } else { "was" };
        let Self { what, pinned, observed, .. } = self;
        format!("{} {verb} {observed}, where {pinned} {was} expected.", what.name())
    }
}

fn addresses(list: &[Address]) -> String {
    let sorted: BTreeSet<_> = list.iter().collect();
    if sorted.is_empty() {
        return "none".to_owned();
    }
    sorted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn one_address(address: Address) -> String {
    if address == Address::ZERO { "none".to_owned() } else { address.to_string() }
}

/// Compares the account with its pinned copy. Everything that differs is found; a nonce that moved on is found too but
/// does not block, one that went back does.
pub fn scan(pinned: &PinnedSafe, observed: &ObservedSafe) -> Vec<Finding> {
    let text = |what, was: String, is: String| (was != is).then_some((what, was, is));
    let differences = [
        text(Fact::Version, pinned.version.to_string(), observed.version.to_string()),
        text(Fact::Singleton, one_address(pinned.singleton), one_address(observed.singleton)),
        text(Fact::SingletonCode, pinned.singleton_code_hash.to_string(), observed.singleton_code_hash.to_string()),
        text(Fact::Owners, addresses(&pinned.owners), addresses(&observed.owners)),
        text(Fact::Threshold, pinned.threshold.to_string(), observed.threshold.to_string()),
        text(Fact::Nonce, pinned.nonce.to_string(), observed.nonce.to_string()),
        text(Fact::Modules, addresses(&pinned.modules), addresses(&observed.modules)),
        text(Fact::Guard, one_address(pinned.guard), one_address(observed.guard)),
        text(Fact::ModuleGuard, one_address(pinned.module_guard), one_address(observed.module_guard)),
        text(Fact::FallbackHandler, one_address(pinned.fallback_handler), one_address(observed.fallback_handler)),
    ];
    let found = differences.into_iter().flatten();
    found
        .map(|(what, pinned_text, observed_text)| {
            let blocking = what != Fact::Nonce || observed.nonce < pinned.nonce;
            Finding { what, pinned: pinned_text, observed: observed_text, blocking }
        })
        .collect()
}

/// What speaks against pinning an account that was never looked at: a singleton that Safe never published or whose
/// code differs, a foreign fallback handler, modules and guards, an impossible threshold, a version whose signatures
/// replay on other chains. Modules, guards, handler and old versions are for people to judge and do not block.
pub fn first_look(observed: &ObservedSafe) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |what, pinned: &str, observed: String, blocking| {
        findings.push(Finding { what, pinned: pinned.to_owned(), observed, blocking });
    };
    match deployments::singleton(observed.singleton, observed.version) {
        None => {
            let expected = format!("a published singleton of {}", observed.version);
            found(Fact::Singleton, &expected, observed.singleton.to_string(), true);
        }
        Some(row) if row.code_hash != observed.singleton_code_hash => {
            found(Fact::SingletonCode, &row.code_hash.to_string(), observed.singleton_code_hash.to_string(), true);
        }
        Some(_) => {}
    }
    if observed.version.replays_across_chains() {
        let expected = "1.3.0 or newer (older signatures are good on every chain)";
        found(Fact::Version, expected, observed.version.to_string(), false);
    }
    let owners: BTreeSet<_> = observed.owners.iter().collect();
    if owners.is_empty()
        || owners.len() != observed.owners.len()
        || owners.contains(&Address::ZERO)
        || owners.contains(&SENTINEL)
    {
        found(Fact::Owners, "a list of different addresses", addresses(&observed.owners), true);
    }
    if observed.threshold == 0 || usize::try_from(observed.threshold).map_or(true, |needed| needed > owners.len()) {
        let expected = format!("a number from 1 to {}", owners.len());
        found(Fact::Threshold, &expected, observed.threshold.to_string(), true);
    }
    if !observed.modules.is_empty() {
        found(Fact::Modules, "none", addresses(&observed.modules), false);
    }
    if observed.guard != Address::ZERO {
        found(Fact::Guard, "none", one_address(observed.guard), false);
    }
    if observed.module_guard != Address::ZERO {
        found(Fact::ModuleGuard, "none", one_address(observed.module_guard), false);
    }
    let handler = observed.fallback_handler;
    if handler != Address::ZERO && !deployments::is_fallback_handler(handler) {
        found(Fact::FallbackHandler, "a published handler", one_address(handler), false);
    }
    findings
}

impl From<ObservedSafe> for PinnedSafe {
    /// Pins what was observed.
    fn from(observed: ObservedSafe) -> Self {
        let ObservedSafe {
            version,
            singleton,
            singleton_code_hash,
            owners,
            threshold,
            nonce,
            modules,
            guard,
            module_guard,
            fallback_handler,
        } = observed;
        Self {
            version,
            singleton,
            singleton_code_hash,
            owners,
            threshold,
            nonce,
            modules,
            guard,
            module_guard,
            fallback_handler,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;
    use crate::deployments::{Contract, Flavour, find};

    fn observed() -> ObservedSafe {
        let singleton = find(Contract::SafeL2, SafeVersion::V1_4_1, Flavour::Canonical).expect("published");
        let handler = Contract::CompatibilityFallbackHandler;
        let handler = find(handler, SafeVersion::V1_4_1, Flavour::Canonical).expect("published");
        ObservedSafe {
            version: SafeVersion::V1_4_1,
            singleton: singleton.address,
            singleton_code_hash: singleton.code_hash,
            owners: vec![Address::repeat_byte(3), Address::repeat_byte(2), Address::repeat_byte(4)],
            threshold: 2,
            nonce: U256::from(7),
            modules: vec![],
            guard: Address::ZERO,
            module_guard: Address::ZERO,
            fallback_handler: handler.address,
        }
    }

    #[test]
    fn slots_are_the_hashes_of_their_names() {
        assert_eq!(keccak256("guard_manager.guard.address"), GUARD_SLOT);
        assert_eq!(keccak256("module_manager.module_guard.address"), MODULE_GUARD_SLOT);
        assert_eq!(keccak256("fallback_manager.handler.address"), FALLBACK_HANDLER_SLOT);
    }

    #[test]
    fn an_unchanged_account_has_no_finding_whatever_the_order_of_owners() {
        let mut pinned = PinnedSafe::from(observed());
        pinned.owners.reverse();
        assert_eq!(scan(&pinned, &observed()), []);
        assert_eq!(first_look(&observed()), []);
    }

    type Change = fn(&mut ObservedSafe, Address);

    #[test]
    fn every_changed_fact_blocks_and_says_what_changed() {
        let other = Address::repeat_byte(0xee);
        let changes: [(Fact, Change); 9] = [
            (Fact::Version, |safe, _| safe.version = SafeVersion::V1_5_0),
            (Fact::Singleton, |safe, other| safe.singleton = other),
            (Fact::SingletonCode, |safe, _| safe.singleton_code_hash = B256::repeat_byte(1)),
            (Fact::Owners, |safe, other| safe.owners[0] = other),
            (Fact::Threshold, |safe, _| safe.threshold = 1),
            (Fact::Modules, |safe, other| safe.modules.push(other)),
            (Fact::Guard, |safe, other| safe.guard = other),
            (Fact::ModuleGuard, |safe, other| safe.module_guard = other),
            (Fact::FallbackHandler, |safe, other| safe.fallback_handler = other),
        ];
        for (what, change) in changes {
            let mut now = observed();
            change(&mut now, other);
            let findings = scan(&PinnedSafe::from(observed()), &now);
            assert_eq!(findings.len(), 1, "{what:?}");
            assert!(findings[0].what == what && findings[0].blocking, "{}", findings[0].sentence());
        }
    }

    #[test]
    fn a_nonce_may_move_on_but_not_back() {
        let mut later = observed();
        later.nonce = U256::from(8);
        let on = scan(&PinnedSafe::from(observed()), &later);
        assert!(on.len() == 1 && !on[0].blocking);
        let back = scan(&PinnedSafe::from(later), &observed());
        assert!(back.len() == 1 && back[0].blocking);
        assert_eq!(back[0].sentence(), "The nonce is 7, where 8 was expected.");
    }

    #[test]
    fn a_first_look_refuses_foreign_code_and_impossible_thresholds() {
        let mut foreign = observed();
        foreign.singleton_code_hash = B256::repeat_byte(9);
        assert!(first_look(&foreign).iter().any(|found| found.what == Fact::SingletonCode && found.blocking));
        let mut unknown = observed();
        unknown.singleton = Address::repeat_byte(9);
        assert!(first_look(&unknown).iter().any(|found| found.what == Fact::Singleton && found.blocking));
        for threshold in [0, 4] {
            let mut safe = observed();
            safe.threshold = threshold;
            assert!(first_look(&safe).iter().any(|found| found.what == Fact::Threshold && found.blocking));
        }
        let mut module = observed();
        module.modules.push(Address::repeat_byte(9));
        assert!(first_look(&module).iter().any(|found| found.what == Fact::Modules && !found.blocking));
    }
}
