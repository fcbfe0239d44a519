//! What alerting reads and keeps: what rules observe, the pictures and versions that a message shows, how alerts stand, what
//! became of them, who was told, who has acknowledged them, and what is silenced.

pub mod acknowledgements;
pub mod events;
pub mod histogram;
pub mod notifications;
pub mod silences;
pub mod sources;
pub mod state;
pub mod versions;
