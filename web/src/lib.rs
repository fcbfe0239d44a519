//! The read API and the pages, from the same views.
