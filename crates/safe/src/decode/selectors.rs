//! Functions that matter to a treasury, by selector.

use alloy_primitives::hex;
use serde::Serialize;

/// How dangerous a function is in a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Risk {
    /// Harmless in itself.
    None,
    /// Changes who controls the Safe or how.
    ChangesAccount,
    /// Lets somebody else take tokens later.
    GivesAllowance,
}

/// A function known by its selector. The selector says what the caller asks for, not what the target's code does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownSelector {
    /// First four bytes of keccak-256 of the signature.
    #[serde(serialize_with = "selector_hex")]
    pub selector: [u8; 4],
    /// Name and argument types.
    pub signature: &'static str,
    /// What it does, as the end of "asks the target to ...".
    pub words: &'static str,
    /// How dangerous it is.
    pub risk: Risk,
}

fn selector_hex<S: serde::Serializer>(selector: &[u8; 4], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode_prefixed(selector))
}

const fn account(selector: u32, signature: &'static str, words: &'static str) -> KnownSelector {
    KnownSelector { selector: selector.to_be_bytes(), signature, words, risk: Risk::ChangesAccount }
}

const fn allowance(selector: u32, signature: &'static str, words: &'static str) -> KnownSelector {
    KnownSelector { selector: selector.to_be_bytes(), signature, words, risk: Risk::GivesAllowance }
}

const fn harmless(selector: u32, signature: &'static str, words: &'static str) -> KnownSelector {
    KnownSelector { selector: selector.to_be_bytes(), signature, words, risk: Risk::None }
}

/// All of them; a test recomputes each selector from its signature.
pub(super) const KNOWN: [KnownSelector; 24] = [
    account(0x610b_5925, "enableModule(address)", "let a module move money without signatures"),
    account(0xe009_cfde, "disableModule(address,address)", "switch a module off"),
    account(0xe19a_9dd9, "setGuard(address)", "change the transaction guard"),
    account(0xe068_df37, "setModuleGuard(address)", "change the module guard"),
    account(0xf08a_0323, "setFallbackHandler(address)", "change the fallback handler"),
    account(0xe318_b52b, "swapOwner(address,address,address)", "replace an owner"),
    account(0x0d58_2f13, "addOwnerWithThreshold(address,uint256)", "add an owner and set the threshold"),
    account(0xf8dc_5dd9, "removeOwner(address,address,uint256)", "remove an owner and set the threshold"),
    account(0x694e_80c3, "changeThreshold(uint256)", "change how many owners must sign"),
    account(0x7de7_edef, "changeMasterCopy(address)", "replace the account's code"),
    account(0xd4d9_bdcd, "approveHash(bytes32)", "approve a hash as one of another Safe's owners"),
    account(0x468721a7, "execTransactionFromModule(address,uint256,bytes,uint8)", "execute as a module"),
    account(
        0x5229073f,
        "execTransactionFromModuleReturnData(address,uint256,bytes,uint8)",
        "execute as a module and return data",
    ),
    account(
        0xb63e800d,
        "setup(address[],uint256,address,bytes,address,address,uint256,address)",
        "set an account up anew",
    ),
    account(0x85a5affe, "signMessage(bytes)", "mark a message as signed by the Safe"),
    allowance(0x095e_a7b3, "approve(address,uint256)", "let a spender take tokens"),
    allowance(0x3950_9351, "increaseAllowance(address,uint256)", "let a spender take more tokens"),
    allowance(0xa22c_b465, "setApprovalForAll(address,bool)", "let an operator take every NFT"),
    allowance(
        0xd505_accf,
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "let a spender take tokens by signature",
    ),
    allowance(0x23b8_72dd, "transferFrom(address,address,uint256)", "take tokens from an account that allowed it"),
    harmless(0xa457_c2d7, "decreaseAllowance(address,uint256)", "let a spender take fewer tokens"),
    harmless(0xa905_9cbb, "transfer(address,uint256)", "transfer tokens, in a form that is not the standard one"),
    harmless(
        0x6a76_1202,
        "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
        "carry out a transaction of another Safe",
    ),
    harmless(0x8d80_ff0a, "multiSend(bytes)", "run a batch of calls"),
];

/// The function with this selector, if it is one that matters here.
pub fn known_selector(selector: [u8; 4]) -> Option<KnownSelector> {
    KNOWN.into_iter().find(|known| known.selector == selector)
}
