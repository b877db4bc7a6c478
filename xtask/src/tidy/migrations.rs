//! Names of migrations: they are applied in the order of their times, so each has one of its own.

use std::collections::BTreeMap;

use crate::repository::Files;

/// Badly named migrations and times that occur twice.
pub fn findings(files: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    let mut times: BTreeMap<&str, &str> = BTreeMap::new();
    for name in files.keys().filter_map(|path| path.strip_prefix("migrations/")).filter(|name| *name != "README.md") {
        let Some(time) = time_of(name) else {
            findings.push(format!(
                "migrations/{name} is not named YYYYMMDDHHMMSS_verb_noun.sql, all in small letters; rename it."
            ));
            continue;
        };
        if let Some(other) = times.insert(time, name) {
            findings.push(format!("migrations/{name} has the time of {other}; give one of them another."));
        }
    }
    findings
}

/// The time of a well-named migration.
fn time_of(name: &str) -> Option<&str> {
    let (time, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    let words = rest.split('_').all(|word| {
        !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    });
    let number = |from: usize, to: usize| time.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let in_range = time.len() == 14
        && time.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=12).contains(&number(4, 6)?)
        && (1..=31).contains(&number(6, 8)?)
        && number(8, 10)? < 24
        && number(10, 12)? < 60
        && number(12, 14)? < 60;
    (in_range && words && rest.contains('_')).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::super::files_of;
    use super::*;

    #[test]
    fn a_good_name_passes() {
        let files = files_of(&[("migrations/20261120093000_create_batches.sql", ""), ("migrations/README.md", "")]);
        assert_eq!(findings(&files), Vec::<String>::new());
    }

    #[test]
    fn bad_names_do_not() {
        for name in [
            "20261120093000_batches.sql",
            "20261320093000_create_batches.sql",
            "20261120096000_create_batches.sql",
            "2026112009300_create_batches.sql",
            "20261120093000_Create_batches.sql",
            "20261120093000_create__batches.sql",
            "create_batches.sql",
            "20261120093000_create_batches.txt",
        ] {
            assert_eq!(time_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_time_belongs_to_one() {
        let files = files_of(&[
            ("migrations/20261120093000_create_batches.sql", ""),
            ("migrations/20261120093000_create_safes.sql", ""),
        ]);
        assert_eq!(findings(&files).len(), 1);
    }
}
