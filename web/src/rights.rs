//! What whoever asks for a page may do there, so that no form is offered that ends in a refusal.

/// An extension of every request for a page: what the gate before the routes lets its sender do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// To see the pages.
    Read,
    /// To send their forms, too.
    Change,
}
