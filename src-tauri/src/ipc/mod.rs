//! One command per entry of the contract, one file per noun. Each hands its request to the console and maps the
//! error; nothing is decided here.

pub mod affiliate;
pub mod audit;
pub mod batch;
pub mod change;
pub mod commission;
pub mod device;
pub mod export;
pub mod freeze;
pub mod health;
pub mod home;
pub mod intent;
pub mod key;
pub mod ledger;
pub mod leg;
pub mod payee;
pub mod reconciliation;
pub mod rejection;
pub mod safe;
pub mod session;

use app::{AppError, Console};
use contract::ApiError;

/// The console of this window.
pub type Shared<'a> = tauri::State<'a, Console>;

/// What a command answers.
pub type Answer<T> = Result<T, ApiError>;

fn answer<T>(result: Result<T, AppError>) -> Answer<T> {
    result.map_err(|error| error.to_api())
}
