//! Real machines on this host. Root is needed: without it every test fails and says so.

mod adopt;
#[path = "../../spec/contract/mod.rs"]
mod contract;
mod copy;
mod crash;
mod disk;
mod given;
mod groups;
mod images;
mod interfaces;
mod life;
mod neighbours;
mod public;
mod systemd;

contract::tests!(
    #[tokio::test(flavor = "multi_thread")]
    given::given()
);
