"""`windvane alerts test` with a real SMTP server."""

import contextlib
import email
import email.policy
import socket
import threading

import pytest


def receiver(port, *lines, host="localhost"):
    usual = ['to = ["ml@example.org", "Second <second@example.org>"]', 'from = "Windvane <windvane@example.org>"']
    return "\n".join(["[alerts.receivers.mail]", 'type = "email"', f'host = "{host}"', f"port = {port}", *usual, *lines])


def test_a_mail_has_text_and_html_and_says_what_it_is(windvane, smtp):
    mails, port = smtp()
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 0, done.err
    assert "250" in done.out and "number one" in done.out
    [(sender, to, content, _)] = mails.kept
    assert sender == "windvane@example.org" and to == ["ml@example.org", "second@example.org"]
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["Subject"] == "[TEST] This is a test notification; nothing is wrong"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] and mail["Date"] and mail["List-Id"] == "Windvane <mail.windvane>"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text, html = (part.get_content() for part in mail.iter_parts())
    assert 'receiver "mail" works' in text and "receiver “mail” works" in html
    assert "http" not in html.replace("http-equiv", ""), "a mail loads nothing from elsewhere"


def test_starttls_and_a_login(windvane, smtp, ca_file):
    mails, port = smtp(tls="starttls", login=("windvane", "hunter2"))
    lines = [f'ca_file = "{ca_file}"', 'username = "windvane"', 'password_env = "SMTP_PASSWORD"']
    done = windvane(receiver(port, *lines), "mail", SMTP_PASSWORD="hunter2")
    assert done.code == 0, done.err
    assert mails.kept[0][3] is True


def test_a_wrapped_connection(windvane, smtp, ca_file):
    mails, port = smtp(tls="wrapper")
    done = windvane(receiver(port, 'tls = "wrapper"', f'ca_file = "{ca_file}"'), "mail")
    assert done.code == 0, done.err
    assert len(mails.kept) == 1


def test_a_wrong_password_is_refused_and_not_shown(windvane, smtp, ca_file, tmp_path):
    mails, port = smtp(tls="starttls", login=("windvane", "hunter2"))
    (tmp_path / "password").write_text("wr0ng\n")
    lines = [f'ca_file = "{ca_file}"', 'username = "windvane"', 'password_file = "password"']
    done = windvane(receiver(port, *lines), "mail")
    assert done.code == 69 and "535" in done.err, done.err
    assert "wr0ng" not in done.err and mails.tries == 0


def test_a_certificate_that_nobody_vouches_for_is_refused(windvane, smtp):
    mails, port = smtp(tls="starttls")
    done = windvane(receiver(port), "mail")
    assert done.code == 69 and "certificate" in done.err.lower(), done.err
    assert mails.tries == 0


def test_a_server_without_starttls_gets_no_mail(windvane, smtp):
    mails, port = smtp()
    done = windvane(receiver(port), "mail")
    assert done.code == 69 and "starttls" in done.err.lower(), done.err
    assert mails.tries == 0


def test_a_full_mailbox_is_tried_again(windvane, smtp):
    mails, port = smtp(answers=["452 the disk is full", "451 try later"])
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 0, done.err
    assert "at try 3" in done.out and len(mails.kept) == 1


def test_a_refused_mail_is_not_tried_again(windvane, smtp):
    mails, port = smtp(answers=["554 no such list"] * 5)
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 69 and "no such list" in done.err and done.out == ""
    assert mails.tries == 1


def test_one_address_that_is_gone_keeps_the_mail_from_nobody_else(windvane, smtp):
    mails, port = smtp()
    mails.unknown = ["ml@example.org"]
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 0 and [to for _, to, _, _ in mails.kept] == [["second@example.org"]], done.err
    assert "ml@example.org" in done.out and "no such user" in done.out, done.out
    mails.unknown.append("second@example.org")
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 69 and "no such user" in done.err and len(mails.kept) == 1, done.err


def test_a_server_that_looks_into_a_mail_for_long_gets_it_once(windvane, smtp):
    mails, port = smtp()
    mails.looks_s = 12  # Longer than any other answer is waited for.
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 0 and mails.tries == 1, done.err


@pytest.fixture
def mute():
    """A server that accepts connections and greets nobody: its port, who came, and what ends it."""
    listener, held = socket.create_server(("127.0.0.1", 0)), []

    def accept():
        with contextlib.suppress(OSError):
            while True:
                held.append(listener.accept()[0])

    def end():
        # Only this wakes whoever accepts.
        if thread.is_alive():
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in [listener, *held]:
            one.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1], held, end
    end()


def test_a_server_that_never_greets_is_left_and_a_real_one_gets_the_mail(windvane, smtp, mute):
    port, held, end = mute
    # What `windvane` runs in has a limit of its own: a send that hangs for ever fails here.
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 69 and done.out == "", done
    assert "receiver `mail` did not take the notification" in done.err and "no answer within" in done.err, done.err
    assert f"tries: {len(held)}" in done.err and len(held) > 1, (len(held), done.err)
    end()
    mails, port = smtp(port=port)
    done = windvane(receiver(port, 'tls = "none"'), "mail")
    assert done.code == 0 and len(mails.kept) == 1, done.err


def test_a_password_never_goes_in_the_clear_to_another_machine(windvane):
    lines = ['tls = "none"', 'username = "u"', 'password_env = "P"']
    done = windvane(receiver(25, *lines, host="mail.example.org"), "mail", P="hunter2")
    assert done.code == 78 and "in the clear" in done.err and "hunter2" not in done.err


def test_what_a_mail_needs_is_told_at_once(windvane):
    done = windvane('[alerts.receivers.mail]\ntype = "email"', "mail")
    assert done.code == 78
    for key in ("host", "from", "to"):
        assert f"`{key}` is missing" in done.err, done.err
    done = windvane(receiver(25).replace("ml@example.org", "nobody"), "mail")
    assert done.code == 78 and "`nobody` is no mail address" in done.err
