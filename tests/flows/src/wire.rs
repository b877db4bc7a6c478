//! A wire to the chain's endpoint that can be cut at a chosen question, as when the process that asks dies at it, or that changes what is
//! said, as an endpoint does that errs or lies.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// When the asker dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the endpoint hears this method.
    Before(&'static str),
    /// After the endpoint did what this method asks, and before the asker hears of it.
    After(&'static str),
}

impl Cut {
    const fn method(self) -> &'static str {
        match self {
            Self::Before(method) | Self::After(method) => method,
        }
    }
}

/// What a wire makes of what is said: each first text becomes the second, which is as long.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// In questions, before the endpoint hears them.
    pub questions: Vec<(String, String)>,
    /// In its answers.
    pub answers: Vec<(String, String)>,
}

fn changed(mut said: Vec<u8>, changes: &[(String, String)]) -> Vec<u8> {
    for (from, to) in changes {
        assert_eq!(from.len(), to.len(), "{from} and {to}");
        let places: Vec<usize> = said
            .windows(from.len())
            .enumerate()
            .filter(|(_, part)| *part == from.as_bytes())
            .map(|(at, _)| at)
            .collect();
        for at in places {
            said[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    said
}

/// Passes questions on, until the one that it is to be cut at.
#[derive(Debug)]
pub struct Wire {
    /// Where it listens.
    pub url: String,
    cut: Arc<Mutex<Option<Cut>>>,
    died: Arc<Notify>,
}

impl Wire {
    /// A wire to an endpoint at `127.0.0.1`.
    pub async fn to(endpoint: &str) -> Self {
        Self::changing(endpoint, Changes::default()).await
    }

    /// A wire that changes what is said.
    pub async fn changing(endpoint: &str, changes: Changes) -> Self {
        let changes = Arc::new(changes);
        let target = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (cut, died) = (Arc::new(Mutex::new(None)), Arc::new(Notify::new()));
        let wire = Self { url, cut: Arc::clone(&cut), died: Arc::clone(&died) };
        tokio::spawn(async move {
            while let Ok((asker, _)) = listener.accept().await {
                let (target, changes) = (target.clone(), Arc::clone(&changes));
                let (cut, died) = (Arc::clone(&cut), Arc::clone(&died));
                tokio::spawn(async move { pass_on(asker, &target, &changes, &cut, &died).await });
            }
        });
        wire
    }

    /// Runs something that asks over this wire and kills it at the cut; none when it ended before.
    pub async fn kill_at<T>(&self, cut: Cut, work: impl Future<Output = T>) -> Option<T> {
        *self.cut.lock().expect("a lock") = Some(cut);
        let ended = tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work => Some(done),
        };
        *self.cut.lock().expect("a lock") = None;
        ended
    }
}

/// One question and its answer; a connection carries no more.
async fn pass_on(mut asker: TcpStream, target: &str, changes: &Changes, cut: &Mutex<Option<Cut>>, died: &Notify) {
    let Some(question) = read_question(&mut asker).await else { return };
    let question = changed(question, &changes.questions);
    let asked = |method: &str| question.windows(method.len()).any(|part| part == method.as_bytes());
    let cut = cut.lock().expect("a lock").filter(|cut| asked(cut.method()));
    if matches!(cut, Some(Cut::Before(_))) {
        died.notify_one();
        return std::future::pending().await;
    }
    let mut endpoint = TcpStream::connect(target).await.expect("the endpoint listens");
    endpoint.write_all(&question).await.expect("the endpoint hears");
    let mut answer = Vec::new();
    endpoint.read_to_end(&mut answer).await.expect("the endpoint answers");
    if cut.is_some() {
        died.notify_one();
        return std::future::pending().await;
    }
    // An asker that died meanwhile hears nothing.
    let _ = asker.write_all(&changed(answer, &changes.answers)).await;
}

/// An HTTP/1.1 request with its body, told to end the connection after the answer.
async fn read_question(asker: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let mut chunk = [0; 16_384];
    loop {
        let n = asker.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        read.extend_from_slice(&chunk[..n]);
        let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&read[..end]);
        let lower = head.to_lowercase();
        let length =
            lower.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse::<usize>().ok()?;
        if read.len() >= end + 4 + length {
            let mut question = format!("{head}\r\nconnection: close\r\n\r\n").into_bytes();
            question.extend_from_slice(&read[end + 4..]);
            return Some(question);
        }
    }
}
