//! The whole job in the real window: a payout file is imported, countersigned, paid, reconciled and booked.

mod journal;

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use countersign_desktop::native::Dialog;
use countersign_desktop::{Window, World};

const PAYOUT_FILE: &str = "cow-solver-payouts-2023-02-14.csv";
const LINES: usize = 37;
const TITLE: &str = "Solver rewards of the week";
const PERIOD: &str = "2023-02-07 to 2023-02-14";
/// A leg of a chain that makes a block each second, with its confirmations and the machines' own steps.
const PAID_SECS_MAX: u64 = 180;

/// The keyboard of a display has one focus: tests that open windows take turns, also across processes.
fn display() -> Result<File> {
    let name = std::env::var("DISPLAY").unwrap_or_default().replace(|letter: char| !letter.is_alphanumeric(), "-");
    let turn = File::create(std::env::temp_dir().join(format!("countersign-display{name}.lock")))?;
    turn.lock()?;
    Ok(turn)
}

/// A folder of this test that the database's user can reach when the tests run as root.
fn folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("countersign-window-").tempdir_in("/tmp")?)
}

/// Pictures stay where `COUNTERSIGN_PICTURES` says, or in the temporary folder of the system.
fn pictures() -> PathBuf {
    let named = std::env::var_os("COUNTERSIGN_PICTURES").map(PathBuf::from);
    named.unwrap_or_else(|| std::env::temp_dir().join("countersign-pictures"))
}

#[tokio::test]
async fn an_unreachable_database_is_one_clear_sentence() -> Result<()> {
    let _turn = display()?;
    let dir = folder()?;
    let settings = dir.path().join("console.toml");
    let text = "database_url = \"postgres://127.0.0.1:1/nowhere\"\n\n[[profiles]]\nid = \"ines\"\nperson = \"Ines Moreau\"\n\
                login = \"ines\"\nduty = \"Processor\"\ndemo_password = \"made up\"\n";
    std::fs::write(&settings, text)?;
    // The window refuses settings that other users can read.
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o600))?;
    let window = Window::open(&settings, &pictures()).await?;
    window.read("nowhere on 127.0.0.1").await?;
    window.click("//button[contains(., 'Ines Moreau')]").await?;
    let sentence = window.read("cannot be reached").await?;
    ensure!(sentence.contains("check the host, the port and that the server runs"), "{sentence}");
    window.picture("unreachable").await?;
    is_dressed(&window).await?;
    window.close().await
}

/// Styles and fonts came through the policy, which refused nothing.
async fn is_dressed(window: &Window) -> Result<()> {
    let loaded = "return [...document.fonts].filter((font) => font.status === 'loaded').map((font) => font.family)";
    let fonts = window.evaluate(loaded).await?.to_string();
    ensure!(fonts.contains("IBM Plex Sans") && fonts.contains("IBM Plex Mono"), "fonts: {fonts}");
    let network = "return fetch('https://example.org/').then(() => 'reached', () => 'refused')";
    ensure!(window.violations().await?.is_empty(), "the policy refused {:?}", window.violations().await?);
    // The refusal beside the success: the same policy keeps the page off the network.
    ensure!(window.evaluate(network).await? == "refused", "the page reached the network");
    let refused = window.violations().await?;
    ensure!(refused.iter().any(|one| one.starts_with("connect-src https://example.org")), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn the_whole_job() -> Result<()> {
    let _turn = display()?;
    let dir = folder()?;
    let world = World::start(dir.path())?;
    let window = Window::open(world.settings(), &pictures()).await?;
    let done = job(&window, dir.path()).await;
    if done.is_err() {
        // The error stands without the picture.
        let _ = window.picture("failed").await;
    }
    done?;
    window.close().await
}

async fn job(window: &Window, dir: &Path) -> Result<()> {
    let passphrase = window.see("//*[@aria-label='Passphrase of the demo']").await?;
    window.picture("01-login").await?;

    import(window, dir).await?;
    submit(window).await?;

    log_in(window, "Tomas Wieczorek").await?;
    open_batch(window).await?;
    approve(window, "06-approve").await?;
    log_in(window, "Adaeze Obi").await?;
    open_batch(window).await?;
    approve(window, "07-approved").await?;
    sign(window, &passphrase, true).await?;
    log_in(window, "Tomas Wieczorek").await?;
    open_batch(window).await?;
    sign(window, &passphrase, false).await?;

    log_in(window, "Ines Moreau").await?;
    open_batch(window).await?;
    send(window).await?;
    reconcile(window).await?;

    log_in(window, "Noor Haddad").await?;
    let file = export(window, dir).await?;
    journal::check(&file, LINES)?;
    let refused = window.violations().await?;
    ensure!(refused.is_empty(), "the policy refused {refused:?}");
    Ok(())
}

/// Switches to a person, from wherever the window is.
async fn log_in(window: &Window, person: &str) -> Result<()> {
    if window.count("//h1[normalize-space(.)='Who is working?']").await? == 0 {
        window.click("//a[@title='Switch person']").await?;
    }
    window.click(&format!("//ul[@aria-label='People on this machine']//button[contains(., '{person}')]")).await?;
    window.see(&format!("//nav[@aria-label='Main']//*[normalize-space(.)='{person}']")).await?;
    Ok(())
}

async fn go_to(window: &Window, place: &str) -> Result<()> {
    window.click(&format!("//nav[@aria-label='Main']//a[@title='{place}']")).await?;
    window.see(&format!("//h1[normalize-space(.)='{place}']")).await?;
    Ok(())
}

async fn open_batch(window: &Window) -> Result<()> {
    go_to(window, "Batches").await?;
    window.press(TITLE).await?;
    window.see(&format!("//h1[normalize-space(.)='{TITLE}']")).await?;
    Ok(())
}

/// The file dialog of the system names the file; its lines are shown before anything is made of them.
async fn import(window: &Window, dir: &Path) -> Result<()> {
    log_in(window, "Ines Moreau").await?;
    window.picture("02-home").await?;
    go_to(window, "Batches").await?;
    window.press("From a file…").await?;
    window.press("Choose a file…").await?;
    let dialog = Dialog::find("Choose a payout file")?;
    dialog.press(&["Escape"])?;
    window.read("You closed the file dialog; nothing was read.").await?;
    window.press("Choose a file…").await?;
    let dialog = Dialog::find("Choose a payout file")?;
    window.picture("03-file-dialog").await?;
    dialog.open_file(&dir.join("files").join(PAYOUT_FILE))?;
    window.see(&format!("//button[normalize-space(.)='Make a batch of {LINES} lines']")).await?;
    window.click("//label[normalize-space(.)='Safe that pays']/following::button[1] | //*[normalize-space(.)='Safe that pays'][self::span]/following::button[1]").await?;
    window.click("//*[@role='option'][1]").await?;
    window.fill("Title", TITLE).await?;
    window.fill("Period", PERIOD).await?;
    window.picture("04-import").await?;
    window.press(&format!("Make a batch of {LINES} lines")).await?;
    window.see(&format!("//h1[normalize-space(.)='{TITLE}']")).await?;
    window.see(&format!("//main//header//span[contains(., '{PAYOUT_FILE}, {PERIOD}')]")).await?;
    Ok(())
}

async fn submit(window: &Window) -> Result<()> {
    window.press("Submit…").await?;
    window.press("Submit for approval").await?;
    window.see("//header//*[normalize-space(.)='Pending approval']").await?;
    // The preparer sees the button of others, off, with its reason.
    window.see("//button[@aria-disabled='true'][normalize-space(.)='Approve batch…']").await?;
    window.picture("05-submitted").await
}

async fn approve(window: &Window, name: &str) -> Result<()> {
    window.press("Approve batch…").await?;
    window.see("//*[@role='dialog']").await?;
    window.press(&format!("Approve {LINES} payments")).await?;
    // No page approves by itself: the system asks, too.
    Dialog::find("Approve batch")?.take_act()?;
    window
        .see("//header//*[starts-with(normalize-space(.), 'Approved') or normalize-space(.)='Pending approval']")
        .await?;
    while window.count("//*[@role='dialog']").await? > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    window.picture(name).await
}

/// Countersigns every leg. The system asks in a dialog that the page cannot answer; Enter alone keeps.
async fn sign(window: &Window, passphrase: &str, keeps_first: bool) -> Result<()> {
    window.click("//header//button[not(@aria-disabled='true')][starts-with(normalize-space(.), 'Sign leg ')]").await?;
    let mut keeps = keeps_first;
    loop {
        let heading = window.see("//h1[starts-with(normalize-space(.), 'Countersign leg ')]").await?;
        let leg = heading.split_whitespace().nth(2).context("a leg in the heading")?.to_owned();
        window.see("//*[starts-with(normalize-space(.), 'Domain hash')]").await?;
        if keeps {
            keeps = false;
            let dialog = ask_for_signature(window, &leg, passphrase).await?;
            window.picture("08-native-confirmation").await?;
            dialog.take_default()?;
            window.read("You cancelled. Nothing was signed.").await?;
            window.press("Ask again").await?;
        }
        ask_for_signature(window, &leg, passphrase).await?.take_act()?;
        window.see("//h2[starts-with(normalize-space(.), 'Your signature is stored')]").await?;
        window.picture(&format!("09-signed-leg-{leg}")).await?;
        if window.count("//main//a[starts-with(normalize-space(.), 'Sign leg ')]").await? == 0 {
            return window.press("Back to the batch").await;
        }
        window.click("//main//a[starts-with(normalize-space(.), 'Sign leg ')]").await?;
        window.see("//label[normalize-space(.)='Passphrase of your key']").await?;
    }
}

async fn ask_for_signature(window: &Window, leg: &str, passphrase: &str) -> Result<Dialog> {
    window.fill("Passphrase of your key", passphrase).await?;
    window.press(&format!("Countersign leg {leg}")).await?;
    Dialog::find(&format!("Countersign leg {leg} of batch"))
}

async fn send(window: &Window) -> Result<()> {
    window.press(&format!("Send {LINES} payments…")).await?;
    window.see("//*[@role='alertdialog']").await?;
    window.press(&format!("Send {LINES} payments")).await?;
    let dialog = Dialog::find(&format!("Send {LINES} payments"))?;
    window.picture("10-native-send").await?;
    dialog.take_act()?;
    window.see("//header//*[normalize-space(.)='Executing' or normalize-space(.)='Executed']").await?;
    window.picture("11-executing").await?;
    window.see_within("//header//*[normalize-space(.)='Executed']", PAID_SECS_MAX).await?;
    let settled = window.count("//*[@role='grid']//*[text()[normalize-space(.)='Settled']]").await?;
    window.picture("12-executed").await?;
    ensure!(settled == LINES, "{settled} of {LINES} lines are settled");
    Ok(())
}

async fn reconcile(window: &Window) -> Result<()> {
    go_to(window, "Reconciliation").await?;
    window.press("Run reconciliation").await?;
    window.read("Everything agrees").await?;
    window.see("//main//*[normalize-space(.)='100.00 %']").await?;
    window.read(&format!("{LINES} of {LINES} lines agree")).await?;
    window.picture("13-reconciled").await
}

async fn export(window: &Window, dir: &Path) -> Result<PathBuf> {
    go_to(window, "Exports").await?;
    window.read("Debits equal credits").await?;
    window.press("Export journal…").await?;
    let path = dir.join("files").join("journal.csv");
    let dialog = Dialog::find("Save the file")?;
    window.picture("14-save-dialog").await?;
    dialog.save_file(&path)?;
    let written = window.see("//*[@role='status']//*[contains(normalize-space(.), 'written')]").await?;
    window.picture("15-exported").await?;
    ensure!(path.is_file(), "the window says \"{written}\" and {} is not there", path.display());
    Ok(path)
}
