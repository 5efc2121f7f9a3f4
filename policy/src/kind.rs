//! Kinds of policy documents.

/// What a document is for; it decides which elements it must and must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// Identity policies, permissions boundaries, session and service control policies.
    Identity,
    /// A policy on a resource, such as a bucket.
    Resource,
    /// Who may assume a role.
    Trust,
}
