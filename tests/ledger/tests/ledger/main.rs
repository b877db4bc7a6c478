//! The device simulator and the client against the recorded exchanges, and against everything that goes wrong.

mod client;
mod emulator;
mod pages;
mod replay;
mod transactions;
mod trouble;
mod vectors;
