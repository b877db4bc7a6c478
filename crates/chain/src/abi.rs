//! The functions and events of the contracts that are spoken to.

alloy::sol! {
    /// Safe 1.3.0 and later, as far as it is used here.
    interface ISafe {
        event SafeReceived(address indexed sender, uint256 value);
        event AddedOwner(address owner);
        event RemovedOwner(address owner);
        event ChangedThreshold(uint256 threshold);
        event EnabledModule(address module);
        event DisabledModule(address module);
        event ChangedGuard(address guard);
        event ChangedModuleGuard(address moduleGuard);
        event ChangedFallbackHandler(address handler);
        event ChangedMasterCopy(address singleton);

        function VERSION() external view returns (string memory);
        function nonce() external view returns (uint256);
        function getThreshold() external view returns (uint256);
        function getOwners() external view returns (address[] memory);
        function getModulesPaginated(address start, uint256 pageSize) external view returns (address[] memory modules, address next);
        function domainSeparator() external view returns (bytes32);
        function getTransactionHash(
            address to, uint256 value, bytes calldata data, uint8 operation,
            uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, uint256 nonce
        ) external view returns (bytes32);
        function execTransaction(
            address to, uint256 value, bytes calldata data, uint8 operation,
            uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address payable refundReceiver,
            bytes memory signatures
        ) external payable returns (bool success);
        function checkSignatures(bytes32 dataHash, bytes memory data, bytes memory signatures) external view;
        function setup(
            address[] calldata owners, uint256 threshold, address to, bytes calldata data, address fallbackHandler,
            address paymentToken, uint256 payment, address payable paymentReceiver
        ) external;
    }

    /// SafeProxyFactory 1.4.1.
    interface ISafeProxyFactory {
        function proxyCreationCode() external pure returns (bytes memory);
        function createProxyWithNonce(address singleton, bytes memory initializer, uint256 saltNonce) external returns (address proxy);
    }

    /// ERC-20, and the error that its implementations share (ERC-6093).
    interface IERC20 {
        error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);

        function balanceOf(address owner) external view returns (uint256);
        function decimals() external view returns (uint8);
        function symbol() external view returns (string memory);
    }

    /// What issuers of tokens can do to accounts: USDC's words, and USDT's.
    interface IListed {
        function paused() external view returns (bool);
        function isBlacklisted(address account) external view returns (bool);
        function isBlackListed(address account) external view returns (bool);
    }

    /// `contracts/TestToken.sol`.
    interface ITestToken {
        function mint(address to, uint256 value) external;
    }

    /// `contracts/AwkwardToken.sol`.
    interface IAwkwardToken {
        function behave(uint8 behaviour) external;
        function pause(bool paused) external;
        function blacklist(address account, bool usdc, bool usdt) external;
    }
}
