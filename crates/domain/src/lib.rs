//! Nouns, states, rules and matching; pure.
