//! The window under WebDriver: what a person does with mouse and keyboard, by the words they see.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::child::Group;
use crate::{native, programs};

/// How long a person would wait for an answer before calling somebody.
const ANSWER_SECS_MAX: u64 = 60;
/// A single request to the driver that takes longer never comes back.
const STUCK_SECS_MAX: u64 = 30;
/// Control and A, then every modifier up, in WebDriver's own letters.
const SELECT_ALL: &str = "\u{e009}a\u{e000}";
const POLL: Duration = Duration::from_millis(150);

/// A running console. Its process and its driver end when this is dropped.
pub struct Window {
    client: Client,
    pictures: PathBuf,
    _driver: Group,
}

impl Window {
    /// Opens the console with a settings file; pictures go into a folder.
    ///
    /// # Errors
    /// When a program is missing, there is no display, or the window does not open.
    pub async fn open(settings: &Path, pictures: &Path) -> Result<Self> {
        let console = programs::console()?;
        ensure!(
            std::env::var_os("DISPLAY").is_some(),
            "there is no X display: run the tests with ./dev test, or under xvfb-run -a -s \"-screen 0 1440x900x24\""
        );
        std::fs::create_dir_all(pictures)?;
        let port = free_port()?;
        let mut command = Command::new("WebKitWebDriver");
        command.arg(format!("--port={port}")).arg("--host=127.0.0.1").stdin(Stdio::null());
        // The console inherits these and lets itself be driven.
        command.env("TAURI_AUTOMATION", "true").env("TAURI_WEBVIEW_AUTOMATION", "true");
        let driver =
            Group::start(command, Signal::SIGTERM).context("WebKitWebDriver is missing: run ./dev setup test")?;
        let options = json!({
            "webkitgtk:browserOptions": { "binary": console, "args": ["--settings", settings] }
        });
        let client = connect(&format!("http://127.0.0.1:{port}"), options).await?;
        let window = Self { client, pictures: pictures.to_owned(), _driver: driver };
        window.see("//h1").await?;
        let listen = "window.violations = []; document.addEventListener('securitypolicyviolation', (event) => \
                      window.violations.push(event.violatedDirective + ' ' + event.blockedURI));";
        window.client.execute(listen, Vec::new()).await?;
        Ok(window)
    }

    /// What the content security policy has refused since the window opened.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn violations(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.client.execute("return window.violations", Vec::new()).await?)?)
    }

    /// Runs a script in the page and answers its value.
    ///
    /// # Errors
    /// When the script throws.
    pub async fn evaluate(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Waits for an element and answers its text.
    ///
    /// # Errors
    /// When it does not show in time.
    pub async fn see(&self, xpath: &str) -> Result<String> {
        self.see_within(xpath, ANSWER_SECS_MAX).await
    }

    /// The same with a patience of its own, in seconds.
    ///
    /// # Errors
    /// When it does not show in time.
    pub async fn see_within(&self, xpath: &str, secs_max: u64) -> Result<String> {
        self.until(xpath, secs_max, async |element| element.text().await).await
    }

    /// How many elements there are now.
    ///
    /// # Errors
    /// When the window is gone.
    pub async fn count(&self, xpath: &str) -> Result<usize> {
        // Counted in the page: elements on their way to the driver may be gone when they arrive.
        let script = "return document.evaluate('count(' + arguments[0] + ')', document, null, 1, null).numberValue";
        let counted = self.client.execute(script, vec![xpath.into()]).await?;
        counted.to_string().trim_end_matches(".0").parse().with_context(|| format!("{counted} elements"))
    }

    /// Clicks an element as soon as it can be clicked.
    ///
    /// # Errors
    /// When it cannot in time.
    pub async fn click(&self, xpath: &str) -> Result<()> {
        self.until(xpath, ANSWER_SECS_MAX, async |element| element.click().await).await
    }

    /// Clicks a button that is not off, or a link, by its words.
    ///
    /// # Errors
    /// When it cannot in time.
    pub async fn press(&self, words: &str) -> Result<()> {
        let words = quoted(words);
        self.click(&format!(
            "//*[(self::button and not(@aria-disabled='true')) or self::a][normalize-space(.)={words}]"
        ))
        .await
    }

    /// Waits for words anywhere on the page.
    ///
    /// # Errors
    /// When they do not show in time.
    pub async fn read(&self, words: &str) -> Result<String> {
        self.see(&format!("//*[text()[contains(normalize-space(.), {})]]", quoted(words))).await
    }

    /// Replaces what is in the field with this label.
    ///
    /// # Errors
    /// When there is no such field in time.
    pub async fn fill(&self, label: &str, text: &str) -> Result<()> {
        let field = format!("//label[normalize-space(.)={}]/following::input[1]", quoted(label));
        self.until(&field, ANSWER_SECS_MAX, async |element| {
            // Clearing by the driver goes past the page's own state; a person selects all and types.
            element.send_keys(SELECT_ALL).await?;
            element.send_keys(text).await
        })
        .await
    }

    /// A picture of the display under a name, once what has just changed is drawn.
    ///
    /// # Errors
    /// When it cannot be taken or written.
    pub async fn picture(&self, name: &str) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(400)).await;
        native::picture(&self.picture_path(name))
    }

    fn picture_path(&self, name: &str) -> PathBuf {
        self.pictures.join(format!("{name}.png"))
    }

    /// Closes the window in order.
    ///
    /// # Errors
    /// When the driver does not answer.
    pub async fn close(self) -> Result<()> {
        Ok(self.client.clone().close().await?)
    }

    /// Finds and acts, again and again: between the two the page may draw itself anew.
    async fn until<T>(
        &self,
        xpath: &str,
        secs_max: u64,
        act: impl AsyncFn(Element) -> Result<T, fantoccini::error::CmdError>,
    ) -> Result<T> {
        let until = Instant::now() + Duration::from_secs(secs_max);
        loop {
            let attempt = async {
                match self.client.find(Locator::XPath(xpath)).await {
                    Ok(element) => act(element).await,
                    Err(missing) => Err(missing),
                }
            };
            let done = tokio::time::timeout(Duration::from_secs(STUCK_SECS_MAX), attempt).await;
            match done.with_context(|| format!("the window or its driver is stuck at {xpath}"))? {
                Ok(value) => return Ok(value),
                Err(error) if Instant::now() >= until => {
                    let text =
                        self.client.execute("return document.body.innerText", Vec::new()).await.unwrap_or_default();
                    bail!("{xpath} within {secs_max} s: {error}\npage:\n{}", text.as_str().unwrap_or_default());
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }
}

/// Words as an XPath string.
fn quoted(words: &str) -> String {
    if words.contains('\'') { format!("\"{words}\"") } else { format!("'{words}'") }
}

async fn connect(driver: &str, options: Value) -> Result<Client> {
    let capabilities: Capabilities = serde_json::from_value(options)?;
    let address = driver.trim_start_matches("http://").to_owned();
    let until = Instant::now() + Duration::from_secs(10);
    while tokio::net::TcpStream::connect(&address).await.is_err() {
        ensure!(Instant::now() < until, "WebKitWebDriver does not listen on {address}");
        tokio::time::sleep(POLL).await;
    }
    let connected = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(driver).await;
    connected.context("the window did not open; what it says on standard error is above")
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
