//! Trying a disk that failed, whether or not anybody sends: who is told that nothing is taken sends elsewhere.

use super::Uploader;
use super::backoff::pause;
use crate::spool::Op;

impl Uploader {
    /// Whenever the disk of the spool has failed, tries it again until it can be written to. Never ends by itself.
    pub(super) async fn mend(&self) {
        let (mut backlog, table) = (self.spool.backlog(), self.table());
        while backlog.wait_for(|now| now.failed).await.is_ok() {
            let mut attempt = 0;
            while backlog.borrow().failed {
                tokio::time::sleep(pause(table.name(), attempt)).await;
                attempt += 1;
                if self.spool.change(Op::Mend).await.is_ok() {
                    tracing::info!(%table, attempt, "the spool's disk can be written to again");
                }
            }
        }
        // The log is closed, so that there is nothing to mend.
        std::future::pending().await
    }
}
