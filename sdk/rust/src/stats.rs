//! What became of the events that were logged: every one is in exactly one of these numbers.

/// `logged + adopted = received + rejected + dropped() + unconfirmed + spooled + queued`, at every instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Calls that were made, the sampled out ones left out.
    pub logged: u64,
    /// The collector acknowledged them.
    pub received: u64,
    /// The collector said what is wrong with each.
    pub rejected: u64,
    /// Sent, given up without an answer, and so received or not.
    pub unconfirmed: u64,
    /// On disk, for later.
    pub spooled: u64,
    /// Found in the spool of a process that ended.
    pub adopted: u64,
    /// Waiting, or being sent.
    pub queued: u64,
    /// Bytes of them.
    pub queued_bytes: usize,
    /// Left out by the sample; never logged.
    pub sampled_out: u64,
    /// Tries beyond the first.
    pub retries: u64,
    /// Dropped: the bound of the queue was reached.
    pub dropped_queue_full: u64,
    /// Dropped: the redaction said so.
    pub dropped_redacted: u64,
    /// Dropped: the collector refused the batch for good.
    pub dropped_refused: u64,
    /// Dropped: the collector was away for longer than `retry_for`.
    pub dropped_gave_up: u64,
    /// Dropped: its file in the spool could not be read, and was set aside.
    pub dropped_damaged: u64,
    /// Dropped: the client was closed first, and there is no spool or no room in it.
    pub dropped_at_exit: u64,
}

impl Stats {
    /// Events that were dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_queue_full
            + self.dropped_redacted
            + self.dropped_refused
            + self.dropped_gave_up
            + self.dropped_damaged
            + self.dropped_at_exit
    }

    /// Every event that has a fate or waits for one; equals `logged + adopted`.
    pub fn accounted(&self) -> u64 {
        self.received + self.rejected + self.unconfirmed + self.spooled + self.queued + self.dropped()
    }
}
