"""The way of a mail through real servers: Dovecot for mailboxes and submission, OpenSMTPD for delivery."""

import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from imapclient import SEEN, IMAPClient
from typer.testing import CliRunner

from desk.database import DatabaseError, open_database
from desk.jobs import Worker
from desk.ledger import EventKind, Status
from desk.mail.accounts import (
    MailAccountError,
    MailLoginError,
    MailServer,
    MailServerError,
    imap_session,
    parse_sender,
    parse_server,
    smtp_session,
)
from desk.mail.fetching import read_folder
from desk.mail.message import Address
from desk.mail.polling import MailPoller
from desk.mail.receiving import Mailbox, Outcome
from desk.mail.replies import queue_reply, send_again
from desk.mail.sending import SendState, send_due, send_one
from desk.tables import mail_folders, outbox
from service.cli import app
from service.mailbox import MailDesk
from service.problems import ProblemError
from service.replying import send_reply

NEEDED = ("/usr/sbin/dovecot", "/usr/sbin/smtpd", "/usr/lib/dovecot/submission", "/usr/bin/openssl", "/usr/bin/unshare")
PASSWORD = "geheim"
RELAY = "k3v9q2@marketplace.amazon.de"
SHOP = Address("support@shop.example", "Lampenladen")
MAILBOX = Mailbox("support@shop.example", frozenset({"support@shop.example"}))
ORDER = "302-8123456-7123456"

DOVECOT = """
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/dovecot.log
protocols = imap submission
listen = 127.0.0.1
first_valid_uid = 1
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
mail_location = maildir:{root}/mail/%n
auth_failure_delay = 0
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = scheme=plain {root}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={root}/mail/%n
}}
hostname = localhost
submission_relay_host = 127.0.0.1
submission_relay_port = {smtp}
submission_relay_trusted = no
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = {submissions}
    ssl = yes
  }}
}}
"""
# OpenSMTPD 6.8 and OpenSSL 3 have no common TLS (OpenSMTPD issue 1239), so that Dovecot stands in front of it.
SMTPD = """
table known {{ "support@shop.example" = nobody, "k3v9q2@marketplace.amazon.de" = nobody, "tom@web.example" = nobody }}
listen on 127.0.0.1 port {smtp}
action "deliver" maildir "{root}/mail/%{{dest.user}}" virtual <known>
match from any for any action "deliver"
"""
# OpenSMTPD knows one spool and one control socket per machine; a mount namespace gives it its own.
SPOOL = (
    "mount -t tmpfs none /var/spool && mkdir -m 711 /var/spool/smtpd && mount -t tmpfs none /run && exec smtpd -d -f "
)


@dataclass(frozen=True)
class Servers:
    """Where the servers listen, and their mailboxes."""

    root: Path
    smtp: int
    imap: int
    imaps: int
    submission: int
    submissions: int

    @property
    def imap_server(self) -> MailServer:
        return MailServer(
            "imap", "localhost", self.imaps, "tls", "support@shop.example", PASSWORD, ca_file=self.root / "cert.pem"
        )

    @property
    def smtp_server(self) -> MailServer:
        return MailServer(
            "smtp",
            "localhost",
            self.submissions,
            "tls",
            "support@shop.example",
            PASSWORD,
            ca_file=self.root / "cert.pem",
        )

    def unseen(self, *, mark: bool = False) -> int:
        """How many mails nobody has seen, as another mail program finds; with ``mark`` it looks at them."""
        with IMAPClient("127.0.0.1", port=self.imap, ssl=False) as client:
            client.login("support", PASSWORD)
            client.select_folder("INBOX")
            found = client.search(["UNSEEN"])
            if mark:
                client.add_flags(found, [SEEN])
            return len(found)

    def customer_writes(self, text: str, message_id: str, sender: str = RELAY, **headers: str) -> None:
        """Over SMTP, and there when this returns."""
        before = self.count("support")
        lines = {"From": f'"Sabine Krüger - Amazon Marketplace" <{sender}>', "To": "support@shop.example"}
        lines |= {"Subject": f"Anfrage (Bestellung: {ORDER})", "Message-ID": f"<{message_id}>"} | headers
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
        with smtplib.SMTP("127.0.0.1", self.smtp) as smtp:
            smtp.sendmail(sender, ["support@shop.example"], f"{head}\r\n{text}\r\n".encode(), ["BODY=8BITMIME"])
        self.wait(lambda: self.count("support") > before)

    def count(self, user: str) -> int:
        folder = self.root / "mail" / user
        return sum(1 for name in ("new", "cur") for _ in (folder / name).glob("*"))

    def received_by(self, user: str, number: int = 1) -> list:
        """The mails in a customer's mailbox, once there are so many."""
        self.wait(lambda: self.count(user) >= number)
        files = sorted(
            (f for name in ("new", "cur") for f in (self.root / "mail" / user / name).glob("*")), key=os.path.getmtime
        )
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    @staticmethod
    def wait(ready, seconds: float = 15) -> None:
        until = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < until, "the mail did not arrive"
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def running() -> Iterator[Servers]:
    missing = [name for name in NEEDED if not Path(name).exists()] + ([] if os.geteuid() == 0 else ["root"])
    if not missing and subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        missing = ["the right to mount (unshare -m; a container needs CAP_SYS_ADMIN)"]
    if missing:
        message = f"mail servers cannot be started, missing: {', '.join(missing)} (see .ci/run)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(message)
        pytest.skip(message)
    root = Path(tempfile.mkdtemp(prefix="paretodesk-mail-", dir="/tmp"))  # pytest's own folders are closed to 'nobody'
    processes: list[subprocess.Popen] = []
    try:
        ports = {name: free_port() for name in ("smtp", "imap", "imaps", "submission", "submissions")}
        root.chmod(0o755)
        for name in ("run", "mail"):
            (root / name).mkdir()
        os.chown(root / "mail", 65534, 65534)
        (root / "users").write_text(f"support:{PASSWORD}\nk3v9q2:{PASSWORD}\ntom:{PASSWORD}\n")
        (root / "dovecot.conf").write_text(DOVECOT.format(root=root, **ports))
        (root / "smtpd.conf").write_text(SMTPD.format(root=root, **ports))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", root / "key.pem", "-out", root / "cert.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
        with (root / "smtpd.log").open("wb") as log:
            processes = [
                subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", root / "dovecot.conf"], stdout=log, stderr=log),
                subprocess.Popen(
                    ["unshare", "-m", "sh", "-c", SPOOL + str(root / "smtpd.conf")], stdout=log, stderr=log
                ),
            ]
        Servers.wait(lambda: all(listens(port) for port in ports.values()))
        yield Servers(root, **ports)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=15)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def servers(running: Servers) -> Servers:
    """The servers, with empty mailboxes."""
    for folder in (running.root / "mail").iterdir():
        for name in ("new", "cur"):
            for file in (folder / name).glob("*"):
                file.unlink()
    return running


@pytest.fixture
def fetch(database, servers):
    def read(server: MailServer | None = None):
        with imap_session(server or servers.imap_server) as client:
            return read_folder(database, MAILBOX, client, "INBOX")

    return read


@pytest.fixture
def queued(database):
    def put(ticket_id: str, text: str = "Wir kümmern uns darum.\n.\nIhr Lampenladen") -> int:
        with database.session() as session:
            return queue_reply(session, ticket_id, text, sender=SHOP)

    return put


def state_of(database, outbox_id):
    with database.session(read_only=True) as session:
        return session.execute(sa.select(outbox).where(outbox.c.id == outbox_id)).one()


def only_ticket(desk):
    (view,) = desk.open_tickets()
    return view


def test_the_round_trip_of_a_customers_mail_and_its_answer(desk, database, servers, fetch):
    servers.customer_writes("Wo bleibt mein Paket?", "buyer-1@amazonses.com")
    assert fetch() == {Outcome.TICKET: 1}
    view = only_ticket(desk)
    assert (view.ticket.marketplace, view.ticket.order_id, view.ticket.customer_name) == (
        "amazon",
        ORDER,
        "Sabine Krüger",
    )

    mail = MailDesk(smtp=servers.smtp_server, sender=SHOP)
    services = SimpleNamespace(database=database, mail=mail)
    send_reply(services, view.ticket.id, "Es kommt morgen – versprochen.\n.\nIhr Laden", "agent:anna")
    (kind,) = mail.job_kinds()
    worker = Worker(database, [kind])
    assert (worker.work_once(kind), worker.work_once(kind)) == (1, 0)

    (answer,) = servers.received_by("k3v9q2")
    assert (answer["subject"], answer["to"]) == (f"Anfrage (Bestellung: {ORDER})", RELAY)
    assert str(answer["from"]) == "Lampenladen <support@shop.example>"
    assert (answer["in-reply-to"], answer["references"]) == ("<buyer-1@amazonses.com>", "<buyer-1@amazonses.com>")
    assert answer["auto-submitted"] is None
    assert answer.get_content_type() == "text/plain"
    assert answer.get_content().replace("\r\n", "\n").strip() == "Es kommt morgen – versprochen.\n.\nIhr Laden"

    servers.customer_writes("Danke, aber welcher Dienst?", "buyer-2@amazonses.com", In_Reply_To=answer["message-id"])
    assert fetch() == {Outcome.FURTHER: 1}
    kinds = [event.kind for event in desk.events(view.ticket.id)]
    assert kinds == [EventKind.RECEIVED, EventKind.REPLIED, EventKind.CUSTOMER_WROTE]
    assert desk.ticket(view.ticket.id).state.waiting_since is not None


def test_a_kill_between_the_commit_and_the_mark_leaves_one_ticket(desk, database_url, servers, fetch):
    servers.customer_writes("Wo bleibt mein Paket?", "buyer-1@amazonses.com")
    program = f"""
        import os, signal
        from pathlib import Path
        from desk.database import open_database
        from desk.mail import fetching
        from desk.mail.accounts import MailServer, imap_session
        from desk.mail.receiving import Mailbox

        fetching._mark_seen = lambda client, uid: os.kill(os.getpid(), signal.SIGKILL)
        server = MailServer("imap", "localhost", {servers.imaps}, "tls", "support@shop.example", {PASSWORD!r},
                            ca_file=Path({str(servers.root / "cert.pem")!r}))
        with imap_session(server) as client:
            fetching.read_folder(open_database({database_url!r}), Mailbox("support@shop.example"), client, "INBOX")
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], check=False, cwd=Path(__file__).parents[2]
    )
    assert killed.returncode == -signal.SIGKILL
    assert desk.coverage().tickets == 1
    assert fetch() == {Outcome.DUPLICATE: 1}  # it was not marked, so it comes again, and changes nothing
    assert fetch() == {}
    assert desk.coverage().tickets == 1
    assert [event.kind for event in desk.events(only_ticket(desk).ticket.id)] == [EventKind.RECEIVED]


def test_a_mail_is_marked_as_seen_only_when_it_is_on_disk(servers, fetch, monkeypatch):
    servers.customer_writes("Wo bleibt mein Paket?", "buyer-1@amazonses.com")

    def full(*_, **__):
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("desk.mail.fetching.take_mail", full)
        with pytest.raises(DatabaseError):
            fetch()
    assert servers.unseen() == 1
    assert fetch() == {Outcome.TICKET: 1}
    assert servers.unseen() == 0


def test_the_first_time_only_unseen_mail_comes_in_and_later_all_that_is_new(desk, servers, fetch):
    servers.customer_writes("Alt", "old@amazonses.com")
    assert servers.unseen(mark=True) == 1
    servers.customer_writes("Neu, und nicht alt", "new@amazonses.com", Subject="Andere Frage")
    assert fetch() == {Outcome.TICKET: 1}
    servers.customer_writes("Von anderen gelesen", "read@amazonses.com", Subject="Dritte Frage")
    assert servers.unseen(mark=True) == 1
    assert fetch() == {Outcome.TICKET: 1}
    assert {view.ticket.body.strip() for view in desk.open_tickets()} == {"Neu, und nicht alt", "Von anderen gelesen"}


def test_a_folder_that_the_server_numbers_anew_gives_no_ticket_twice(desk, database, servers, fetch):
    for number in (1, 2):
        servers.customer_writes(f"Frage {number}", f"q{number}@amazonses.com", Subject=f"Frage {number}")
    assert fetch() == {Outcome.TICKET: 2}
    with database.session(read_only=True) as session:
        before = session.scalar(sa.select(mail_folders.c.uidvalidity))
    for index in (servers.root / "mail" / "support").glob("dovecot*"):
        index.unlink()
    time.sleep(1.1)  # the number is the second in which the index is made
    servers.customer_writes("Frage 3", "q3@amazonses.com", Subject="Frage 3")
    assert fetch() == {Outcome.DUPLICATE: 2, Outcome.TICKET: 1}
    with database.session(read_only=True) as session:
        assert session.scalar(sa.select(mail_folders.c.uidvalidity)) != before
    assert desk.coverage().tickets == 3


def test_one_mail_that_breaks_a_rule_does_not_keep_the_next_out(desk, servers, fetch, monkeypatch):
    servers.customer_writes("Bitte", "bad@amazonses.com", Subject="Frage 1")
    servers.customer_writes("Danke", "good@amazonses.com", Subject="Frage 2")
    honest = fetch.__globals__["read_folder"].__globals__["take_mail"]

    def picky(session, mailbox, arrival):
        if arrival.message.message_id == "bad@amazonses.com":
            raise ValueError("a rule that nobody thought of")
        return honest(session, mailbox, arrival)

    monkeypatch.setattr("desk.mail.fetching.take_mail", picky)
    assert fetch() == {Outcome.UNREADABLE: 1, Outcome.TICKET: 1}
    assert any("a rule that nobody thought of" in view.ticket.body for view in desk.open_tickets())


def test_starttls_works_for_both_directions(servers):
    with imap_session(replace(servers.imap_server, port=servers.imap, encryption="starttls")) as client:
        assert client.folder_exists("INBOX")
    with smtp_session(replace(servers.smtp_server, port=servers.submission, encryption="starttls")) as client:
        assert client.noop()[0] == 250


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"password": "falsch"}, MailLoginError, "refused user 'support@shop.example'.*check PARETODESK_{}_URL"),
        ({"ca_file": None}, MailServerError, "is not trusted.*PARETODESK_MAIL_CA_FILE"),
        ({"host": "127.0.0.1"}, MailServerError, "is not trusted.*127.0.0.1"),
        ({"port": 1}, MailServerError, "localhost:1 cannot be used: Connection refused"),
        ({"host": "no-such-host.invalid"}, MailServerError, "name is not known"),
    ],
)
@pytest.mark.parametrize("protocol", ["imap", "smtp"])
def test_what_is_wrong_with_a_server_is_said(servers, protocol, change, error, said):
    server = replace(getattr(servers, f"{protocol}_server"), **change)
    with pytest.raises(error, match=said.format(protocol.upper())) as caught, globals()[f"{protocol}_session"](server):
        pass
    assert PASSWORD not in str(caught.value)
    assert "falsch" not in str(caught.value)


def test_tls_is_not_spoken_to_a_server_that_has_none(servers):
    with (
        pytest.raises(MailServerError, match=r"speaks no TLS|cannot be used"),
        smtp_session(replace(servers.smtp_server, port=servers.smtp)),
    ):
        pass


def test_the_poller_hears_of_new_mail_at_once_and_says_what_is_wrong(desk, database, servers):
    poller = MailPoller(database, MAILBOX, servers.imap_server)
    with poller.running():
        servers.wait(lambda: poller.looked)
        servers.customer_writes("Wo bleibt mein Paket?", "buyer-1@amazonses.com")
        servers.wait(lambda: desk.coverage().tickets == 1)
        assert poller.problem is None
    down = MailPoller(database, MAILBOX, replace(servers.imap_server, port=1))
    with down.running():
        servers.wait(lambda: down.problem)
        assert "cannot be used" in down.problem
        assert desk.coverage().tickets == 1  # the desk goes on


def test_a_rejected_address_is_a_note_and_opens_the_ticket_again(desk, database, servers, fetch, queued, tag):
    servers.customer_writes("Wo?", "1@x", "gone@web.example")
    fetch()
    ticket_id = only_ticket(desk).ticket.id
    outbox_id = queued(ticket_id)
    desk.tag(ticket_id, tag())
    desk.resolve(ticket_id, "agent:anna")
    assert send_one(database, servers.smtp_server, outbox_id) is SendState.FAILED
    assert desk.ticket(ticket_id).state.status is Status.OPEN
    note = next(event for event in desk.events(ticket_id) if event.kind is EventKind.NOTED)
    assert note.data["text"].startswith("The answer to gone@web.example could not be sent: 5")
    assert send_due(database, servers.smtp_server) == {}


def test_an_answer_waits_while_the_server_is_away_and_goes_once_when_it_is_back(desk, database, servers, fetch, queued):
    servers.customer_writes("Wo?", "1@x")
    fetch()
    outbox_id = queued(only_ticket(desk).ticket.id)
    with pytest.raises(MailServerError):
        send_one(database, replace(servers.smtp_server, port=1), outbox_id)
    row = state_of(database, outbox_id)
    assert (row.state, row.attempts) == ("queued", 1)
    assert "Connection refused" in row.problem
    assert [send_one(database, servers.smtp_server, outbox_id) for _ in range(2)] == [SendState.SENT, SendState.SENT]
    assert len(servers.received_by("k3v9q2")) == 1
    assert servers.count("k3v9q2") == 1


def test_two_senders_of_one_answer_send_it_once(desk, database, servers, fetch, queued):
    servers.customer_writes("Wo?", "1@x")
    fetch()
    outbox_id = queued(only_ticket(desk).ticket.id)
    states: list[SendState] = []
    threads = [
        threading.Thread(target=lambda: states.append(send_one(database, servers.smtp_server, outbox_id)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SendState.SENT in states
    servers.received_by("k3v9q2")
    time.sleep(0.5)
    assert servers.count("k3v9q2") == 1


@contextmanager
def server_that_breaks_off() -> Iterator[int]:
    """Takes a mail to its final dot, then hangs up without an answer."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 here\r\n")
            for line in lines:
                if line == b".\r\n":
                    return
                if line.upper().startswith(b"DATA"):
                    connection.sendall(b"354 go on\r\n")
                elif line.upper().startswith((b"EHLO", b"MAIL", b"RCPT")):
                    connection.sendall(b"250 yes\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_when_nobody_knows_whether_an_answer_went_it_is_said_and_not_sent_again(desk, database, servers, fetch, queued):
    servers.customer_writes("Wo?", "1@x")
    fetch()
    ticket_id = only_ticket(desk).ticket.id
    outbox_id = queued(ticket_id)
    with server_that_breaks_off() as port:
        broken = MailServer("smtp", "127.0.0.1", port, "none")
        assert send_one(database, broken, outbox_id) is SendState.UNKNOWN
    assert send_one(database, servers.smtp_server, outbox_id) is SendState.UNKNOWN
    assert servers.count("k3v9q2") == 0
    note = next(event for event in desk.events(ticket_id) if event.kind is EventKind.NOTED)
    assert f"Nobody knows whether the answer to {RELAY} was sent" in note.data["text"]
    with database.session() as session:
        assert send_again(session, outbox_id)
    assert send_due(database, servers.smtp_server) == {SendState.SENT: 1}


def test_a_crash_after_the_server_was_ready_is_an_unknown_fate_and_before_it_is_none(
    desk, database, servers, fetch, queued
):
    servers.customer_writes("Wo?", "1@x")
    fetch()
    outbox_id = queued(only_ticket(desk).ticket.id)
    row = state_of(database, outbox_id)
    with database.session() as session:  # what a process leaves that dies while it sends
        session.execute(outbox.update().values(state="sending", next_try_at=row.created_at))
    assert send_due(database, servers.smtp_server) == {SendState.UNKNOWN: 1}
    assert servers.count("k3v9q2") == 0


def test_a_reply_to_a_mail_without_a_server_to_send_it_is_refused_and_not_recorded(desk, database, servers, fetch):
    servers.customer_writes("Wo?", "1@x")
    fetch()
    ticket_id = only_ticket(desk).ticket.id
    with pytest.raises(ProblemError, match="PARETODESK_SMTP_URL"):
        send_reply(SimpleNamespace(database=database, mail=MailDesk()), ticket_id, "Bald.", "agent:anna")
    assert [event.kind for event in desk.events(ticket_id)] == [EventKind.RECEIVED]


# -- command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def run(servers, tmp_path, monkeypatch):
    """A command in a home of its own; its exit code, output and messages."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    values = {
        "HOME": str(tmp_path / "home"),
        "IMAP_URL": f"imaps://support@shop.example@localhost:{servers.imaps}/INBOX",
        "IMAP_PASSWORD_FILE": str(secret),
        "SMTP_URL": f"smtps://support@shop.example@localhost:{servers.submissions}",
        "MAIL_FROM": "Lampenladen <support@shop.example>",
        "MAIL_CA_FILE": str(servers.root / "cert.pem"),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"PARETODESK_{name}", value)

    def invoke(*arguments: str):
        return CliRunner().invoke(app, ["mailbox", *arguments])

    return invoke


def test_the_commands_check_fetch_and_send(run, servers, tmp_path):
    checked = json.loads(run("check", "--json").stdout)
    assert (checked["imap"]["messages"], checked["imap"]["idle"]) == (0, True)
    assert checked["smtp"]["from"] == "support@shop.example"
    servers.customer_writes("Wo bleibt mein Paket?", "buyer-1@amazonses.com")
    assert json.loads(run("fetch", "--once", "--json").stdout)["ticket"] == 1
    assert run("fetch", "--once").stdout.strip() == "no new mail"
    database = open_database(f"sqlite:///{tmp_path}/home/desk.db")
    with database.session() as session:
        ticket_id = session.scalar(sa.text("SELECT id FROM tickets"))
        queue_reply(session, ticket_id, "Morgen.", sender=SHOP)
    database.close()
    assert run("send").stdout.strip() == "1 sent"
    assert servers.received_by("k3v9q2")[0].get_content().strip() == "Morgen."
    assert json.loads(run("problems", "--json").stdout) == {"unreadable": [], "not_sent": [], "set_aside": []}


def test_check_says_what_is_wrong_and_fails(run, monkeypatch, servers):
    monkeypatch.setenv("PARETODESK_IMAP_URL", f"imaps://support@shop.example@localhost:{servers.imaps}/Suport")
    monkeypatch.setenv("PARETODESK_SMTP_PASSWORD", "falsch")
    result = run("check")
    assert result.exit_code == 1
    assert "has no folder 'Suport'" in result.stdout
    assert "refused user" in result.stdout


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("pop3://a@b.example", "starts with 'pop3'; use one of imaps, imap, imap"),
        ("imaps://b.example", "names no user"),
        ("imaps://a@", "names no host"),
        ("imaps://a:secret@b.example", "holds a password; put it into PARETODESK_IMAP_PASSWORD_FILE"),
        ("imaps://a@b.example:99999", "cannot be read"),
        ("imap+plain://a@b.example", "for this machine only, not b.example"),
        ("imaps://a@b.example", "has a user but no password"),
    ],
)
def test_a_wrong_url_is_an_error_that_names_the_setting(url, said):
    with pytest.raises(MailAccountError, match="PARETODESK_IMAP_URL: ") as caught:
        parse_server(url, "PARETODESK_IMAP_URL")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_url_says_where_and_who():
    server = parse_server("smtp://support%40shop.example@mail.example", "PARETODESK_SMTP_URL", password="x")
    assert (server.host, server.port, server.encryption) == ("mail.example", 587, "starttls")
    assert (server.user, server.account) == ("support@shop.example", "support@shop.example")
    with pytest.raises(MailAccountError, match="PARETODESK_IMAP_PASSWORD_FILE: /no/such/file cannot be read"):
        parse_server("imaps://a@b.example", "PARETODESK_IMAP_URL", password_file=Path("/no/such/file"))
    with pytest.raises(MailAccountError, match="is no address"):
        parse_sender("Our shop", "PARETODESK_MAIL_FROM")
