//! The device on its port: one person, one screen, and whoever is connected last gets the answers.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use alloy::primitives::B256;
use signing::ledger::DeviceAddress;

use crate::app::{App, Reply, Settings};
use crate::review::{Press, Review, Screen};

/// Looks at a page and presses a button. May take as long as a person does.
pub type Person = Box<dyn FnMut(&[String]) -> Press + Send>;

/// How the pages begin on which a person agrees for good.
const LAST: [&str; 4] = ["Sign message", "Confirm", "Sign transaction", "Accept risk and"];

/// Agrees to everything.
pub fn approve() -> Person {
    refuse_at(|_| false)
}

/// Refuses on the last page.
pub fn refuse_last() -> Person {
    refuse_at(|page| LAST.contains(&page[0].as_str()))
}

/// Refuses on the first page that `here` is true for, which has to be one with a choice.
pub fn refuse_at(mut here: impl FnMut(&[String]) -> bool + Send + 'static) -> Person {
    let mut refusing = false;
    Box::new(move |page| {
        let choice = page[0] == "Blind signing ahead" || LAST.contains(&page[0].as_str());
        if refusing {
            refusing = false;
            return Press::Both;
        }
        if here(page) {
            refusing = true;
            return Press::Right;
        }
        if choice { Press::Both } else { Press::Right }
    })
}

/// What goes wrong, besides what a person does.
#[derive(Debug, Clone, Default)]
struct Trouble {
    locked: bool,
    app_closed: bool,
    /// Cut the connection when this instruction comes.
    cut_at: Option<u8>,
    /// Send these bytes, frame included, as the next answer to this instruction.
    garbage: VecDeque<(u8, Vec<u8>)>,
}

#[derive(Default)]
struct Shared {
    client: Mutex<Client>,
    changed: Condvar,
    trouble: Mutex<Trouble>,
    screens: Mutex<Vec<Screen>>,
    received: Mutex<Vec<Vec<u8>>>,
}

/// Whose connection it is: the newest one's.
#[derive(Default)]
struct Client {
    stream: Option<TcpStream>,
    number: u64,
}

enum Order {
    Command(u64, Vec<u8>),
    Settings(Settings),
    Person(Person),
    SignInstead(Option<B256>),
}

/// A device that listens on a port of this machine. It is switched off when this is dropped.
pub struct Device {
    address: SocketAddr,
    orders: Sender<Order>,
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// Switches one on.
    pub fn start(settings: Settings, person: Person) -> Self {
        Self::start_at("127.0.0.1:0", settings, person)
    }

    /// Switches one on at an address of this machine.
    pub fn start_at(at: &str, settings: Settings, person: Person) -> Self {
        let listener = TcpListener::bind(at).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let (orders, received) = channel();
        let (for_app, for_port, to_app) = (Arc::clone(&shared), Arc::clone(&shared), orders.clone());
        thread::spawn(move || run(&mut App::new(settings), person, &received, &for_app));
        thread::spawn(move || accept(&listener, &to_app, &for_port));
        Self { address, orders, shared }
    }

    /// Where a client finds it.
    pub fn address(&self) -> DeviceAddress {
        DeviceAddress::Tcp { host: self.address.ip().to_string(), port: self.address.port() }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).expect("the device runs");
    }

    /// Changes the app's settings.
    pub fn set(&self, settings: Settings) {
        self.order(Order::Settings(settings));
    }

    /// Somebody else holds the device.
    pub fn person(&self, person: Person) {
        self.order(Order::Person(person));
    }

    /// Shows what it is asked and signs this hash: a payload swapped between screen and device.
    pub fn sign_instead(&self, hash: Option<B256>) {
        self.order(Order::SignInstead(hash));
    }

    /// Locks or unlocks the device.
    pub fn locked(&self, locked: bool) {
        lock(&self.shared.trouble).locked = locked;
    }

    /// Closes or opens the app.
    pub fn app_closed(&self, closed: bool) {
        lock(&self.shared.trouble).app_closed = closed;
    }

    /// The cable goes when this instruction comes the next time.
    pub fn cut_at(&self, ins: u8) {
        lock(&self.shared.trouble).cut_at = Some(ins);
    }

    /// The next answer to this instruction is these bytes, frame included.
    pub fn garbage(&self, ins: u8, bytes: &[u8]) {
        lock(&self.shared.trouble).garbage.push_back((ins, bytes.to_vec()));
    }

    /// The cable goes now.
    pub fn unplug(&self) {
        if let Some(stream) = lock(&self.shared.client).stream.take() {
            // Gone already is gone as well.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Every page that was shown until now, with what was pressed. Forgets them.
    pub fn screens(&self) -> Vec<Screen> {
        std::mem::take(&mut *lock(&self.shared.screens))
    }

    /// Every command that came until now. Forgets them.
    pub fn received(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *lock(&self.shared.received))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.unplug();
    }
}

fn accept(listener: &TcpListener, orders: &Sender<Order>, shared: &Arc<Shared>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let Ok(reader) = stream.try_clone() else { return };
        let number = {
            let mut client = lock(&shared.client);
            *client = Client { stream: Some(stream), number: client.number + 1 };
            shared.changed.notify_all();
            client.number
        };
        let (orders, shared) = (orders.clone(), Arc::clone(shared));
        thread::spawn(move || {
            read(reader, number, &orders);
            let mut client = lock(&shared.client);
            if client.number == number {
                client.stream = None;
            }
        });
    }
}

fn read(mut stream: TcpStream, number: u64, orders: &Sender<Order>) {
    let mut len = [0; 4];
    while stream.read_exact(&mut len).is_ok() {
        let mut apdu = vec![0; usize::try_from(u32::from_be_bytes(len)).unwrap_or(0).min(1024)];
        if stream.read_exact(&mut apdu).is_err() || orders.send(Order::Command(number, apdu)).is_err() {
            return;
        }
    }
}

/// The device itself: one thing at a time. A review goes on when its client is gone.
fn run(app: &mut App, mut person: Person, orders: &Receiver<Order>, shared: &Shared) {
    while let Ok(order) = orders.recv() {
        let (number, apdu) = match order {
            Order::Settings(settings) => {
                app.set(settings);
                continue;
            }
            Order::Person(other) => {
                person = other;
                continue;
            }
            Order::SignInstead(hash) => {
                app.sign_instead(hash);
                continue;
            }
            Order::Command(number, apdu) => (number, apdu),
        };
        lock(&shared.received).push(apdu.clone());
        let ins = apdu.get(1).copied().unwrap_or_default();
        let (cut, garbage) = {
            let mut trouble = lock(&shared.trouble);
            let cut = trouble.cut_at.take_if(|at| *at == ins).is_some();
            let garbage =
                trouble.garbage.iter().position(|(at, _)| *at == ins).and_then(|at| trouble.garbage.remove(at));
            (cut, garbage)
        };
        if cut && let Some(stream) = lock(&shared.client).stream.take() {
            drop(stream.shutdown(Shutdown::Both));
        }
        if let Some((_, bytes)) = garbage {
            send(shared, number, &bytes, false);
            continue;
        }
        let (data, status, is_late) = reply(app, &mut person, shared, &apdu);
        let len = u32::try_from(data.len()).unwrap_or_default();
        send(shared, number, &[&len.to_be_bytes(), &data[..], &status.to_be_bytes()].concat(), is_late);
    }
}

fn reply(app: &mut App, person: &mut Person, shared: &Shared, apdu: &[u8]) -> (Vec<u8>, u16, bool) {
    let Trouble { locked, app_closed, .. } = lock(&shared.trouble).clone();
    if locked {
        return (Vec::new(), 0x5515, false);
    }
    if app_closed {
        // The dashboard names itself and knows nothing of the app's class.
        return match apdu {
            [0xb0, 0x01, ..] => ([&[1, 5], &b"BOLOS"[..], &[5], b"1.4.0", &[1, 0]].concat(), 0x9000, false),
            _ => (Vec::new(), 0x6e01, false),
        };
    }
    let show = |lines: &[String], press| lock(&shared.screens).push(Screen { lines: lines.to_vec(), press });
    match app.handle(apdu) {
        Reply::Answer(data, status) => (data, status, false),
        Reply::Say(lines, status) => {
            show(&lines, None);
            (Vec::new(), status, false)
        }
        Reply::Ask(mut review) => {
            let agreed = ask(&mut review, person, show);
            if agreed { (review.answer().to_vec(), 0x9000, true) } else { (Vec::new(), 0x6985, true) }
        }
    }
}

fn ask(review: &mut Review, person: &mut Person, show: impl Fn(&[String], Option<Press>)) -> bool {
    while let Some(page) = review.page() {
        let page = page.to_vec();
        let press = person(&page);
        show(&page, Some(press));
        review.press(press);
    }
    for page in review.outcome() {
        show(&page, None);
    }
    review.ended() == Some(true)
}

/// To the client that asked; what a person answered goes to whoever is connected now, or next.
fn send(shared: &Shared, number: u64, bytes: &[u8], is_late: bool) {
    let mut client = lock(&shared.client);
    while is_late && client.stream.is_none() {
        client = shared.changed.wait(client).unwrap_or_else(PoisonError::into_inner);
    }
    if (client.number == number || is_late)
        && let Some(stream) = client.stream.as_mut()
    {
        // A client that is gone reads nothing.
        drop(stream.write_all(bytes));
    }
}
