//! Identity keys, keystore v3 files and the Signer port.
