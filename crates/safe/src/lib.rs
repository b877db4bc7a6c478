//! The Safe protocol: hashes, MultiSend, signatures, decoding; pure.
