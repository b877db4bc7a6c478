//! RPC: read Safes, submit, track, read logs.
