//! The real window, driven by WebDriver; the system's dialogs, driven by the keyboard of the X server.
//!
//! What a test needs is looked for and named when it is missing; nothing is skipped.

mod child;
pub mod native;
pub mod programs;
mod window;
mod world;

pub use window::Window;
pub use world::World;
