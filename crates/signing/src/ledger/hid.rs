//! A Ledger on USB.
//!
//! The device is known by its usage page; interface numbers differ between models and systems. It is opened for one
//! operation and released, so that other programs get at it and a replugged device, whose path is a new one, is found
//! again.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ledger_transport::APDUCommand;
use ledger_transport_hid::hidapi::{DeviceInfo, HidApi, HidError};
use ledger_transport_hid::{LedgerHIDError, TransportNativeHID};

use super::apdu::{Answer, Command, Status};
use super::app::not_stray;
use super::pages::Model;
use super::transport::{Patience, Wait};
use crate::port::SignError;

/// A Ledger that the system sees on USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbDevice {
    /// The system's path to it.
    pub path: String,
    /// What it calls itself.
    pub product: String,
    /// Which it is, if its product number is known here.
    pub model: Option<Model>,
}

impl UsbDevice {
    fn of(info: &DeviceInfo) -> Self {
        Self {
            path: info.path().to_string_lossy().into_owned(),
            product: info.product_string().unwrap_or("Ledger").to_owned(),
            model: Model::of_product(info.product_id()),
        }
    }
}

/// The Ledgers on USB.
///
/// # Errors
/// [`SignError::Key`] when the system does not list its devices.
pub fn usb_devices() -> Result<Vec<UsbDevice>, SignError> {
    let api = HidApi::new().map_err(|error| SignError::Key { reason: error.to_string() })?;
    Ok(TransportNativeHID::list_ledgers(&api).map(UsbDevice::of).collect())
}

/// An open device, on a thread of its own: reading from USB blocks, and a device that hangs must not hang the caller.
pub(super) struct Hid {
    commands: Sender<Command>,
    /// None once the caller went away from a question that the device still shows.
    answers: Option<Answers>,
}

type Answers = Receiver<Result<Answer, SignError>>;

/// The answer to a question from which the caller went away. Its thread still reads it: it may be a signature, and nobody else would.
static LEFT: Mutex<Option<Answers>> = Mutex::new(None);

/// What became of such a question: nothing is open any more, or the device must not be asked yet.
fn left_behind(left: &mut Option<Answers>) -> Result<(), SignError> {
    let Some(answers) = left.take() else { return Ok(()) };
    match answers.try_recv() {
        Ok(Ok(answer)) => not_stray(answer).map(|_| ()),
        Ok(Err(_)) | Err(TryRecvError::Disconnected) => Ok(()),
        Err(TryRecvError::Empty) => {
            *left = Some(answers);
            Err(SignError::StillAsking)
        }
    }
}

impl Hid {
    pub(super) fn open() -> Result<Self, SignError> {
        left_behind(&mut LEFT.lock().unwrap_or_else(PoisonError::into_inner))?;
        let (commands, for_device) = channel::<Command>();
        let (to_caller, answers) = channel();
        let (opened, is_open) = channel();
        thread::Builder::new()
            .name("ledger-usb".to_owned())
            .spawn(move || {
                let transport = match open_only_one() {
                    Ok(transport) => transport,
                    Err(error) => return drop(opened.send(Err(error))),
                };
                if opened.send(Ok(())).is_err() {
                    return;
                }
                // Ends, and releases the device, when the caller drops its end.
                while let Ok(command) = for_device.recv() {
                    if to_caller.send(ask(&transport, command)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| SignError::Key { reason: error.to_string() })?;
        is_open.recv_timeout(Patience::App.duration()).map_err(|_| SignError::Disconnected)??;
        Ok(Self { commands, answers: Some(answers) })
    }

    pub(super) fn exchange(&mut self, command: Command, wait: &Wait<'_>) -> Result<Answer, SignError> {
        self.commands.send(command).map_err(|_| SignError::Disconnected)?;
        loop {
            let answers = self.answers.as_ref().ok_or(SignError::Disconnected)?;
            let slice = match wait.slice() {
                Ok(slice) => slice,
                Err(gone) => {
                    *LEFT.lock().unwrap_or_else(PoisonError::into_inner) = self.answers.take();
                    return Err(gone);
                }
            };
            match answers.recv_timeout(slice) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(SignError::Disconnected),
            }
        }
    }
}

fn open_only_one() -> Result<TransportNativeHID, SignError> {
    let api = HidApi::new().map_err(|error| SignError::Key { reason: error.to_string() })?;
    let found: Vec<_> = TransportNativeHID::list_ledgers(&api).collect();
    let info = match found[..] {
        [] => return Err(SignError::NotConnected),
        [info] => info,
        _ => return Err(SignError::SeveralDevices(found.len())),
    };
    let path = info.path().to_string_lossy().into_owned();
    access(&path)?;
    TransportNativeHID::open_device(&api, info).map_err(|error| of_opening(&error, path))
}

fn ask(transport: &TransportNativeHID, command: Command) -> Result<Answer, SignError> {
    let (cla, ins, p1, p2) = (command.cla, command.ins, command.p1, command.p2);
    let command = APDUCommand { cla, ins, p1, p2, data: command.data().to_vec() };
    match transport.exchange(&command) {
        Ok(answer) => Ok(Answer { data: answer.data().to_vec(), status: Status(answer.retcode()) }),
        // Frames of somebody else's conversation, or of one from before.
        Err(LedgerHIDError::Comm(what)) => Err(SignError::BadAnswer { what }),
        Err(_) => Err(SignError::Disconnected),
    }
}

/// Asks the system first, because its errors are typed and those of the HID library are sentences.
#[cfg(target_os = "linux")]
fn access(path: &str) -> Result<(), SignError> {
    use std::io::ErrorKind;

    match std::fs::OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => holder(path).map_or(Ok(()), |holder| Err(SignError::HeldByOther { holder })),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(SignError::NoPermission { device: path.to_owned() })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(SignError::NotConnected),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            Err(SignError::HeldByOther { holder: "the system does not say which".to_owned() })
        }
        Err(_) => Err(SignError::Disconnected),
    }
}

#[cfg(not(target_os = "linux"))]
fn access(_path: &str) -> Result<(), SignError> {
    Ok(())
}

/// Linux lets several programs open the device, and each then reads the other's answers: whoever of this person's
/// programs has it open is named instead. Other people's programs cannot be looked into.
#[cfg(target_os = "linux")]
fn holder(path: &str) -> Option<String> {
    let wanted = std::path::Path::new(path);
    let own = std::process::id().to_string();
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let name = process.file_name();
        let name = name.to_str().filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && *name != own)?;
        let open = std::fs::read_dir(process.path().join("fd")).ok()?;
        let has_it = open.flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|target| target == wanted));
        has_it.then(|| {
            let called = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            format!("{}, process {name}", called.trim())
        })
    })
}

/// What the HID library says when a device does not open, after [`access`] has asked the system where it can.
fn of_opening(error: &LedgerHIDError, device: String) -> SignError {
    let LedgerHIDError::Hid(error) = error else { return SignError::NotConnected };
    let says = match error {
        HidError::HidApiError { message } => message.as_str(),
        HidError::IoError { error } if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return SignError::NoPermission { device };
        }
        _ => "",
    };
    // macOS says "exclusive access", Windows "in use" or "sharing violation".
    if ["exclusive", "in use", "sharing"].iter().any(|word| says.to_lowercase().contains(word)) {
        return SignError::HeldByOther { holder: "the system does not say which".to_owned() };
    }
    if says.contains("ermission") {
        return SignError::NoPermission { device };
    }
    SignError::NotConnected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_answers_late_is_not_lost() {
        let late = |answer: Option<Result<Answer, SignError>>| {
            let (to_caller, answers) = channel();
            let open = answer.is_none().then(|| to_caller.clone());
            answer.into_iter().for_each(|answer| to_caller.send(answer).expect("received"));
            (Some(answers), open)
        };
        let said = |data: Vec<u8>, status| Some(Ok(Answer { data, status: Status(status) }));
        // The person is still reading: nothing else is asked, and their answer is still waited for.
        let (mut left, _open) = late(None);
        assert_eq!(left_behind(&mut left), Err(SignError::StillAsking));
        assert!(left.is_some());
        let (mut left, _) = late(said(vec![27; 65], 0x9000));
        let Err(SignError::StrayAnswer { signature }) = left_behind(&mut left) else { panic!("a signature is lost") };
        assert_eq!(signature.0.len(), 65);
        assert!(left.is_none());
        for harmless in [said(Vec::new(), 0x6985), Some(Err(SignError::Disconnected))] {
            let (mut left, _) = late(harmless);
            assert_eq!(left_behind(&mut left), Ok(()));
            assert!(left.is_none());
        }
        assert_eq!(left_behind(&mut None), Ok(()));
    }

    fn refusal(message: &str) -> SignError {
        let error = HidError::HidApiError { message: message.to_owned() };
        of_opening(&LedgerHIDError::Hid(error), "/dev/hidraw9".to_owned())
    }

    #[test]
    fn a_refused_device_says_why() {
        assert!(matches!(refusal("hid_open_path: device is in use"), SignError::HeldByOther { .. }));
        assert!(matches!(refusal("(0xE00002C5) exclusive access"), SignError::HeldByOther { .. }));
        assert!(matches!(refusal("open: Permission denied"), SignError::NoPermission { .. }));
        assert_eq!(refusal("No such device"), SignError::NotConnected);
        assert_eq!(of_opening(&LedgerHIDError::DeviceNotFound, String::new()), SignError::NotConnected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_a_missing_device_from_a_held_one() {
        use std::process::{Command as Process, Stdio};

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hidraw0");
        let text = path.to_str().expect("a path").to_owned();
        assert_eq!(access(&text), Err(SignError::NotConnected));
        std::fs::write(&path, "").expect("a file");
        assert_eq!(access(&text), Ok(()));
        // Another program with the device open, as its standard input.
        let open = std::fs::File::open(&path).expect("opens");
        let mut other = Process::new("sleep").arg("60").stdin(Stdio::from(open)).spawn().expect("starts");
        let held = access(&text);
        other.kill().and_then(|()| other.wait()).expect("ends");
        let Err(SignError::HeldByOther { holder }) = held else { panic!("{held:?}") };
        assert!(holder.contains("sleep"), "{holder}");
        assert_eq!(access(&text), Ok(()));
    }
}
