//! Findings become rules, states, groups and notifications.
//!
//! Nothing is here yet: the crate holds its place in the workspace so that the dependency rules cover it.
