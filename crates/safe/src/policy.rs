//! What may be signed at all: nothing that is not exactly what it is signed for.

use alloy_primitives::{Address, B256};

use crate::{
    decode::{Alarm, Explanation, Shape, explain},
    hash::SafeDomain,
    nested,
    transaction::SafeTx,
    version::SafeVersion,
};

/// What people allowed beyond the default, which is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SigningPolicy {
    /// Whether Safes up to 1.2.0 are signed for, although those signatures are also good on other chains.
    pub allows_replayable: bool,
}

/// What a signature is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To pay: a batch of native payments and ERC-20 transfers through MultiSendCallOnly.
    Payouts,
    /// To consume a nonce and do nothing.
    Rejection,
    /// To let this Safe approve a transaction of a Safe that it owns.
    Approval {
        /// That Safe.
        parent: Address,
        /// The hash of its transaction, computed here.
        parent_hash: B256,
    },
}

/// Why a transaction is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An old version, and nobody allowed it.
    #[error(transparent)]
    Replayable(#[from] ReplayableVersion),
    /// Something in it has to be stopped at.
    #[error("{}", .0.iter().map(Alarm::sentence).collect::<Vec<_>>().join(" "))]
    Alarms(Vec<Alarm>),
    /// It is harmless and yet not what it is signed for.
    #[error("the transaction is not {wanted}: {found}")]
    OtherPurpose {
        /// What was asked for.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
}

/// A version whose signatures are good on other chains too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "signatures for Safe {0} are good on every chain where the Safe has the same address and nonce: move to 1.3.0 or newer, or allow this explicitly"
)]
pub struct ReplayableVersion(pub SafeVersion);

impl SafeVersion {
    /// Whether a Safe of this version is signed for.
    ///
    /// # Errors
    /// [`ReplayableVersion`] up to 1.2.0, unless the policy allows it.
    pub fn signing_allowed(self, policy: &SigningPolicy) -> Result<(), ReplayableVersion> {
        if self.replays_across_chains() && !policy.allows_replayable { Err(ReplayableVersion(self)) } else { Ok(()) }
    }
}

/// Decides whether `tx` may be signed for that purpose.
///
/// Refund fields, delegate calls other than to MultiSendCallOnly, calls to the Safe itself or to the zero address, and
/// functions that change an account or give allowances are refused, and so is everything that is not of the purpose.
///
/// # Errors
/// [`Refusal`], the version first, then all alarms.
pub fn may_sign(domain: &SafeDomain, tx: &SafeTx, purpose: Purpose, policy: &SigningPolicy) -> Result<(), Refusal> {
    domain.version.signing_allowed(policy)?;
    let explanation = explain(domain, tx);
    if let Purpose::Approval { parent, parent_hash } = purpose {
        // The alarm about approveHash is what is asked for here, so the whole transaction is compared instead.
        let is_it = nested::is_approval(tx, parent, parent_hash) && parent != domain.safe;
        return if is_it { Ok(()) } else { Err(other("the approval of that hash", &explanation)) };
    }
    let allowed = |alarm: &Alarm| *alarm == Alarm::ReplaysAcrossChains;
    let alarms: Vec<_> = explanation.alarms.iter().filter(|alarm| !allowed(alarm)).cloned().collect();
    if !alarms.is_empty() {
        return Err(Refusal::Alarms(alarms));
    }
    match purpose {
        Purpose::Rejection if explanation.shape == Shape::Rejection => Ok(()),
        Purpose::Payouts if explanation.transfers().is_some_and(|list| !list.is_empty()) => Ok(()),
        Purpose::Rejection => Err(other("a rejection", &explanation)),
        _ => Err(other("a batch of payments through MultiSendCallOnly", &explanation)),
    }
}

fn other(wanted: &'static str, found: &Explanation) -> Refusal {
    Refusal::OtherPurpose { wanted, found: found.sentence() }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Bytes, U256};

    use super::*;
    use crate::{Operation, PayoutCall, deployments, leg_transaction};

    const SAFE: Address = Address::repeat_byte(0x5a);

    fn domain(version: SafeVersion) -> SafeDomain {
        SafeDomain { version, chain_id: 1, safe: SAFE }
    }

    fn leg(version: SafeVersion) -> SafeTx {
        let pay = PayoutCall::Native { recipient: Address::repeat_byte(1), amount: U256::from(5) };
        leg_transaction(&[pay], deployments::multi_send_call_only(version).address, U256::ZERO).expect("builds")
    }

    fn judged(tx: &SafeTx, purpose: Purpose) -> Result<(), Refusal> {
        may_sign(&domain(SafeVersion::V1_4_1), tx, purpose, &SigningPolicy::default())
    }

    #[test]
    fn old_versions_need_an_explicit_word() {
        for version in SafeVersion::ALL {
            let (domain, tx) = (domain(version), leg(version));
            let by_default = may_sign(&domain, &tx, Purpose::Payouts, &SigningPolicy::default());
            let expected = if version < SafeVersion::V1_3_0 { Err(ReplayableVersion(version).into()) } else { Ok(()) };
            assert_eq!(by_default, expected);
            let allowed = SigningPolicy { allows_replayable: true };
            assert_eq!(may_sign(&domain, &tx, Purpose::Payouts, &allowed), Ok(()));
        }
    }

    #[test]
    fn each_purpose_admits_only_its_own_transaction() {
        let (parent, parent_hash) = (Address::repeat_byte(9), B256::repeat_byte(8));
        let approval = Purpose::Approval { parent, parent_hash };
        let transactions = [
            (Purpose::Payouts, leg(SafeVersion::V1_4_1)),
            (Purpose::Rejection, SafeTx::rejection(SAFE, U256::ZERO)),
            (approval, nested::approval(parent, parent_hash, U256::ZERO)),
        ];
        for (at, (_, tx)) in transactions.iter().enumerate() {
            for (other, (purpose, _)) in transactions.iter().enumerate() {
                assert_eq!(judged(tx, *purpose).is_ok(), at == other, "{tx:?} for {purpose:?}");
            }
        }
        let another = Purpose::Approval { parent, parent_hash: B256::ZERO };
        assert!(matches!(judged(&transactions[2].1, another), Err(Refusal::OtherPurpose { .. })));
    }

    #[test]
    fn refunds_foreign_delegate_calls_and_unknown_calls_are_refused() {
        let good = leg(SafeVersion::V1_4_1);
        let refund = SafeTx { gas_price: U256::from(1), ..good.clone() };
        assert!(matches!(judged(&refund, Purpose::Payouts), Err(Refusal::Alarms(_))));
        let full = SafeTx { to: Address::repeat_byte(3), ..good.clone() };
        assert!(matches!(judged(&full, Purpose::Payouts), Err(Refusal::Alarms(_))));
        let unknown = SafeTx::payout(full.to, U256::ZERO, Bytes::from(vec![1, 2, 3, 4]), Operation::Call, U256::ZERO);
        let refused = judged(&unknown, Purpose::Payouts).expect_err("no payout");
        assert!(refused.to_string().contains("unknown function 0x01020304"), "{refused}");
        let empty = SafeTx { data: crate::multisend::encode(&[]), ..good };
        assert!(matches!(judged(&empty, Purpose::Payouts), Err(Refusal::OtherPurpose { .. })));
        let refund = SafeTx { base_gas: U256::from(1), ..SafeTx::rejection(SAFE, U256::ZERO) };
        assert!(judged(&refund, Purpose::Rejection).is_err());
    }
}
