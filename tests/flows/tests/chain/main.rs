//! The executor's and the watcher's rounds against a real chain with a real Safe: sent once, proved, taken away, sent by
//! somebody else, replaced, and not known.

mod apart;
mod booked;
mod by_device;
mod by_person;
mod device;
mod killed;
mod locked;
mod nested;
mod rejected;
mod reorganised;
mod replaced;
mod reverted;
mod sent;
mod support;
mod versions;
