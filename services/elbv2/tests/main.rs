//! Load balancers from outside the service: its public operations, its controllers at work, real
//! listeners and real targets on loopback. EC2 is a small stand-in that keeps what it is told.

mod ec2;
mod forwarding;
mod operations;
mod resources;
mod world;
