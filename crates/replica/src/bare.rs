//! A plain load: rows into the tables of an empty copy, and nothing else. What filling is measured by.

use domain::replicated::Table;
use rusqlite::Connection;

use crate::wire::{Rows, bind};
use crate::{ReplicaError, schema};

/// Loads rows that are there already, one transaction per table.
#[derive(Debug)]
pub struct BareLoad {
    connection: Connection,
}

impl BareLoad {
    pub(crate) const fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Inserts all rows of a table; answers how many.
    ///
    /// # Errors
    /// [`ReplicaError::Row`] for rows that cannot be read, [`ReplicaError::Sqlite`] for those that are there already.
    pub fn table(
        &mut self,
        table: &'static Table,
        pieces: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<u64, ReplicaError> {
        let transaction = self.connection.transaction()?;
        let mut count = 0;
        {
            let mut statement = transaction.prepare(&schema::insert(table))?;
            for piece in pieces {
                let mut rows = Rows::new(table, &piece);
                let mut fields = Vec::with_capacity(table.columns.len());
                while rows.next_into(&mut fields)? {
                    bind(table, &mut statement, &fields)?;
                    statement.raw_execute()?;
                    count += 1;
                }
            }
        }
        transaction.commit()?;
        Ok(count)
    }
}
