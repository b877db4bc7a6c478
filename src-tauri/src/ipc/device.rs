//! The person's Ledger.

use contract::{DeviceChoose, DeviceView};

use super::{Answer, Shared, answer};

/// The person's device now.
#[tauri::command]
pub async fn device_get(console: Shared<'_>) -> Answer<DeviceView> {
    answer(console.device_get(()).await)
}

/// Has the owner's address compared on the device, and signs with it from then on.
#[tauri::command]
pub async fn device_choose(console: Shared<'_>, request: DeviceChoose) -> Answer<DeviceView> {
    answer(console.device_choose(request).await)
}

/// Stops waiting for the person at the device.
#[tauri::command]
pub async fn device_stop(console: Shared<'_>, request: ()) -> Answer<()> {
    answer(console.device_stop(request).await)
}
