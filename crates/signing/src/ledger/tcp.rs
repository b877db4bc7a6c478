//! A device over TCP, as the Speculos emulator offers it.
//!
//! Out goes a length of four bytes, big-endian, and the command; back comes what [`read_answer`] reads.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use super::apdu::{Answer, Command, read_answer};
use super::transport::Wait;
use crate::port::SignError;

const CONNECT: Duration = Duration::from_secs(3);
/// A peer that died without a word is noticed after about this and three probes.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Tcp {
    stream: TcpStream,
}

impl Tcp {
    pub(super) fn connect(host: &str, port: u16) -> Result<Self, SignError> {
        let address = format!("{host}:{port}");
        let unreachable = |reason: String| SignError::Unreachable { address: address.clone(), reason };
        let targets = (host, port).to_socket_addrs().map_err(|error| unreachable(error.to_string()))?;
        let mut refused = unreachable("the name has no address".to_owned());
        for target in targets {
            match TcpStream::connect_timeout(&target, CONNECT) {
                Ok(stream) => return Self::over(stream).map_err(|error| unreachable(error.to_string())),
                Err(error) => refused = unreachable(error.to_string()),
            }
        }
        Err(refused)
    }

    fn over(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(CONNECT))?;
        // A person may look for minutes, and nothing is sent meanwhile; the system asks whether the peer is still there.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self { stream })
    }

    pub(super) fn exchange(&mut self, command: &Command, wait: &Wait<'_>) -> Result<Answer, SignError> {
        let bytes = command.encode();
        // A command has at most 260 bytes.
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        self.stream.write_all(&[&len, &bytes[..]].concat()).map_err(|_| SignError::Disconnected)?;
        read_answer(|bytes| self.read(bytes, wait))
    }

    fn read(&mut self, bytes: &mut [u8], wait: &Wait<'_>) -> Result<(), SignError> {
        let mut filled = 0;
        while filled < bytes.len() {
            let slice = Instant::now() + wait.slice()?;
            let left = slice.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).map_err(|_| SignError::Disconnected)?;
            match self.stream.read(&mut bytes[filled..]) {
                Ok(0) => return Err(SignError::Disconnected),
                Ok(read) => filled += read,
                // Our own deadline; the loop looks at it.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::TimedOut && Instant::now() >= slice => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(SignError::Disconnected),
            }
        }
        Ok(())
    }
}
