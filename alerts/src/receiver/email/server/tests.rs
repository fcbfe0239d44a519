//! Mails one after another and at once: which of them share a connection, and which must not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::vec;

use jiff::Timestamp;
use tokio::sync::Notify;
use windvane_store::Secret;

use super::*;
use crate::delivery::Attempt;
use crate::message::Message;
use crate::notification::Notification;
use crate::receiver::email::{Email, Tls};

/// What becomes of a mail.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Taken,
    /// It is taken once as many others as there are connections have begun too.
    Together,
    /// It is taken, and the server hangs up.
    Last,
    /// Its first command is refused for good.
    Refused,
    /// It has arrived, and nobody says so.
    Unanswered,
}

/// A mail server, and what it was told on which connection.
struct Fake {
    port: u16,
    script: Arc<Script>,
}

/// What becomes of mails in the order in which they begin, and what was heard.
struct Script {
    fates: Mutex<vec::IntoIter<Fate>>,
    together: Barrier,
    arrived: Notify,
    heard: Mutex<Vec<String>>,
}

impl Fake {
    fn new(fates: impl Into<Vec<Fate>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Script {
            fates: Mutex::new(fates.into().into_iter()),
            together: Barrier::new(CONNECTIONS_MAX),
            arrived: Notify::new(),
            heard: Mutex::default(),
        });
        let played = script.clone();
        std::thread::spawn(move || {
            for (number, stream) in (1..).zip(listener.incoming()) {
                let script = played.clone();
                std::thread::spawn(move || serve(&stream.unwrap(), &script, number));
            }
        });
        Self { port, script }
    }

    fn heard(&self) -> Vec<String> {
        self.script.heard.lock().unwrap().clone()
    }

    /// Mails by connection, the first one first.
    fn mails(&self) -> Vec<usize> {
        let heard = self.heard();
        let on = |number: usize| heard.iter().filter(|heard| **heard == format!("{number} MAIL")).count();
        (1..).map(on).take_while(|mails| *mails > 0).collect()
    }

    fn settings(&self) -> EmailSettings {
        EmailSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: Tls::None,
            ca_file: None,
            from: "windvane@example.org".to_owned(),
            to: vec!["team@example.org".to_owned()],
            login: None,
        }
    }

    fn email(&self) -> Email {
        Email::new(&self.settings(), &mut MailServers::default()).unwrap()
    }
}

/// Serves a connection until it ends. A client that has gone is no fault.
fn serve(stream: &TcpStream, script: &Script, number: usize) {
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
                    Fate::Unanswered => script.arrived.notify_one(),
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
            script.heard.lock().unwrap().push(format!("{number} {verb}"));
        }
        match verb {
            "EHLO" => say("250-here\r\n250 8BITMIME\r\n"),
            "MAIL" => {
                fate = script.fates.lock().unwrap().next().expect("every mail has a fate");
                if fate == Fate::Together {
                    script.together.wait();
                }
                say(if fate == Fate::Refused { "550 no more on this one\r\n" } else { "250 go on\r\n" });
            }
            "DATA" => {
                in_mail = true;
                say("354 go on\r\n");
            }
            "RCPT" if line.contains("gone@") => say("550 no such user\r\n"),
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
        () = server.script.arrived.notified() => {}
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
async fn an_address_that_is_refused_keeps_the_mail_from_nobody_else() {
    let server = Fake::new([Fate::Taken; 3]);
    let email = |to: &[&str]| {
        let to = to.iter().map(|to| format!("{to}@example.org")).collect();
        Email::new(&EmailSettings { to, ..server.settings() }, &mut MailServers::default()).unwrap()
    };
    for to in [["gone", "team"], ["team", "gone"]] {
        let attempt = send(&email(&to)).await;
        assert!(taken(&attempt), "{attempt:?}");
        assert!(
            matches!(&attempt, Attempt::Taken(answer) if answer.contains("refused: gone@example.org, ")
                && answer.contains("no such user")),
            "{attempt:?}"
        );
    }
    let attempt = send(&email(&["gone", "begone"])).await;
    assert!(matches!(&attempt, Attempt::Refused(answer) if answer.contains("550")), "{attempt:?}");
}

#[tokio::test]
async fn a_connection_takes_a_number_of_mails() {
    let mails = MAILS_MAX as usize;
    let server = Fake::new(vec![Fate::Taken; mails + 1]);
    let email = server.email();
    for _ in 0..=mails {
        assert!(taken(&send(&email).await));
    }
    assert_eq!(server.mails(), [mails, 1]);
}

#[tokio::test]
async fn mails_at_once_have_a_connection_each_up_to_a_number_and_the_next_ones_share_those() {
    let fates = [[Fate::Together; CONNECTIONS_MAX], [Fate::Taken; CONNECTIONS_MAX]].concat();
    let server = Fake::new(fates);
    let email = server.email();
    // Twice as many as there are connections: the second half waits for those of the first.
    let at_once = join_all((0..2 * CONNECTIONS_MAX).map(|_| send(&email)));
    let attempts = timeout(Duration::from_secs(30), at_once).await.expect("all of the first half are there");
    assert!(attempts.iter().all(taken), "{attempts:?}");
    let mails = server.mails();
    assert_eq!(
        (mails.len(), mails.iter().sum::<usize>()),
        (CONNECTIONS_MAX, 2 * CONNECTIONS_MAX),
        "{mails:?}"
    );
    email.closing(Duration::ZERO).expect("they are kept").await;
    assert_eq!(server.heard().iter().filter(|heard| heard.ends_with("QUIT")).count(), CONNECTIONS_MAX);
}

#[tokio::test]
async fn receivers_that_reach_a_server_in_the_same_way_share_its_connections() {
    let server = Fake::new([Fate::Taken; 3]);
    let mut servers = MailServers::default();
    let mut receiver = |to: &str, username: Option<&str>| {
        let login =
            username.map(|username| Login { username: username.to_owned(), password: Secret::default() });
        let settings = EmailSettings { to: vec![to.to_owned()], login, ..server.settings() };
        Email::new(&settings, &mut servers).unwrap()
    };
    let (one, other) = (receiver("a@example.org", None), receiver("b@example.org", None));
    let third = receiver("a@example.org", Some("somebody"));
    assert!(taken(&send(&one).await) && taken(&send(&other).await));
    assert_eq!(server.heard(), ["1 MAIL", "1 NOOP", "1 MAIL"]);
    // Who is somebody else has connections of their own.
    assert!(one.closing(Duration::ZERO).is_some() && third.closing(Duration::ZERO).is_none());
}
