//! A wire to an endpoint on this machine that takes as long as one to another continent, and counts round trips.
//!
//! Every request of HTTP/1.1 is one round trip, and so is every connection that is opened: a handshake is waited for as well.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::BenchError;
use crate::rate::median;

/// The longest head of a request or an answer.
const HEAD_MAX: usize = 64 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// The wire; it ends with this value.
pub struct Wire {
    address: SocketAddr,
    trips: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Wire {
    /// A wire to an address, with this latency for each round trip.
    ///
    /// # Errors
    /// [`BenchError::Io`] when no port is free.
    pub async fn to(endpoint: SocketAddr, latency: Duration) -> Result<Self, BenchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (trips, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counted = (Arc::clone(&trips), Arc::clone(&bytes));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (trips, bytes) = (Arc::clone(&counted.0), Arc::clone(&counted.1));
                trips.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    tokio::time::sleep(latency).await;
                    // A side that hangs up ends its connection, and nothing else.
                    let _ = carry(client, endpoint, latency, &trips, &bytes).await;
                });
            }
        });
        Ok(Self { address, trips, bytes, task })
    }

    /// Its address, for whoever asks the endpoint through it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Round trips and bytes since the last look.
    pub fn take(&self) -> (u64, u64) {
        (self.trips.swap(0, Ordering::SeqCst), self.bytes.swap(0, Ordering::SeqCst))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut client: TcpStream,
    endpoint: SocketAddr,
    latency: Duration,
    trips: &AtomicU64,
    bytes: &AtomicU64,
) -> io::Result<()> {
    let mut server = TcpStream::connect(endpoint).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    loop {
        let Some(request) = message(&mut client).await? else { return Ok(()) };
        trips.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(latency).await;
        server.write_all(&request).await?;
        let Some(answer) = message(&mut server).await? else { return Ok(()) };
        bytes.fetch_add(request.len() as u64 + answer.len() as u64, Ordering::SeqCst);
        client.write_all(&answer).await?;
    }
}

/// One request or answer with its body; `None` when the other side has ended.
async fn message(from: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::with_capacity(16 * 1024);
    let head = loop {
        if from.read_buf(&mut out).await? == 0 {
            return Ok(None);
        }
        if let Some(at) = out.windows(HEAD_END.len()).position(|window| window == HEAD_END) {
            break at + HEAD_END.len();
        }
        if out.len() > HEAD_MAX {
            return Err(io::Error::other("the head of a message does not end"));
        }
    };
    let body = body_len(&out[..head]).ok_or_else(|| io::Error::other("a message does not say how long it is"))?;
    while out.len() < head + body {
        if from.read_buf(&mut out).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(out))
}

fn body_len(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length?.1.trim().parse().ok()
}

/// What one round took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReviewRound {
    /// All of it.
    pub micros: u64,
    /// Opening and rebuilding the batch, from the database alone.
    pub open_micros: u64,
    /// Round trips to the endpoint, connections included.
    pub trips: u64,
    /// Bytes to and from the endpoint.
    pub bytes: u64,
}

/// What a review took.
#[derive(Clone, Debug, Serialize)]
pub struct ReviewReport {
    /// Lines of the batch.
    pub lines: u32,
    /// Its legs.
    pub legs: u32,
    /// Latency of each round trip.
    pub latency_millis: u64,
    /// Each round.
    pub rounds: Vec<ReviewRound>,
    /// The median.
    pub micros: u64,
    /// The most round trips of a round.
    pub trips: u64,
    /// The most that is expected.
    pub expected_micros: u64,
    /// The most that are expected.
    pub expected_trips: u64,
}

impl ReviewReport {
    /// Sums rounds up.
    pub fn new(lines: u32, legs: u32, latency_millis: u64, rounds: Vec<ReviewRound>) -> Self {
        let micros = median(rounds.iter().map(|round| round.micros).collect());
        let trips = rounds.iter().map(|round| round.trips).max().unwrap_or_default();
        Self { lines, legs, latency_millis, rounds, micros, trips, expected_micros: 3_000_000, expected_trips: 20 }
    }

    /// Whether both figures are what is expected.
    pub fn is_reached(&self) -> bool {
        !self.rounds.is_empty() && self.micros <= self.expected_micros && self.trips <= self.expected_trips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_long_its_body_is() {
        assert_eq!(body_len(b"POST / HTTP/1.1\r\nhost: x\r\nContent-Length: 12\r\n\r\n"), Some(12));
        assert_eq!(body_len(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn too_many_round_trips_miss_as_much_as_too_long() {
        let round = |micros, trips| ReviewRound { micros, open_micros: 0, trips, bytes: 0 };
        let report = |rounds| ReviewReport::new(1_000, 3, 50, rounds).is_reached();
        assert!(report(vec![round(3_000_000, 20)]));
        assert!(!report(vec![round(3_000_001, 20)]) && !report(vec![round(1, 21)]) && !report(Vec::new()));
    }
}
