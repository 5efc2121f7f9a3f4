//! How far the base image is: written by whoever builds it, read by `kiln status` and `kiln up`.

use kiln_machines_spec::Progress;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

enum State {
    Waiting,
    Building { text: String, fraction: Option<f32> },
    Ready,
    Failed(String),
}

/// The progress of the base image.
pub struct BaseImage(Mutex<State>);

impl BaseImage {
    pub fn new() -> Self {
        Self(Mutex::new(State::Waiting))
    }
    pub fn ready(&self) {
        *self.0.lock() = State::Ready;
    }
    pub fn failed(&self, why: String) {
        *self.0.lock() = State::Failed(why);
    }
    pub fn json(&self) -> Json {
        match &*self.0.lock() {
            State::Waiting => json!({"state": "waiting", "text": "not yet begun"}),
            State::Building { text, fraction } => json!({"state": "building", "text": text, "fraction": fraction}),
            State::Ready => json!({"state": "ready"}),
            State::Failed(why) => json!({"state": "failed", "text": why}),
        }
    }
}

impl Progress for BaseImage {
    fn step(&self, text: &str, fraction: Option<f32>) {
        tracing::info!(target: "kiln::base_image", text, fraction);
        *self.0.lock() = State::Building { text: text.to_owned(), fraction };
    }
}
