//! As much of RLP as it takes to read a fee-market transaction that may not be whole yet.

/// A list's first items that are there in full, and of the next one how long it will be.
pub struct Partial<'a> {
    /// Items in full.
    pub items: Vec<&'a [u8]>,
    /// The length of the item that is cut, if its length is there, and how many of its bytes are.
    pub cut: Option<(usize, usize)>,
    /// Whether the list is whole and nothing follows it.
    pub whole: bool,
}

/// Reads a list; nothing if it is none.
pub fn list(bytes: &[u8]) -> Option<Partial<'_>> {
    let (first, _) = bytes.split_first()?;
    if *first < 0xc0 {
        return None;
    }
    let (len, at) = length(bytes)?;
    let end = at.checked_add(len)?;
    let (mut items, mut cut, mut at) = (Vec::new(), None, at);
    while at < end.min(bytes.len()) {
        let Some((len, start)) = length(&bytes[at..]) else { break };
        match bytes.get(at + start..(at + start).checked_add(len)?) {
            Some(item) => {
                items.push(item);
                at += start + len;
            }
            None => {
                cut = Some((len, bytes.len().saturating_sub(at + start)));
                break;
            }
        }
    }
    Some(Partial { items, cut, whole: at == end && bytes.len() == end })
}

/// An item's length and where its bytes start.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*bytes.first()?);
    let long = |from: usize| {
        let digits = bytes.get(1..=first - from)?;
        digits.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))
    };
    match first {
        0x00..=0x7f => Some((1, 0)),
        0x80..=0xb7 => Some((first - 0x80, 1)),
        0xb8..=0xbf => Some((long(0xb7)?, first - 0xb7 + 1)),
        0xc0..=0xf7 => Some((first - 0xc0, 1)),
        _ => Some((long(0xf7)?, first - 0xf7 + 1)),
    }
}
