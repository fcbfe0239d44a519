//! Messages between the process that serves and one with a model: length, kind, content, over a socket.
//!
//! A model has one call at a time, so that there is never more than one message on the way. Buffers stay for the next one, and one write
//! sends a whole message of usual size.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use thiserror::Error;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the model: a batch.
    Call,
    /// The model is open and warm: what it declares.
    Open,
    /// It cannot be opened: why.
    Refused,
    /// How long a call took, and the outputs.
    Answer,
    /// A batch does not fit the model: why.
    WrongInput,
    /// The model failed on a batch: why.
    Failed,
}

/// The kinds by their number in a message.
const KINDS: [Kind; 6] =
    [Kind::Call, Kind::Open, Kind::Refused, Kind::Answer, Kind::WrongInput, Kind::Failed];

/// Bytes of the length, and with the kind those in front of the content.
const LENGTH: usize = size_of::<u64>();
const HEADER: usize = LENGTH + 1;
/// Bytes of a buffer to begin with: most messages come by one read.
const ROOM: usize = 64 << 10;
/// Bytes of a buffer that stay for the next message.
const KEPT: usize = 4 << 20;
/// Bytes of one write at most. Inside of it the system waits for room again and again, each time as long as the socket may.
const PART: usize = 1 << 20;

/// Why there is no message.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Broken {
    /// The other side is gone.
    #[error("the other process has gone")]
    Ended,
    /// A message announces more than it may hold.
    #[error("a message of {0} bytes is announced, which is more than allowed")]
    TooLong(u64),
    /// What came is no message.
    #[error("what came is no message")]
    NoMessage,
}

/// Leaves of a buffer what stays for the next message. To be called once a message is done with: the next one may be long in coming.
pub(super) fn spare(buffer: &mut Vec<u8>) {
    buffer.truncate(KEPT);
    buffer.shrink_to(KEPT);
}

/// Begins a message, in place of what the buffer holds.
pub(super) fn begin(kind: Kind, message: &mut Vec<u8>) {
    message.clear();
    message.extend_from_slice(&[0; LENGTH]);
    let number = KINDS.iter().position(|known| *known == kind);
    message.push(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
}

/// Ends it, once its content was appended.
pub(super) fn end(message: &mut [u8]) {
    let length = message.len().saturating_sub(HEADER) as u64;
    message[..LENGTH].copy_from_slice(&length.to_le_bytes());
}

/// Sends bytes. Where the other side does not read for as long as the socket waits, and between the parts of a long message, `wait` says
/// whether to go on: one that takes a byte now and then has no more time than one that takes none.
///
/// # Errors
/// The other side is gone, or what `wait` says.
pub(super) fn send<E: From<Broken>>(
    mut socket: &UnixStream,
    bytes: &[u8],
    wait: &mut dyn FnMut() -> Result<(), E>,
) -> Result<(), E> {
    let mut left = bytes;
    while !left.is_empty() {
        match socket.write(&left[..left.len().min(PART)]) {
            Ok(0) => return Err(Broken::Ended.into()),
            Ok(written) => {
                left = &left[written..];
                if !left.is_empty() {
                    wait()?;
                }
            }
            Err(error) if is_waiting(&error) => wait()?,
            Err(_) => return Err(Broken::Ended.into()),
        }
    }
    Ok(())
}

/// Receives a message whose content has at most so many bytes. The buffer grows as they come, not as they are announced. `wait` is asked as
/// by [`send`].
///
/// # Errors
/// There is no message, or what `wait` says.
pub(super) fn receive<'m, E: From<Broken>>(
    mut socket: &UnixStream,
    (message, most): (&'m mut Vec<u8>, u64),
    wait: &mut dyn FnMut() -> Result<(), E>,
) -> Result<(Kind, &'m [u8]), E> {
    if message.len() < ROOM {
        message.resize(ROOM, 0);
    }
    let mut have = 0;
    let whole = loop {
        let whole = whole(&message[..have], most)?;
        if have == whole {
            break whole;
        }
        if have > whole {
            return Err(Broken::NoMessage.into());
        }
        if have > 0 {
            wait()?;
        }
        if have == message.len() {
            message.resize(whole.min(2 * have), 0);
        }
        match socket.read(&mut message[have..]) {
            Ok(0) => return Err(Broken::Ended.into()),
            Ok(read) => have += read,
            Err(error) if is_waiting(&error) => wait()?,
            Err(_) => return Err(Broken::Ended.into()),
        }
    };
    let kind = KINDS.get(usize::from(message[LENGTH])).ok_or(Broken::NoMessage)?;
    Ok((*kind, &message[HEADER..whole]))
}

/// How long a message is of which this is the beginning; at least its header.
fn whole(begun: &[u8], most: u64) -> Result<usize, Broken> {
    let Some(length) = begun.first_chunk::<LENGTH>().filter(|_| begun.len() >= HEADER) else {
        return Ok(HEADER);
    };
    let length = u64::from_le_bytes(*length);
    let content = usize::try_from(length).ok().filter(|_| length <= most);
    content.and_then(|content| content.checked_add(HEADER)).ok_or(Broken::TooLong(length))
}

/// Whether the socket has waited for as long as it was told to, or a signal came in between.
fn is_waiting(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MOST: u64 = 8 << 20;

    fn message(kind: Kind, content: &[u8]) -> Vec<u8> {
        let mut message = vec![7; 3];
        begin(kind, &mut message);
        message.extend_from_slice(content);
        end(&mut message);
        message
    }

    /// What is received when these bytes come and then nothing more.
    fn received(bytes: Vec<u8>) -> Result<(Kind, Vec<u8>), Broken> {
        let (here, there) = UnixStream::pair().unwrap();
        let sent = std::thread::spawn(move || send::<Broken>(&there, &bytes, &mut || Ok(())));
        let mut buffer = Vec::new();
        let came = receive::<Broken>(&here, (&mut buffer, MOST), &mut || Ok(()));
        let came = came.map(|(kind, content)| (kind, content.to_vec()));
        drop(here);
        let _ = sent.join().unwrap();
        came
    }

    #[test]
    fn messages_of_any_length_arrive_whole() {
        for length in [0, 1, ROOM - HEADER, ROOM - HEADER + 1, 3 * ROOM, KEPT + 5] {
            let content: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let came = received(message(Kind::Answer, &content));
            assert!(came == Ok((Kind::Answer, content)), "{length} bytes");
        }
    }

    #[test]
    fn what_is_cut_too_long_or_unknown_is_no_message() {
        let whole = message(Kind::Failed, b"why");
        for end in 0..whole.len() {
            assert_eq!(received(whole[..end].to_vec()), Err(Broken::Ended), "the first {end} bytes");
        }
        assert_eq!(received([whole.as_slice(), b"!"].concat()), Err(Broken::NoMessage));
        let mut unknown = whole.clone();
        unknown[LENGTH] = 200;
        assert_eq!(received(unknown), Err(Broken::NoMessage));
        let mut long = whole;
        long[..LENGTH].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(received(long), Err(Broken::TooLong(u64::MAX)));
    }

    #[test]
    fn a_buffer_that_is_spared_is_used_again_and_does_not_stay_large() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut buffer = Vec::new();
        for length in [KEPT + (1 << 20), 2] {
            let bytes = message(Kind::Answer, &vec![1; length]);
            let there = there.try_clone().unwrap();
            let sent = std::thread::spawn(move || send::<Broken>(&there, &bytes, &mut || Ok(())));
            let came = receive::<Broken>(&here, (&mut buffer, MOST), &mut || Ok(()));
            assert_eq!(came.map(|(_, content)| content.len()), Ok(length));
            sent.join().unwrap().unwrap();
            spare(&mut buffer);
            assert!(buffer.capacity() <= KEPT, "{}", buffer.capacity());
        }
    }

    #[test]
    fn whoever_waits_decides_how_long() {
        let (here, there) = UnixStream::pair().unwrap();
        here.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        here.set_write_timeout(Some(Duration::from_millis(1))).unwrap();
        let mut looks = 0;
        let mut wait = || {
            looks += 1;
            if looks < 3 { Ok(()) } else { Err(Broken::NoMessage) }
        };
        let mut buffer = Vec::new();
        assert_eq!(receive(&here, (&mut buffer, MOST), &mut wait), Err(Broken::NoMessage));
        // Nobody reads, and the socket is full before the end.
        let bytes = message(Kind::Call, &vec![0; 8 << 20]);
        assert_eq!(send(&here, &bytes, &mut wait), Err(Broken::NoMessage));
        drop(there);
        assert_eq!(looks, 4);
    }

    #[test]
    fn whoever_waits_decides_also_between_the_parts_of_a_message() {
        let mut refuse = || -> Result<(), Broken> { Err(Broken::NoMessage) };
        let long = message(Kind::Answer, &vec![1; 3 * PART]);
        let (here, there) = UnixStream::pair().unwrap();
        let read = std::thread::spawn(move || io::copy(&mut &there, &mut io::sink()));
        assert_eq!(send(&here, &long, &mut refuse), Err(Broken::NoMessage));
        drop(here);
        assert_eq!(read.join().unwrap().unwrap(), PART as u64);
        let (here, there) = UnixStream::pair().unwrap();
        let sent = std::thread::spawn(move || send::<Broken>(&there, &long, &mut || Ok(())));
        assert_eq!(receive(&here, (&mut Vec::new(), MOST), &mut refuse), Err(Broken::NoMessage));
        drop(here);
        assert_eq!(sent.join().unwrap(), Err(Broken::Ended));
    }
}
