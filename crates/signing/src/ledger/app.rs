//! The Ethereum app: what it is asked, and how its answers are read.

use std::thread;
use std::time::Duration;

use alloy::consensus::TxEip1559;
use alloy::primitives::{Address, hex};
use safe::hash::domain_separator;
use safe::nested::SafeMessage;
use safe::signature::SIGNATURE_LEN;
use safe::{SafeDomain, SafeTx};
use serde::{Deserialize, Serialize};

use super::apdu::{Answer, Command, Status};
use super::eip712::{self, CLA, Flow};
use super::executor;
use super::path::DerivationPath;
use super::status::{Asked, error};
use super::transport::{Connection, DeviceAddress, Patience, Stop};
use crate::port::{ForeignSignature, SignError};

const SYSTEM_CLA: u8 = 0xb0;
const INS_APP: u8 = 0x01;
const INS_ADDRESS: u8 = 0x02;
const INS_CONFIG: u8 = 0x06;
const NAME: &str = "Ethereum";
/// The first that takes fields and not only hashes, by the change log of the app.
const OLDEST: &str = "1.10.0";
const BLIND_SIGNING: u8 = 0x01;
/// How often a connection that answers something else is dropped and made again.
const ATTEMPTS: u32 = 3;
/// How long an answer to a dropped connection may still be on its way.
const SETTLE: Duration = Duration::from_millis(300);

/// Which app is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    /// Its name.
    pub name: String,
    /// Its version, like 1.22.0.
    pub version: String,
}

impl AppInfo {
    /// Reads format 1: length and name, length and version, length and flags. Nothing for anything else.
    pub fn read(answer: &Answer) -> Option<Self> {
        let rest = answer.data.strip_prefix(&[1])?;
        let (name, rest) = field(rest)?;
        let (version, rest) = field(rest)?;
        // Old systems leave the flags out.
        if !rest.is_empty() && !field(rest)?.1.is_empty() {
            return None;
        }
        Some(Self { name: text(name)?, version: text(version)? })
    }

    fn is_old(&self) -> bool {
        let numbers = |version: &str| -> Option<Vec<u32>> {
            version.split(['.', '-']).take(3).map(|part| part.parse().ok()).collect()
        };
        numbers(&self.version) < numbers(OLDEST)
    }
}

fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

/// Printable ASCII: it ends up on screens.
fn text(bytes: &[u8]) -> Option<String> {
    let plain = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    plain.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// What the app says about its settings. "Raw messages" and "Transaction hash" it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppConfig {
    /// Whether hashes may be signed.
    pub blind_signing: bool,
}

impl AppConfig {
    /// Reads one byte of flags and three of version. Nothing for anything else.
    pub fn read(answer: &Answer) -> Option<Self> {
        let [flags, _, _, _] = answer.data[..] else { return None };
        Some(Self { blind_signing: flags & BLIND_SIGNING != 0 })
    }
}

/// Whether the person at the device is to compare an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// It is answered at once.
    Silent,
    /// It is shown and answered once the person has confirmed it there.
    OnDevice,
}

/// An open device with the Ethereum app running. Dropping it releases the device.
pub struct EthereumApp {
    connection: Connection,
    info: AppInfo,
    config: AppConfig,
}

impl EthereumApp {
    /// Opens the device, sees to it that questions and answers belong together, and checks the app and its version.
    ///
    /// A review that an earlier connection left open is answered to whoever asks next. Name, version and settings are
    /// therefore asked first, whose answers have shapes that no other answer has: a refusal is dropped and the questions
    /// are asked again, and 65 bytes are a signature that nobody waited for.
    ///
    /// # Errors
    /// [`SignError::StrayAnswer`] with such a signature, and whatever keeps the device from answering.
    pub fn open(address: &DeviceAddress) -> Result<Self, SignError> {
        Self::open_until(address, &Stop::default())
    }

    /// The same, and whoever holds `stop` can end a wait for the person at the device.
    ///
    /// # Errors
    /// As [`EthereumApp::open`].
    pub fn open_until(address: &DeviceAddress, stop: &Stop) -> Result<Self, SignError> {
        let mut refused = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(SETTLE);
            }
            let mut connection = Connection::open(address, stop)?;
            match greet(&mut connection) {
                Ok((info, _)) if info.name != NAME => return Err(SignError::WrongApp),
                Ok((info, _)) if info.is_old() => {
                    return Err(SignError::AppTooOld { found: info.version, oldest: OLDEST });
                }
                Ok((info, config)) => return Ok(Self { connection, info, config }),
                Err(error @ (SignError::UserRefused | SignError::BadAnswer { .. })) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or(SignError::Disconnected))
    }

    /// The app's name and version.
    pub fn info(&self) -> &AppInfo {
        &self.info
    }

    /// The app's settings when it was opened.
    pub fn config(&self) -> AppConfig {
        self.config
    }

    /// The address at a path.
    ///
    /// # Errors
    /// A refusal, or an answer whose parts contradict each other.
    pub fn address(&mut self, path: &DerivationPath, show: Show) -> Result<Address, SignError> {
        let (p1, patience) = match show {
            Show::Silent => (0, Patience::App),
            Show::OnDevice => (1, Patience::Person),
        };
        let answer = self.ask(command(CLA, INS_ADDRESS, p1, path.encode())?, patience, Asked::Address)?;
        read_address(&answer).ok_or(SignError::BadAnswer { what: "no address" })
    }

    /// Asks for a signature over a Safe transaction: r, s and v as they came, verified by nobody yet.
    ///
    /// # Errors
    /// [`SignError::BlindSigningOff`] before or while the device is asked, and each refusal as its own error.
    pub fn sign(
        &mut self,
        path: &DerivationPath,
        flow: Flow,
        domain: &SafeDomain,
        tx: &SafeTx,
    ) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let asked = Asked::Signature { flow, blind_signing: self.config.blind_signing };
        if flow == Flow::Hashed && !self.config.blind_signing {
            return Err(SignError::BlindSigningOff { flow });
        }
        let commands =
            eip712::commands(path, flow, domain, tx).map_err(|error| SignError::TooLongForFullFlow(error.0))?;
        self.ask_signature(commands, asked)
    }

    /// Asks for a signature over the message of a Safe, of which the device gets the two hashes: r, s and v as they came.
    ///
    /// # Errors
    /// As [`EthereumApp::sign`].
    pub fn sign_message(
        &mut self,
        path: &DerivationPath,
        message: &SafeMessage,
    ) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let (flow, blind_signing) = (Flow::Hashed, self.config.blind_signing);
        if !blind_signing {
            return Err(SignError::BlindSigningOff { flow });
        }
        let command = eip712::hashed(path, domain_separator(&message.domain), message.struct_hash())
            .map_err(|error| SignError::TooLongForFullFlow(error.0))?;
        self.ask_signature(vec![command], Asked::Signature { flow, blind_signing })
    }

    /// Asks for a signature over an Ethereum transaction: r, s and v as they came, verified by nobody yet.
    ///
    /// # Errors
    /// [`SignError::CalldataUnread`] before or while the device is asked, and each refusal as its own error.
    pub fn sign_transaction(
        &mut self,
        path: &DerivationPath,
        transaction: &TxEip1559,
    ) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let blind_signing = self.config.blind_signing;
        if !transaction.input.is_empty() && !blind_signing {
            return Err(SignError::CalldataUnread);
        }
        self.ask_signature(executor::commands(path, transaction), Asked::Transaction { blind_signing })
    }

    /// Only the answer to the last command is a signature: it comes when the person has decided.
    fn ask_signature(&mut self, mut commands: Vec<Command>, asked: Asked) -> Result<[u8; SIGNATURE_LEN], SignError> {
        let last = commands.pop().ok_or(SignError::BadAnswer { what: "no question" })?;
        for command in commands {
            let answer = self.ask(command, Patience::App, asked)?;
            if !answer.data.is_empty() {
                return Err(SignError::BadAnswer { what: "data where none was asked for" });
            }
        }
        let answer = checked(self.connection.exchange(last, Patience::Person)?, asked)?;
        read_signature(&answer).ok_or(SignError::BadAnswer { what: "not the 65 bytes of a signature" })
    }

    /// Asks for anything but a signature: one that comes all the same answers an earlier question.
    fn ask(&mut self, command: Command, patience: Patience, asked: Asked) -> Result<Answer, SignError> {
        checked(not_stray(self.connection.exchange(command, patience)?)?, asked)
    }
}

fn greet(connection: &mut Connection) -> Result<(AppInfo, AppConfig), SignError> {
    let answer = connection.exchange(Command::bare(SYSTEM_CLA, INS_APP, 0, 0), Patience::App)?;
    let answer = checked(not_stray(answer)?, Asked::Facts)?;
    let info = AppInfo::read(&answer).ok_or(SignError::BadAnswer { what: "no name and version of an app" })?;
    if info.name != NAME {
        return Ok((info, AppConfig { blind_signing: false }));
    }
    let answer = connection.exchange(Command::bare(CLA, INS_CONFIG, 0, 0), Patience::App)?;
    let answer = checked(not_stray(answer)?, Asked::Facts)?;
    let config = AppConfig::read(&answer).ok_or(SignError::BadAnswer { what: "no settings of the Ethereum app" })?;
    Ok((info, config))
}

/// Nothing but a signature has 65 bytes: where none was asked for, it answers an earlier question.
pub(super) fn not_stray(answer: Answer) -> Result<Answer, SignError> {
    match read_signature(&answer) {
        Some(bytes) => Err(SignError::StrayAnswer { signature: ForeignSignature(Box::new(bytes)) }),
        None => Ok(answer),
    }
}

fn checked(answer: Answer, asked: Asked) -> Result<Answer, SignError> {
    if answer.status == Status::OK { Ok(answer) } else { Err(error(answer.status, asked)) }
}

fn command(cla: u8, ins: u8, p1: u8, data: Vec<u8>) -> Result<Command, SignError> {
    Command::new(cla, ins, p1, 0, data).map_err(|error| SignError::Key { reason: error.to_string() })
}

/// v, r, s as the app answers them, as r, s, v. 9000 with anything else is not "signed".
pub fn read_signature(answer: &Answer) -> Option<[u8; SIGNATURE_LEN]> {
    let [v, rest @ ..] = &answer.data[..] else { return None };
    if answer.status != Status::OK || rest.len() != SIGNATURE_LEN - 1 {
        return None;
    }
    let mut bytes = [0; SIGNATURE_LEN];
    bytes[..SIGNATURE_LEN - 1].copy_from_slice(rest);
    bytes[SIGNATURE_LEN - 1] = *v;
    Some(bytes)
}

/// Length and public key, length and address in hex. The address must be that of the key.
pub fn read_address(answer: &Answer) -> Option<Address> {
    let (key, rest) = field(&answer.data)?;
    let (said, rest) = field(rest)?;
    let point: &[u8; 64] = key.strip_prefix(&[4])?.try_into().ok()?;
    let address = Address::from_raw_public_key(point);
    let same = hex::decode(said).ok()? == address.as_slice();
    (rest.is_empty() && same).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(hex_data: &str) -> Answer {
        Answer { data: hex::decode(hex_data).expect("hex"), status: Status::OK }
    }

    #[test]
    fn old_apps_are_told_from_new_ones_by_number() {
        for (version, old) in [("1.9.19", true), ("1.10.0", false), ("1.22.0", false), ("2.0.0-rc", false), ("", true)]
        {
            let info = AppInfo { name: NAME.to_owned(), version: version.to_owned() };
            assert_eq!(info.is_old(), old, "{version}");
        }
    }

    #[test]
    fn answers_are_read_strictly() {
        let info = "0108457468657265756d06312e32322e300100";
        assert_eq!(AppInfo::read(&ok(info)).expect("reads").version, "1.22.0");
        for bad in ["", "01", "02", &info[..30], &format!("{info}00"), "010145", "0101070131"] {
            assert_eq!(AppInfo::read(&ok(bad)), None, "{bad}");
        }
        assert_eq!(AppConfig::read(&ok("02011600")), Some(AppConfig { blind_signing: false }));
        assert_eq!(AppConfig::read(&ok("03011600")), Some(AppConfig { blind_signing: true }));
        assert_eq!(AppConfig::read(&ok("0301160000")), None);
        let signature = format!("1b{}{}", "aa".repeat(32), "bb".repeat(32));
        let read = read_signature(&ok(&signature)).expect("65 bytes");
        assert_eq!((read[0], read[32], read[64]), (0xaa, 0xbb, 27));
        for bad in ["", &signature[2..], &format!("{signature}00")] {
            assert_eq!(read_signature(&ok(bad)), None, "{bad}");
        }
    }

    #[test]
    fn an_address_must_be_its_keys() {
        let key = "048318535b54105d4a7aae60c08fc45f9687181b4fdfc625bd1a753fa7397fed753547f11ca8696646f2f3acb08e31016afac23e630c5d11f59f61fef57b0d2aa5";
        let said = hex::encode("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        let good = format!("41{key}28{said}");
        assert_eq!(
            read_address(&ok(&good)).map(|a| a.to_checksum(None)).as_deref(),
            Some("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
        );
        let other = hex::encode("e39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        for bad in [format!("41{key}28{other}"), format!("{good}00"), good[..100].to_owned(), String::new()] {
            assert_eq!(read_address(&ok(&bad)), None, "{bad}");
        }
    }
}
