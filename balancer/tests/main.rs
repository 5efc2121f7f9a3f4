//! The balancer over real sockets on loopback. One binary; each module tells one kind of story.

mod draining;
mod failing;
mod health;
mod proxying;
mod routing;
mod simulated;
mod world;
