//! Mails one after another: which of them share a connection, and which must not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::*;
use crate::delivery::Attempt;
use crate::message::Message;
use crate::notification::Notification;
use crate::receiver::email::{Email, Tls};

/// What becomes of a mail.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Taken,
    /// It is taken, and the server hangs up.
    Last,
    /// Its first command is refused for good.
    Refused,
    /// It has arrived, and nobody says so.
    Unanswered,
}

/// A mail server that serves one connection after another, and what it was told on which one.
struct Fake {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    arrived: Arc<Notify>,
}

impl Fake {
    fn new(fates: impl Into<Vec<Fate>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, arrived) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Notify>::default());
        let (hears, arrives) = (heard.clone(), arrived.clone());
        let mut fates = fates.into().into_iter();
        std::thread::spawn(move || {
            for (number, stream) in (1..).zip(listener.incoming()) {
                let hear = |verb: &str| hears.lock().unwrap().push(format!("{number} {verb}"));
                serve(&stream.unwrap(), (&mut fates, &arrives), hear);
            }
        });
        Self { port, heard, arrived }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn email(&self) -> Email {
        let settings = EmailSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: Tls::None,
            ca_file: None,
            from: "windvane@example.org".to_owned(),
            to: vec!["team@example.org".to_owned()],
            login: None,
        };
        Email::new(&settings).unwrap()
    }
}

/// Serves a connection until it ends. A client that has gone is no fault.
fn serve(
    stream: &TcpStream,
    (fates, arrives): (&mut impl Iterator<Item = Fate>, &Notify),
    hear: impl Fn(&str),
) {
    let (reader, mut writer) = (BufReader::new(stream), stream);
    let mut say = |text: &str| {
        let _ = writer.write_all(text.as_bytes());
    };
    say("220 here\r\n");
    let (mut fate, mut in_mail) = (Fate::Taken, false);
    for line in reader.lines().map_while(Result::ok) {
        if in_mail {
            if line == "." {
                in_mail = false;
                match fate {
                    Fate::Unanswered => arrives.notify_one(),
                    _ => say("250 kept\r\n"),
                }
                if fate == Fate::Last {
                    return;
                }
            }
            continue;
        }
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        if verb != "EHLO" && verb != "RCPT" && verb != "DATA" {
            hear(verb);
        }
        match verb {
            "EHLO" => say("250-here\r\n250 8BITMIME\r\n"),
            "MAIL" => {
                fate = fates.next().expect("every mail has a fate");
                say(if fate == Fate::Refused { "550 no more on this one\r\n" } else { "250 go on\r\n" });
            }
            "DATA" => {
                in_mail = true;
                say("354 go on\r\n");
            }
            "QUIT" => {
                say("221 bye\r\n");
                return;
            }
            _ => say("250 fine\r\n"),
        }
    }
}

async fn send(email: &Email) -> Attempt {
    let notification = Notification::test("team", "0198".to_owned(), Timestamp::UNIX_EPOCH);
    email.send(&notification, &Message::of(&notification)).await
}

fn taken(attempt: &Attempt) -> bool {
    matches!(attempt, Attempt::Taken(answer) if answer.contains("kept"))
}

#[tokio::test]
async fn mails_one_after_another_share_a_connection_that_is_asked_before_each() {
    let server = Fake::new([Fate::Taken; 3]);
    let email = server.email();
    for _ in 0..3 {
        assert!(taken(&send(&email).await));
    }
    assert_eq!(server.heard(), ["1 MAIL", "1 NOOP", "1 MAIL", "1 NOOP", "1 MAIL"]);
    assert!(email.closing(IDLE_MAX).is_none(), "it was just used");
    email.closing(Duration::ZERO).expect("one is kept").await;
    assert_eq!(server.heard().last().map(String::as_str), Some("1 QUIT"));
    assert!(email.closing(Duration::ZERO).is_none());
}

#[tokio::test]
async fn a_connection_whose_mail_was_cut_off_is_never_used_again() {
    let server = Fake::new([Fate::Taken, Fate::Unanswered, Fate::Taken]);
    let email = server.email();
    assert!(taken(&send(&email).await));
    tokio::select! {
        attempt = send(&email) => panic!("nobody answers: {attempt:?}"),
        () = server.arrived.notified() => {}
    }
    assert!(email.closing(Duration::ZERO).is_none(), "it went with the mail");
    assert!(taken(&send(&email).await));
    assert_eq!(server.heard(), ["1 MAIL", "1 NOOP", "1 MAIL", "2 MAIL"]);
}

#[tokio::test]
async fn a_connection_that_the_server_has_left_is_found_out_before_a_mail_goes_on_it() {
    let server = Fake::new([Fate::Last, Fate::Taken]);
    let email = server.email();
    assert!(taken(&send(&email).await));
    assert!(taken(&send(&email).await));
    assert_eq!(server.heard(), ["1 MAIL", "2 MAIL"]);
}

#[tokio::test]
async fn what_a_kept_connection_is_refused_is_tried_on_a_new_one() {
    let server = Fake::new([Fate::Taken, Fate::Refused, Fate::Refused]);
    let email = server.email();
    assert!(taken(&send(&email).await));
    // It may be about the connection, so it is worth another try; on a new one it is about the mail.
    assert!(matches!(send(&email).await, Attempt::Later { answer, .. } if answer.contains("550")));
    assert!(matches!(send(&email).await, Attempt::Refused(answer) if answer.contains("550")));
    assert_eq!(server.heard(), ["1 MAIL", "1 NOOP", "1 MAIL", "1 QUIT", "2 MAIL", "2 QUIT"]);
}

#[tokio::test]
async fn a_connection_takes_a_number_of_mails() {
    let mails = MAILS_MAX as usize;
    let server = Fake::new(vec![Fate::Taken; mails + 1]);
    let email = server.email();
    for _ in 0..=mails {
        assert!(taken(&send(&email).await));
    }
    let on = |number: &str| server.heard().iter().filter(|heard| *heard == &format!("{number} MAIL")).count();
    assert_eq!((on("1"), on("2")), (mails, 1));
}
