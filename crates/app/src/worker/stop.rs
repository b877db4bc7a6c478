//! How a machine is told to finish what it holds.

use tokio::sync::watch;

/// Tells every job of this process to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Says whether a job shall stop: it finishes what it holds and takes nothing new.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Asks every job.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// What jobs watch.
    pub fn watched(&self) -> Stop {
        Stop(self.0.subscribe())
    }
}

impl Default for Stopper {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// For what runs to its end.
    pub fn never() -> Self {
        Self(watch::Sender::new(false).subscribe())
    }

    /// Whether the job has been asked to stop.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub async fn asked(&self) {
        let mut watched = self.0.clone();
        if watched.wait_for(|asked| *asked).await.is_err() {
            // Whoever could ask is gone.
            std::future::pending::<()>().await;
        }
    }

    /// Sleeps, or wakes up when it is asked to stop.
    pub async fn sleep(&self, duration: std::time::Duration) {
        tokio::select! {
            () = self.asked() => {}
            () = tokio::time::sleep(duration) => {}
        }
    }
}
