//! The frame of the protocol: commands of at most 255 bytes of data, answers with a status word.

use std::fmt;

use crate::port::SignError;

/// More than any answer of the protocol has.
pub const ANSWER_MAX: usize = 4096;

/// Most bytes of data in one command.
pub const DATA_MAX: usize = 255;

/// Bytes longer than one command holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes do not fit one command to the device: it takes 255 at most")]
pub struct TooLong(pub usize);

/// One command: class, instruction, two parameters and data.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Class: 0xe0 for the Ethereum app, 0xb0 for the system.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    data: Vec<u8>,
}

impl Command {
    /// A command with its data.
    ///
    /// # Errors
    /// [`TooLong`] above 255 bytes.
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8, data: Vec<u8>) -> Result<Self, TooLong> {
        if data.len() > DATA_MAX {
            return Err(TooLong(data.len()));
        }
        Ok(Self { cla, ins, p1, p2, data })
    }

    /// A command without data.
    pub const fn bare(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla, ins, p1, p2, data: Vec::new() }
    }

    /// Any number of bytes in as few commands as hold them: P1 is 1 while more follows and 0 on the last.
    pub fn chunked(cla: u8, ins: u8, p2: u8, bytes: &[u8]) -> Vec<Self> {
        let count = bytes.len().div_ceil(DATA_MAX).max(1);
        (1..=count)
            .zip(bytes.chunks(DATA_MAX).chain(std::iter::repeat(&[][..])))
            .map(|(number, chunk)| Self::of_chunk(cla, ins, u8::from(number < count), p2, chunk))
            .collect()
    }

    /// A command with a part of at most [`DATA_MAX`] bytes of something longer.
    pub(super) fn of_chunk(cla: u8, ins: u8, p1: u8, p2: u8, chunk: &[u8]) -> Self {
        Self { cla, ins, p1, p2, data: chunk.to_vec() }
    }

    /// The data without its length.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// As it goes over the wire: CLA INS P1 P2 LC data.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.cla, self.ins, self.p1, self.p2];
        // The constructors keep the length below 256.
        bytes.push(u8::try_from(self.data.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&self.data);
        bytes
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Command({:02x} {:02x} {:02x} {:02x}, {} bytes)",
            self.cla,
            self.ins,
            self.p1,
            self.p2,
            self.data.len()
        )
    }
}

/// The two bytes at the end of every answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

impl Status {
    /// Done. Not "signed": look at the data.
    pub const OK: Self = Self(0x9000);
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04x}", self.0)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What came back. The data may be a signature: it has no `Debug` of its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Without the status word.
    pub data: Vec<u8>,
    /// How it went.
    pub status: Status,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes, {})", self.data.len(), self.status)
    }
}

/// Reads an answer as it comes over TCP: four bytes of length, big-endian, which do not count the status word, the data,
/// the status word. `fill` fills what it is given with the bytes that come next.
///
/// # Errors
/// [`SignError::BadAnswer`] for a length that no answer has, before anything of it is read, and whatever `fill` says.
pub fn read_answer(mut fill: impl FnMut(&mut [u8]) -> Result<(), SignError>) -> Result<Answer, SignError> {
    let mut len = [0; 4];
    fill(&mut len)?;
    let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
    if len > ANSWER_MAX {
        return Err(SignError::BadAnswer { what: "a length that no answer has" });
    }
    let mut data = vec![0; len];
    fill(&mut data)?;
    let mut status = [0; 2];
    fill(&mut status)?;
    Ok(Answer { data, status: Status(u16::from_be_bytes(status)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_split_so_that_only_the_last_command_says_so() {
        for (len, expected) in [
            (0, vec![(0, 0)]),
            (1, vec![(0, 1)]),
            (255, vec![(0, 255)]),
            (256, vec![(1, 255), (0, 1)]),
            (510, vec![(1, 255), (0, 255)]),
            (511, vec![(1, 255), (1, 255), (0, 1)]),
        ] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
            let commands = Command::chunked(0xe0, 0x1c, 0xff, &bytes);
            let shape: Vec<_> = commands.iter().map(|c| (c.p1, c.data.len())).collect();
            assert_eq!(shape, expected, "{len}");
            let joined: Vec<u8> = commands.iter().flat_map(|c| c.data.clone()).collect();
            assert_eq!(joined, bytes, "{len}");
        }
    }

    #[test]
    fn a_command_holds_no_more_than_its_length_byte_can_say() {
        let fits = Command::new(0xe0, 0, 0, 0, vec![7; 255]).expect("255 bytes fit");
        assert_eq!(fits.encode().len(), 260);
        assert_eq!(fits.encode()[4], 255);
        assert_eq!(Command::new(0xe0, 0, 0, 0, vec![7; 256]), Err(TooLong(256)));
    }

    #[test]
    fn an_answer_does_not_print_what_may_be_a_signature() {
        let answer = Answer { data: vec![0xab; 65], status: Status::OK };
        assert_eq!(format!("{answer:?}"), "Answer(65 bytes, 0x9000)");
    }
}
