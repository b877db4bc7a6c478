//! The person's Ledger: what it is doing, which one is theirs, and what it will show.

use contract::{
    DeviceChoose, DeviceFlow, DeviceModel, DevicePage, DeviceReview, DeviceShows, DeviceState, DeviceValue, DeviceView,
};
use signing::SignError;
use signing::ledger::pages::{Expected, Model, Press, Settings, expected};
use signing::ledger::{DerivationPath, EthereumApp, Flow, Show};

use crate::foreign::{Foreign, keep, place};
use crate::rebuild::SignableLeg;
use crate::session::blocking;
use crate::settings::LedgerSettings;
use crate::{AppError, Session};

/// The person's device now. Asks it, and shows nothing on it.
///
/// # Errors
/// None of the device's: what keeps it from signing is a state with its own advice.
pub async fn get(session: &Session) -> Result<DeviceView, AppError> {
    let Some(ledger) = session.ledger() else {
        let state = DeviceState::NotChosen;
        let advice = "No Ledger is chosen on this machine: connect yours and choose it".to_owned();
        return Ok(view(&LedgerSettings::default(), state, advice));
    };
    let asked = ledger.clone();
    let turn = session.device_turn().await;
    let found = blocking(move || {
        let mut app = EthereumApp::open(&asked.device)?;
        let address = app.address(&asked.path, Show::Silent)?;
        Ok::<_, SignError>((app.info().version.clone(), app.config().blind_signing, address))
    })
    .await?;
    drop(turn);
    Ok(match found {
        Err(error) => {
            let state = state(&error);
            view(&ledger, state, refusal(session, error).to_string())
        }
        Ok((version, blind_signing, address)) => {
            let (state, advice) = if session.me.safe_owner != Some(address) {
                (
                    DeviceState::OtherKey,
                    "This device holds another key at this path: use the device, passphrase and path of your owner key"
                        .to_owned(),
                )
            } else if !blind_signing && !ledger.raw_messages {
                (
                    DeviceState::BlindSigningOff,
                    "Switch blind signing on in the settings of the device's Ethereum app".to_owned(),
                )
            } else {
                (DeviceState::Ready, format!("Ethereum app {version} is open"))
            };
            let address = Some(address.to_checksum(None));
            DeviceView { app_version: Some(version), address, ..view(&ledger, state, advice) }
        }
    })
}

/// Has the owner's address compared on the device's own screen, and keeps the choice on this machine.
///
/// # Errors
/// [`AppError::Conflict`] when another key is at the path, [`AppError::Cancelled`] when the person refused on the device,
/// and whatever keeps it from answering.
pub async fn choose(session: &Session, request: DeviceChoose) -> Result<DeviceView, AppError> {
    let path: DerivationPath = request
        .path
        .parse()
        .map_err(|error: signing::ledger::PathError| AppError::Invalid(capital(&error.to_string())))?;
    let owner = session.me.safe_owner.ok_or_else(|| {
        AppError::Conflict("You are not registered with an owner key: two people register it first".into())
    })?;
    let ledger = LedgerSettings {
        device: session.ledger().unwrap_or_default().device,
        path,
        model: request.model.map(model),
        raw_messages: request.raw_messages,
        transaction_hash: request.transaction_hash,
    };
    let asked = ledger.clone();
    let turn = session.device_turn().await;
    let stop = session.device_stop.clone();
    stop.reset();
    let confirmed = blocking(move || {
        let mut app = EthereumApp::open_until(&asked.device, &stop)?;
        let found = app.address(&asked.path, Show::Silent)?;
        if found != owner {
            return Err(SignError::OtherKey { path: asked.path.to_string(), expected: owner, found });
        }
        // What the device answers could be said by anything in between; what it shows could not.
        app.address(&asked.path, Show::OnDevice)
    })
    .await?;
    drop(turn);
    confirmed.map_err(|error| refusal(session, error))?;
    session.choose_ledger(ledger).await?;
    get(session).await
}

/// A signature that came unasked is kept before anything is said.
pub(crate) fn refusal(session: &Session, error: SignError) -> AppError {
    match &error {
        SignError::StrayAnswer { signature } => {
            let expected = session.me.safe_owner;
            let foreign = Foreign { expected, asked: None, signed_by: None, signature: signature.clone() };
            AppError::Incident(format!("{}. {}", AppError::from(error), place(keep(session, &foreign))))
        }
        _ => error.into(),
    }
}

/// What the person's Ledger will show for a leg; nothing where none was chosen.
pub(crate) fn shows(session: &Session, own: &SignableLeg) -> Option<DeviceReview> {
    let ledger = session.ledger()?;
    let told = |flow| {
        // The setting that the flow needs is taken to be on: the device refuses otherwise, and says so.
        let settings = Settings {
            blind_signing: true,
            raw_messages: ledger.raw_messages,
            transaction_hash: ledger.transaction_hash,
        };
        shown(expected(ledger.model, settings, flow, &own.domain, &own.tx))
    };
    Some(DeviceReview { model: ledger.model.map(model_view), hashed: told(Flow::Hashed), full: told(Flow::Full) })
}

fn shown(Expected { pages, compare, note }: Expected) -> DeviceShows {
    let page = |page: signing::ledger::pages::Page| DevicePage { lines: page.lines, both: page.press == Press::Both };
    DeviceShows {
        pages: pages.map(|pages| pages.into_iter().map(page).collect()),
        compare: compare.into_iter().map(|c| DeviceValue { label: c.label, value: c.value }).collect(),
        note,
    }
}

pub(crate) fn flow(flow: DeviceFlow) -> Flow {
    match flow {
        DeviceFlow::Hashed => Flow::Hashed,
        DeviceFlow::Full => Flow::Full,
    }
}

fn model(model: DeviceModel) -> Model {
    match model {
        DeviceModel::NanoS => Model::NanoS,
        DeviceModel::NanoSPlus => Model::NanoSPlus,
        DeviceModel::NanoX => Model::NanoX,
        DeviceModel::Stax => Model::Stax,
        DeviceModel::Flex => Model::Flex,
    }
}

fn model_view(model: Model) -> DeviceModel {
    match model {
        Model::NanoS => DeviceModel::NanoS,
        Model::NanoSPlus => DeviceModel::NanoSPlus,
        Model::NanoX => DeviceModel::NanoX,
        Model::Stax => DeviceModel::Stax,
        Model::Flex => DeviceModel::Flex,
    }
}

fn view(ledger: &LedgerSettings, state: DeviceState, advice: String) -> DeviceView {
    DeviceView {
        state,
        advice,
        path: ledger.path.to_string(),
        model: ledger.model.map(model_view),
        raw_messages: ledger.raw_messages,
        transaction_hash: ledger.transaction_hash,
        app_version: None,
        address: None,
    }
}

fn state(error: &SignError) -> DeviceState {
    match error {
        SignError::NotConnected
        | SignError::Disconnected
        | SignError::Unreachable { .. }
        | SignError::SeveralDevices(_) => DeviceState::NotConnected,
        SignError::Locked => DeviceState::Locked,
        SignError::WrongApp => DeviceState::WrongApp,
        SignError::AppTooOld { .. } => DeviceState::OldApp,
        SignError::BlindSigningOff { .. } | SignError::CalldataUnread => DeviceState::BlindSigningOff,
        SignError::OtherKey { .. } => DeviceState::OtherKey,
        SignError::HeldByOther { .. } => DeviceState::Held,
        SignError::NoPermission { .. } => DeviceState::NoPermission,
        SignError::StillAsking | SignError::StoppedWaiting => DeviceState::Asking,
        SignError::StrayAnswer { .. } | SignError::Mismatch { .. } | SignError::ForeignTransaction { .. } => {
            DeviceState::Foreign
        }
        _ => DeviceState::Failed,
    }
}

/// What a device's refusal is to a person. An incident stays one; a device that is not there is not a fault.
impl From<SignError> for AppError {
    fn from(error: SignError) -> Self {
        let sentence = capital(&error.to_string());
        match error {
            SignError::UserRefused => Self::Cancelled(sentence),
            SignError::Mismatch { .. } | SignError::ForeignTransaction { .. } | SignError::StrayAnswer { .. } => {
                Self::Incident(sentence)
            }
            SignError::TooLongForFullFlow(_) | SignError::ReplaysAcrossChains { .. } => Self::Invalid(sentence),
            _ => Self::Key(sentence),
        }
    }
}

/// With a capital letter, as sentences of the program have.
pub(crate) fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use contract::ErrorCode;
    use signing::port::ForeignSignature;

    use super::*;

    #[test]
    fn a_refusal_is_no_fault_and_a_foreign_signature_is_an_incident() {
        let code = |error: SignError| AppError::from(error).code();
        assert_eq!(code(SignError::UserRefused), ErrorCode::Cancelled);
        let signature = ForeignSignature(Box::new([0; 65]));
        assert_eq!(code(SignError::StrayAnswer { signature }), ErrorCode::Incident);
        assert_eq!(code(SignError::Locked), ErrorCode::Conflict);
        assert!(AppError::from(SignError::Locked).to_string().starts_with("The device is locked"));
    }
}
