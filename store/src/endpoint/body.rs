//! The request body as the blocking worker reads it: a bounded channel that tells the end from a broken connection.

use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::mpsc;

/// Pieces in flight between the connection and the worker.
const PIECES_MAX: usize = 8;
/// A client that sends nothing for so long is gone.
const IDLE: Duration = Duration::from_secs(300);
/// How much of a body nobody wants is still read, so that the answer reaches a client that is busy sending.
const DISCARD_BYTES_MAX: usize = 16 << 20;

enum Piece {
    Data(Bytes),
    End,
}

/// The worker's end. A sender that vanishes without an end mark is an error, never the end of the data.
pub(super) struct BodyReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl BodyReader {
    /// A reader and the future that feeds it; the future is to be polled until the answer is known.
    pub(super) fn new(body: Incoming) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        (Self { pieces, current: Bytes::new(), ended: false }, pump(body, sender))
    }
}

async fn pump(mut body: Incoming, sender: mpsc::Sender<Piece>) {
    let mut discarded = 0;
    loop {
        match tokio::time::timeout(IDLE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                if let Err(unsent) = sender.send(Piece::Data(data)).await {
                    let Piece::Data(data) = unsent.0 else { return };
                    discarded += data.len();
                    if discarded > DISCARD_BYTES_MAX {
                        return;
                    }
                }
            }
            Ok(None) => {
                let _ = sender.send(Piece::End).await;
                return;
            }
            Ok(Some(Err(_))) | Err(_) => return,
        }
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.ended {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Data(data)) => self.current = data,
                Some(Piece::End) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client went away")),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
