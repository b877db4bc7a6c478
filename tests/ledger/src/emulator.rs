//! The recorded exchanges against a real Ethereum app: in the Speculos emulator with the test seed, whose buttons are
//! pressed over its HTTP interface, or by hand.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::recorded::{Exchange, Flow, flows};
use crate::review::{Press, Screen};

/// How long a page may take to appear.
const PAGE: Duration = Duration::from_secs(10);
/// Longer than a person reads a page by hand.
const ANSWER: Duration = Duration::from_secs(300);

/// Who presses the buttons.
pub enum Buttons {
    /// The emulator's HTTP interface, HOST:PORT.
    Http(String),
    /// A person or a script of the device's own; each page is printed here first.
    Hand,
}

/// What was compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Flows that were answered and shown as recorded.
    pub same: Vec<&'static str>,
    /// Flows that differ, with the first difference.
    pub different: Vec<(&'static str, String)>,
    /// Flows that need other settings than the device has.
    pub other_settings: Vec<&'static str>,
}

/// Sends every recorded command that the device's settings allow, and compares answers and pages.
///
/// # Errors
/// The device cannot be reached, or does not say which settings it has.
pub fn replay(device: &str, buttons: &Buttons) -> Result<Report, String> {
    let mut stream = TcpStream::connect(device).map_err(|error| format!("{device}: {error}"))?;
    stream.set_read_timeout(Some(ANSWER)).map_err(|error| error.to_string())?;
    let (config, status) = exchange(&mut stream, &[0xe0, 0x06, 0, 0, 0])?;
    let (Some(flags), 0x9000) = (config.first(), status) else {
        return Err(format!("{device} does not say its settings ({status:04x}): open the Ethereum app"));
    };
    let blind_signing = flags & 1 != 0;
    let mut report = Report::default();
    for flow in flows() {
        let settings = flow.settings();
        let fits = settings.blind_signing == blind_signing && !settings.raw_messages && !settings.transaction_hash;
        if !fits && !flow.is_indifferent() {
            report.other_settings.push(&flow.name);
            continue;
        }
        match compare(&mut stream, flow, buttons) {
            Ok(()) => report.same.push(&flow.name),
            Err(difference) => report.different.push((&flow.name, difference)),
        }
    }
    Ok(report)
}

fn compare(stream: &mut TcpStream, flow: &Flow, buttons: &Buttons) -> Result<(), String> {
    for (number, Exchange { apdu, data, status, screens }) in flow.exchanges().into_iter().enumerate() {
        send(stream, &apdu)?;
        for screen in screens.iter().filter(|screen| screen.press.is_some()) {
            buttons.press(screen)?;
        }
        let (found, found_status) = receive(stream)?;
        if (&found, found_status) != (&data, status) {
            return Err(format!(
                "command {number} was answered with {} {found_status:04x} and not with {} {status:04x}",
                hex::encode(&found),
                hex::encode(&data),
            ));
        }
    }
    Ok(())
}

fn exchange(stream: &mut TcpStream, apdu: &[u8]) -> Result<(Vec<u8>, u16), String> {
    send(stream, apdu)?;
    receive(stream)
}

fn send(stream: &mut TcpStream, apdu: &[u8]) -> Result<(), String> {
    let len = u32::try_from(apdu.len()).map_err(|error| error.to_string())?.to_be_bytes();
    stream.write_all(&[&len, apdu].concat()).map_err(|error| error.to_string())
}

fn receive(stream: &mut TcpStream) -> Result<(Vec<u8>, u16), String> {
    let mut read = |len: usize| {
        let mut bytes = vec![0; len];
        stream.read_exact(&mut bytes).map(|()| bytes).map_err(|error| error.to_string())
    };
    let len = read(4)?.iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
    let data = read(len.min(4096))?;
    let status = read(2)?;
    Ok((data, u16::from_be_bytes([status[0], status[1]])))
}

impl Buttons {
    /// Waits for the page and presses what was pressed there.
    fn press(&self, screen: &Screen) -> Result<(), String> {
        let name = if screen.press == Some(Press::Both) { "both" } else { "right" };
        let Self::Http(api) = self else {
            println!("{}\n    press {name}", screen.lines.join("\n"));
            return Ok(());
        };
        let until = Instant::now() + PAGE;
        loop {
            let shown = page(&http(api, "GET", "/events?currentscreenonly=true", "")?);
            if shown == screen.lines {
                break;
            }
            if Instant::now() > until {
                return Err(format!("the device shows {shown:?} and not {:?}", screen.lines));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        http(api, "POST", &format!("/button/{name}"), r#"{"action":"press-and-release"}"#).map(drop)
    }
}

/// The lines on the emulator's screen.
fn page(body: &str) -> Vec<String> {
    let events: Value = serde_json::from_str(body).unwrap_or_default();
    let texts = events["events"].as_array().into_iter().flatten();
    texts.filter_map(|event| Some(event["text"].as_str()?.to_owned())).collect()
}

fn http(api: &str, method: &str, path: &str, body: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(api)?;
        stream.set_read_timeout(Some(PAGE))?;
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {api}\r\nContent-Type: application/json\r\n");
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| format!("{api}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{api} does not speak HTTP"))?;
    if head.split(' ').nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(format!("{api}{path}: {head}")) }
}
