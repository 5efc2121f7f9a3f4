//! The service through its public operations, on a store in memory.

use kiln_scheduler_shapes::*;
use kiln_service_kit::*;

fn given() -> Cx {
    let clock = Clock::system();
    let store = Store::in_memory(clock.clone());
    let platform = PlatformBuilder::new(store, clock, IdSource::seeded(1)).service(crate::service()).build();
    Cx::new(platform, Scope::new("000000000000", "us-east-1"), Caller::root("000000000000"), "test")
}

#[tokio::test]
async fn what_is_not_built_is_told_by_name() {
    let error = given().call(ListScheduleGroupsRequest::default()).await.expect_err("it is not built");
    assert!(error.is("NotImplemented") && error.message.contains("scheduler:ListScheduleGroups"), "{error}");
}
