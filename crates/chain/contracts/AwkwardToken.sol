// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// An ERC-20 for local chains that can do what tokens out there do to payers: pause, keep blacklists in the words of USDC and of
/// USDT, take a fee, say nothing, return false. Anybody may set it.
///
/// The first state variables are those of TestToken, in its order: what copies that one copies this one.
contract AwkwardToken {
    enum Behaviour {
        Usual, // 0
        ReturnsFalse, // 1: moves nothing and returns false
        ReturnsNothing, // 2: as USDT on Ethereum
        TakesFee, // 3: a hundredth, and its log says so
        TakesFeeSilently, // 4: a hundredth, and its log does not say so
        LogsNothing, // 5: moves and leaves no log
        DoesNothing, // 6: returns true and moves nothing
        Costs // 7: writes five words more for each transfer
    }

    mapping(address => uint256) public balanceOf; // slot 0
    mapping(address => mapping(address => uint256)) public allowance; // slot 1
    uint256 public totalSupply; // slot 2
    string public name; // slot 3
    string public symbol; // slot 4
    uint8 public decimals; // slot 5, with the minter
    address public minter; // slot 5
    Behaviour public behaviour;
    bool public paused;
    mapping(address => bool) public isBlacklisted; // USDC's: neither sends nor receives
    mapping(address => bool) public isBlackListed; // USDT's: does not send
    mapping(uint256 => uint256) private written;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(string memory name_, string memory symbol_, uint8 decimals_) {
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
        minter = msg.sender;
    }

    function mint(address to, uint256 value) external {
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function behave(Behaviour behaviour_) external {
        behaviour = behaviour_;
    }

    function pause(bool paused_) external {
        paused = paused_;
    }

    function blacklist(address account, bool usdc, bool usdt) external {
        isBlacklisted[account] = usdc;
        isBlackListed[account] = usdt;
    }

    function transfer(address to, uint256 value) external {
        require(!paused, "Pausable: paused");
        require(!isBlacklisted[msg.sender] && !isBlacklisted[to], "Blacklistable: account is blacklisted");
        require(!isBlackListed[msg.sender]);
        Behaviour now_ = behaviour;
        if (now_ == Behaviour.ReturnsFalse) answer(false);
        if (now_ == Behaviour.DoesNothing) answer(true);
        require(balanceOf[msg.sender] >= value, "ERC20: transfer amount exceeds balance");
        if (now_ == Behaviour.Costs) {
            for (uint256 i = 0; i < 5; i++) written[uint256(keccak256(abi.encode(to, i)))] = 1;
        }
        bool takes = now_ == Behaviour.TakesFee || now_ == Behaviour.TakesFeeSilently;
        uint256 kept = takes ? value / 100 : 0;
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value - kept;
        if (now_ != Behaviour.LogsNothing) {
            emit Transfer(msg.sender, to, now_ == Behaviour.TakesFee ? value - kept : value);
        }
        if (now_ != Behaviour.ReturnsNothing) answer(true);
    }

    function answer(bool yes) private pure {
        assembly {
            mstore(0, yes)
            return(0, 32)
        }
    }
}
