//! A CSV file and its hash, written in one pass.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// Passes bytes on and hashes them.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes rows of one CSV file.
pub(crate) struct CsvFile<W: Write> {
    csv: csv::Writer<Hashing<W>>,
    rows: u64,
}

impl<W: Write> CsvFile<W> {
    /// Starts a file with its header.
    pub(crate) fn begin(inner: W, header: &[&str]) -> io::Result<Self> {
        let hashing = Hashing { inner, hash: Sha256::new() };
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(hashing);
        csv.write_record(header)?;
        Ok(Self { csv, rows: 0 })
    }

    /// Writes one row below the header.
    pub(crate) fn row<'f>(&mut self, fields: impl IntoIterator<Item = &'f str>) -> io::Result<()> {
        self.csv.write_record(fields.into_iter().map(str::as_bytes))?;
        self.rows += 1;
        Ok(())
    }

    /// Ends the file: the number of rows below the header, and the SHA-256 of every byte.
    pub(crate) fn finish(self) -> io::Result<(u64, [u8; 32])> {
        let mut hashing = self.csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
        hashing.flush()?;
        Ok((self.rows, hashing.hash.finalize().into()))
    }
}
