//! What strangers write and this house reads: each target is one parser, its seeds, and what must hold of every input.
//!
//! A target may refuse its input; it must not crash, hang or take memory without bound, and what it accepts it must be
//! able to write back. `cargo xtask fuzz` runs them under libFuzzer; the tests here run them on their seeds and on cut
//! and changed seeds. A new target is a file with `run` and `seeds`, and a line in [`TARGETS`].

mod apdu;
mod calldata;
mod keystore;
mod payout_file;
mod requests;
mod signatures;
mod vectors;

/// One parser to be fed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Reads the bytes and checks what must hold. Panics when it does not.
    pub run: fn(&[u8]),
    /// Inputs to begin with, most of them accepted.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "apdu", run: apdu::run, seeds: apdu::seeds },
    Target { name: "calldata", run: calldata::run, seeds: calldata::seeds },
    Target { name: "keystore", run: keystore::run, seeds: keystore::seeds },
    Target { name: "payout-file", run: payout_file::run, seeds: payout_file::seeds },
    Target { name: "requests", run: requests::run, seeds: requests::seeds },
    Target { name: "signatures", run: signatures::run, seeds: signatures::seeds },
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small steps of a fixed generator: the same changes in every run.
    fn next(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 40).expect("24 bits")
    }

    #[test]
    fn every_target_holds_on_its_seeds_and_on_changed_ones() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(seeds.len() >= 3, "{}", target.name);
            let mut state = 7;
            for seed in &seeds {
                (target.run)(seed);
                for _ in 0..20 {
                    let mut changed = seed.clone();
                    if changed.is_empty() {
                        continue;
                    }
                    let at = next(&mut state) % changed.len();
                    match next(&mut state) % 4 {
                        0 => changed.truncate(at),
                        1 => changed[at] ^= 1 << (next(&mut state) % 8),
                        2 => changed.insert(at, 0xff),
                        _ => changed.extend_from_within(at..),
                    }
                    (target.run)(&changed);
                }
            }
        }
    }

    #[test]
    fn targets_are_found_by_their_names() {
        for wanted in TARGETS {
            assert_eq!(target(wanted.name).map(|found| found.name), Some(wanted.name));
        }
        assert!(target("nothing").is_none());
    }
}
