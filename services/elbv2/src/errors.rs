//! The service's errors in AWS's codes and words. Sources: the service model's error shapes and
//! the Elastic Load Balancing API Reference (2015-12-01).

use kiln_service_kit::Error;

/// A request that breaks a rule the model does not state.
pub fn invalid(text: impl Into<String>) -> Error {
    Error::sender("ValidationError", text)
}

/// A name of a kind that leads nowhere.
pub fn no_load_balancer() -> Error {
    Error::sender("LoadBalancerNotFound", "One or more load balancers not found")
}
pub fn no_named_load_balancers(names: &[String]) -> Error {
    Error::sender("LoadBalancerNotFound", format!("Load balancers '[{}]' not found", names.join(", ")))
}
pub fn no_target_group() -> Error {
    Error::sender("TargetGroupNotFound", "One or more target groups not found")
}
pub fn no_listener() -> Error {
    Error::sender("ListenerNotFound", "One or more listeners not found")
}
pub fn no_rule() -> Error {
    Error::sender("RuleNotFound", "One or more rules not found")
}

/// A thing that others use, or may not be changed.
pub fn in_use(text: impl Into<String>) -> Error {
    Error::sender("ResourceInUse", text)
}
pub fn not_permitted(text: impl Into<String>) -> Error {
    Error::sender("OperationNotPermitted", text)
}
pub fn bad_configuration(text: impl Into<String>) -> Error {
    Error::sender("InvalidConfigurationRequest", text)
}
pub fn bad_action(text: impl Into<String>) -> Error {
    Error::sender("InvalidLoadBalancerAction", text)
}
pub fn bad_target(text: impl Into<String>) -> Error {
    Error::sender("InvalidTarget", text)
}
/// A marker that no answer gave out.
pub fn bad_marker() -> Error {
    invalid("Invalid marker")
}
