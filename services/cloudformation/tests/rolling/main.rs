//! Updates of groups by their policies, with the real Auto Scaling and EC2 services, simulated
//! machines and a clock that moves only when everybody waits.

mod batches;
mod faults;
mod policies;
mod shop;
mod signals;
