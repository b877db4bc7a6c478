//! What a console replicates: every table that staff read under row-level security, column by column.
//!
//! The list is generated from the migrations (`cargo xtask gen`), so that the pull that reads a table and the local copy that
//! keeps it cannot differ from the database or from each other.

/// Reads the generated list: scope, table, length of its key, columns.
macro_rules! tables {
    ($($scope:ident $table:ident $key_len:literal { $($column:ident: $kind:ident $($null:ident)?,)+ })*) => {
        /// Every table that a console keeps, by name.
        pub const TABLES: &[Table] = &[$(Table {
            name: stringify!($table),
            scope: super::Scope::$scope,
            key_len: $key_len,
            columns: &[$(super::Column {
                name: stringify!($column),
                kind: super::Kind::$kind,
                nullable: replicated_null!($($null)?),
            },)+],
        },)*];
    };
}

macro_rules! replicated_null {
    () => {
        false
    };
    (null) => {
        true
    };
}

mod tables;

pub use tables::TABLES;

/// Who may read the rows of a table, and so how a console asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Whoever sees the program sees all of its rows.
    Program,
    /// It takes more than seeing the program, or the row is of no program: asked for all programs at once, and dropped and read
    /// again when this person's permissions change.
    House,
    /// Small and without marks of change: read whole.
    Whole,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 16 bytes.
    Uuid,
    /// Bytes.
    Bytes,
    /// Text; JSON as it was written.
    Text,
    /// A whole number of at most 64 bits.
    Int,
    /// Yes or no.
    Bool,
    /// Whole base units with a sign, up to 38 digits: `numeric(38,0)`.
    Amount,
    /// An exact number with decimals, such as a rate: kept as its digits.
    Decimal,
    /// A moment, in microseconds since 1970 (UTC).
    Time,
    /// A day, in days since 1970.
    Date,
    /// Something else, as the server prints it.
    Printed,
    /// An array, as JSON.
    List,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in both databases.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be empty.
    pub nullable: bool,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name in both databases.
    pub name: &'static str,
    /// Who may read it.
    pub scope: Scope,
    /// How many of the first columns are its primary key, in the key's order; 0 when it has none.
    pub key_len: usize,
    /// Columns that staff may read, the key's first. The mark of change is not among them.
    pub columns: &'static [Column],
}

impl Table {
    /// The columns of the primary key.
    #[must_use]
    pub fn key(&self) -> &'static [Column] {
        self.columns.get(..self.key_len).unwrap_or_default()
    }

    /// The table of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_no_nulls_and_those_of_a_program_begin_with_it() {
        assert!(TABLES.len() > 50, "{} tables", TABLES.len());
        for table in TABLES {
            assert_eq!(table.key().len(), table.key_len, "{}", table.name);
            assert!(table.key().iter().all(|column| !column.nullable), "{}", table.name);
            let first = table.columns.first().map(|column| column.name);
            assert!(table.scope != Scope::Program || first == Some("program_id"), "{}", table.name);
            assert!(table.scope == Scope::Whole || table.key_len > 0, "{}", table.name);
            assert_eq!(Table::named(table.name), Some(table));
        }
    }
}
