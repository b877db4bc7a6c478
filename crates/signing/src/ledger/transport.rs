//! How a device is reached: over USB, or over TCP.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::apdu::{Answer, Command};
use super::hid::Hid;
use super::tcp::Tcp;
use crate::port::SignError;

/// Where the device is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DeviceAddress {
    /// The one Ledger on USB.
    #[default]
    Hid,
    /// An emulator.
    Tcp {
        /// Name or address.
        host: String,
        /// Its port for commands, 9999 as Speculos has it.
        port: u16,
    },
}

/// A text that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no device: write hid, or tcp:HOST:PORT")]
pub struct NoDeviceAddress(pub String);

impl FromStr for DeviceAddress {
    type Err = NoDeviceAddress;

    fn from_str(text: &str) -> Result<Self, NoDeviceAddress> {
        if text == "hid" {
            return Ok(Self::Hid);
        }
        let (host, port) = text
            .strip_prefix("tcp:")
            .and_then(|rest| rest.rsplit_once(':'))
            .ok_or_else(|| NoDeviceAddress(text.to_owned()))?;
        match port.parse() {
            Ok(port) if !host.is_empty() && port != 0 => Ok(Self::Tcp { host: host.to_owned(), port }),
            _ => Err(NoDeviceAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hid => f.write_str("hid"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
        }
    }
}

impl From<DeviceAddress> for String {
    fn from(address: DeviceAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for DeviceAddress {
    type Error = NoDeviceAddress;

    fn try_from(text: String) -> Result<Self, NoDeviceAddress> {
        text.parse()
    }
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The app answers by itself.
    App,
    /// A person reads on the device first.
    Person,
}

impl Patience {
    /// The longest that is waited.
    pub const fn duration(self) -> Duration {
        match self {
            Self::App => Duration::from_secs(5),
            Self::Person => Duration::from_secs(15 * 60),
        }
    }
}

/// Ends a wait for a person: whoever holds a copy can stop it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops the wait that goes on now, and those to come until [`Stop::reset`].
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The next question is waited for again.
    pub fn reset(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How often a wait looks whether it was stopped.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// A wait for one answer: how long, and who may stop it.
pub(super) struct Wait<'a> {
    until: Instant,
    /// Only a wait for a person is stopped: what the app answers by itself is on its way.
    stop: Option<&'a Stop>,
}

impl<'a> Wait<'a> {
    pub(super) fn begin(patience: Patience, stop: &'a Stop) -> Self {
        let stop = (patience == Patience::Person).then_some(stop);
        Self { until: Instant::now() + patience.duration(), stop }
    }

    /// How long to wait before looking again.
    ///
    /// # Errors
    /// [`SignError::StoppedWaiting`] and [`SignError::StillAsking`]; the device may still be asking.
    pub(super) fn slice(&self) -> Result<Duration, SignError> {
        if self.stop.is_some_and(Stop::is_stopped) {
            return Err(SignError::StoppedWaiting);
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(SignError::StillAsking) } else { Ok(left.min(LOOK)) }
    }
}

/// An open device. Dropping it releases the device to other programs.
pub(super) struct Connection {
    wire: Wire,
    stop: Stop,
}

enum Wire {
    Hid(Hid),
    Tcp(Tcp),
}

impl Connection {
    pub(super) fn open(address: &DeviceAddress, stop: &Stop) -> Result<Self, SignError> {
        let wire = match address {
            DeviceAddress::Hid => Wire::Hid(Hid::open()?),
            DeviceAddress::Tcp { host, port } => Wire::Tcp(Tcp::connect(host, *port)?),
        };
        Ok(Self { wire, stop: stop.clone() })
    }

    /// Sends one command and waits for one answer.
    pub(super) fn exchange(&mut self, command: Command, patience: Patience) -> Result<Answer, SignError> {
        let wait = Wait::begin(patience, &self.stop);
        match &mut self.wire {
            Wire::Hid(hid) => hid.exchange(command, &wait),
            Wire::Tcp(tcp) => tcp.exchange(&command, &wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_and_read_back() {
        for text in ["hid", "tcp:127.0.0.1:9999", "tcp:speculos.example:1", "tcp:[::1]:9999"] {
            assert_eq!(text.parse::<DeviceAddress>().map(|a| a.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "usb", "tcp:", "tcp:host", "tcp::9999", "tcp:host:0", "tcp:host:65536", "tcp:host:x", "HID"] {
            assert_eq!(text.parse::<DeviceAddress>(), Err(NoDeviceAddress(text.to_owned())));
        }
    }
}
