//! Derivation paths: where on the seed a key is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Most levels that the Ethereum app takes.
pub const LEVELS_MAX: usize = 10;
const HARDENED: u32 = 0x8000_0000;

/// A path that the Ethereum app derives: below 44'/60' or below 45' (from app 1.21), at most ten levels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DerivationPath {
    levels: Vec<u32>,
}

/// Why a text is no path for the Ethereum app.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not numbers between slashes.
    #[error("\"{0}\" is not a derivation path: write it like m/44'/60'/0'/0/0, with ' after hardened levels")]
    Unreadable(String),
    /// Elsewhere on the seed.
    #[error("the Ethereum app derives only below m/44'/60' and m/45', not {0}")]
    Foreign(String),
    /// Too deep.
    #[error("the Ethereum app derives at most {LEVELS_MAX} levels, not {0}")]
    TooDeep(usize),
}

impl DerivationPath {
    /// The account `index` as Ledger's own program numbers them: m/44'/60'/i'/0/0.
    pub fn live(index: u16) -> Self {
        Self { levels: vec![44 | HARDENED, 60 | HARDENED, u32::from(index) | HARDENED, 0, 0] }
    }

    /// The account `index` as old wallets number them: m/44'/60'/0'/i.
    pub fn legacy(index: u16) -> Self {
        Self { levels: vec![44 | HARDENED, 60 | HARDENED, HARDENED, u32::from(index)] }
    }

    /// The account `index` as BIP-44 numbers addresses: m/44'/60'/0'/0/i.
    pub fn bip44(index: u16) -> Self {
        Self { levels: vec![44 | HARDENED, 60 | HARDENED, HARDENED, 0, u32::from(index)] }
    }

    /// The levels as numbers, 2^31 and above for hardened ones.
    pub fn levels(&self) -> &[u32] {
        &self.levels
    }

    /// As the app reads it: how many levels, then four bytes for each.
    pub fn encode(&self) -> Vec<u8> {
        // At most ten, see the constructors.
        let mut bytes = vec![u8::try_from(self.levels.len()).unwrap_or(u8::MAX)];
        bytes.extend(self.levels.iter().flat_map(|level| level.to_be_bytes()));
        bytes
    }
}

impl Default for DerivationPath {
    fn default() -> Self {
        Self::live(0)
    }
}

impl FromStr for DerivationPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let unreadable = || PathError::Unreadable(text.to_owned());
        let trimmed = text.trim();
        let levels: Vec<u32> = trimmed
            .strip_prefix("m/")
            .unwrap_or(trimmed)
            .split('/')
            .map(|level| {
                let plain = level.strip_suffix(['\'', 'h', 'H']);
                let digits = plain.unwrap_or(level);
                let number =
                    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten()?;
                (number < HARDENED).then_some(if plain.is_some() { number | HARDENED } else { number })
            })
            .collect::<Option<_>>()
            .ok_or_else(unreadable)?;
        if levels.len() > LEVELS_MAX {
            return Err(PathError::TooDeep(levels.len()));
        }
        let path = Self { levels };
        let ethereum = path.levels.starts_with(&[44 | HARDENED, 60 | HARDENED]);
        if ethereum || path.levels.first() == Some(&(45 | HARDENED)) {
            Ok(path)
        } else {
            Err(PathError::Foreign(path.to_string()))
        }
    }
}

impl fmt::Display for DerivationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        self.levels
            .iter()
            .try_for_each(|level| write!(f, "/{}{}", level & !HARDENED, if level & HARDENED == 0 { "" } else { "'" }))
    }
}

impl From<DerivationPath> for String {
    fn from(path: DerivationPath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for DerivationPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_the_field_print_and_read_back() {
        for (path, text) in [
            (DerivationPath::live(1), "m/44'/60'/1'/0/0"),
            (DerivationPath::legacy(2), "m/44'/60'/0'/2"),
            (DerivationPath::bip44(3), "m/44'/60'/0'/0/3"),
        ] {
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        }
        assert_eq!(DerivationPath::default().to_string(), "m/44'/60'/0'/0/0");
        assert_eq!("44h/60H/0'/0/0".parse(), Ok(DerivationPath::default()));
        assert_eq!(
            "m/45'/60'/0'/0/0".parse::<DerivationPath>().map(|p| p.to_string()).as_deref(),
            Ok("m/45'/60'/0'/0/0")
        );
    }

    #[test]
    fn other_seeds_and_nonsense_are_refused_before_the_device_is_asked() {
        for text in
            ["", "m", "m/", "m/44'/60'/", "m/44'/60'/-1", "m/44'/60'/0x1", "m/44'/60'/2147483648", "m/44'/60'/+1"]
        {
            assert!(matches!(text.parse::<DerivationPath>(), Err(PathError::Unreadable(_))), "{text}");
        }
        for text in ["m/44'/0'/0'/0/0", "m/44'/1'/0'/0/0", "m/44/60/0/0/0", "m/44'", "0/0"] {
            assert!(matches!(text.parse::<DerivationPath>(), Err(PathError::Foreign(_))), "{text}");
        }
        let deep = format!("m/44'/60'{}", "/0".repeat(9));
        assert_eq!(deep.parse::<DerivationPath>(), Err(PathError::TooDeep(11)));
        assert!(deep.trim_end_matches("/0").parse::<DerivationPath>().is_ok());
    }

    #[test]
    fn the_app_reads_a_count_and_four_bytes_for_each_level() {
        assert_eq!(hex::encode(DerivationPath::default().encode()), "058000002c8000003c800000000000000000000000");
    }
}
