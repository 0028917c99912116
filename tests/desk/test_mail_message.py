"""Mail as it really comes: samples in ``mail_samples``, and bytes that nobody would send on purpose."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.reading import read
from desk.mail.html_text import html_text
from desk.mail.message import MailUnreadableError, read_message
from desk.mail.senders import Machine, customer_name, machine_of, origin_of

SAMPLES = Path(__file__).with_name("mail_samples")


def sample(name):
    return read_message((SAMPLES / f"{name}.eml").read_bytes())


@pytest.mark.parametrize(
    ("name", "customer", "marketplace", "language", "subject", "words"),
    [
        ("amazon_de", "Sabine Krüger", "amazon", "de", "302-8123456-7123456", "wo bleibt mein Paket"),
        ("amazon_fr", "Émilie Laurent", "amazon", "fr", "403-5551234-9871234", "toujours pas remboursée"),
        ("amazon_es", "Lucía Gómez", "amazon", "es", "404-1112223-4445556", "llegó rota. ¿Qué hago?"),
        ("amazon_it", "Giulia Ferri", "amazon", "it", "405-7778889-0001112", "fattura con partita IVA"),
        ("amazon_uk", "James Holt", "amazon", "en", "203-4445556-6667778", "nothing came"),
        ("amazon_us_html", "Dana Fields", "amazon", "en", "ASIN: B0C1234XYZ", "work with 110 volts?"),
        ("ebay_member", "käufer_77", "ebay", "de", "12-34567-89012", "dimmbar"),
        ("gmail_reply", "Tom Baker", None, None, "Re: Your lamp", "It still flickers – what now?"),
        ("outlook_html", "Weber, Ines", None, None, "AW: Bestellung #48213", "Ersatz für Größe 2."),
        ("apple_mail", "Renée Dubois", None, None, "Re: Taille trop petite", "puis-je échanger ?"),
        ("gmx_iso", "Anna Müller", None, None, "Rücksendung", "zurückschicken € wie"),
        ("utf8_called_latin1", None, None, None, "Größe", "Die Größe passt nicht."),
        ("unknown_charset", None, None, None, "Hello", "Größentabelle"),
        ("broken_base64", None, None, None, "", "Where is my parcel?"),
        ("no_headers_at_all", None, None, None, "", "203-1112223-4445556"),
        ("duplicate_headers", None, None, None, "First subject", "Which one is it?"),
        ("unclosed_boundary", None, None, None, "Cut off", "The mail program died while"),
        ("lookalike_domain", "Amazon", None, None, "Verify your account", "Click here."),
    ],
)
def test_a_persons_mail_is_read(name, customer, marketplace, language, subject, words):
    message = sample(name)
    origin = origin_of(message.sender)
    assert (customer_name(message.sender) if message.sender else None) == customer
    assert (origin.marketplace, origin.language) == (marketplace, language)
    assert subject in message.subject
    assert words in message.text
    assert words in read(message.subject, message.text).words
    assert machine_of(message, origin) is None


@pytest.mark.parametrize(
    ("name", "history"),
    [
        ("gmail_reply", "tighten the bulb"),
        ("outlook_html", "Alte Antwort"),
        ("apple_mail", "Bonjour"),
        ("gmx_iso", "Hallo"),
    ],
)
def test_history_is_kept_for_people_and_left_out_for_the_tagger(name, history):
    message = sample(name)
    assert history in message.text
    assert history not in read(message.subject, message.text).words


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("out_of_office_de", Machine.REPLY),
        ("vacation_without_headers", Machine.REPLY),
        ("amazon_relay_out_of_office", Machine.REPLY),
        ("newsletter", Machine.BULK),
        ("amazon_notice", Machine.GENERATED),
        ("contact_form", Machine.GENERATED),
        ("bounce_dsn", Machine.BOUNCE),
        ("delayed_dsn", Machine.BOUNCE),
    ],
)
def test_a_machines_mail_is_known(name, machine):
    message = sample(name)
    assert machine_of(message, origin_of(message.sender)) is machine


def test_a_bounce_names_the_mail_that_came_back_and_tells_failure_from_delay():
    assert sample("bounce_dsn").references == ("t-first@shop.example",)
    assert sample("delayed_dsn").references == ("t-first@shop.example",)
    assert (sample("bounce_dsn").failed, sample("delayed_dsn").failed) == (True, False)


def test_the_relay_of_a_marketplace_marks_a_customers_mail_as_bulk_and_it_is_a_customers_all_the_same():
    message = sample("amazon_de")
    assert message.marks["precedence"] == "bulk"
    assert machine_of(message, origin_of(message.sender)) is None


def test_what_is_hidden_in_html_is_not_text():
    text = sample("outlook_html").text + sample("amazon_us_html").text
    assert not any(hidden in text for hidden in ("hidden", "alert", "color", "tracking", "</"))


def test_attachments_are_named_without_paths():
    names = [file.name for file in (*sample("no_text_only_photo").attachments, *sample("apple_mail").attachments)]
    assert names == ["etc_passwd.jpg", "étiquette.pdf"]
    assert [file.size for file in sample("outlook_html").attachments] == [70]


def test_a_mail_within_a_mail_is_shown_below_it():
    message = sample("forwarded_as_attachment")
    assert message.text.index("See below") < message.text.index("Subject: Invoice for order 303-1231231-3213213")
    assert "Can you get me the invoice?" in message.text
    assert [file.type for file in message.attachments] == ["message/rfc822"]


def test_encoded_line_breaks_stay_within_their_header():
    message = sample("header_injection")
    assert message.subject == "Hi Bcc: victim@x.example body"
    assert (message.sender.mailbox, message.reply_to.mailbox) == ("eve@web.example", "eve@web.example")
    assert "\n" not in message.sender.name


def test_a_quote_in_html_is_marked_as_in_plain_text():
    assert html_text("<div>new</div><blockquote>old<blockquote>older</blockquote></blockquote>end") == (
        "new\n\n> old\n> > older\n\nend"
    )


def test_copies_of_a_mail_have_one_identity_and_mails_that_share_an_id_do_not():
    first, same_id = b"Message-ID: <1@x>\r\n\r\nWhere is it?", b"Message-ID: <1@x>\r\n\r\nI found it."
    assert read_message(b"Received: by another way\r\n" + first).identity == read_message(first).identity
    assert read_message(first).identity != read_message(same_id).identity


HOSTILE = {
    "deep parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=a%d\r\n\r\n--a%d\r\n" % (i, i) for i in range(3_000)
    ),
    "many parts": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n\r\nx\r\n" * 500_000,
    "long content type": b"Content-Type: " + b"a;" * 100_000 + b"\r\n\r\nx",
    "many charsets": b"Content-Type: text/plain; " + b"charset*0=a;" * 5_000 + b"\r\n\r\nx",
    "quotes in the sender": b"From: " + b'"' * 100_001 + b"\r\n\r\nx",
    "encoded words": b"Subject: " + b"=?utf-8?q?" * 50_000 + b"\r\n\r\nx",
    "references": b"References: " + b"<a@b> " * 100_000 + b"\r\n\r\nx",
    "open comments": b"Content-Type: text/html\r\n\r\n" + b"<!--" * 200_000,
    "open tags": b"Content-Type: text/html\r\n\r\n" + b"<blockquote>" * 50_000,
    "less-than signs": b"Content-Type: text/html\r\n\r\n" + b"<" * 500_000,
    "two megabytes": b"Subject: long\r\n\r\n" + b"Where is my parcel? " * 100_000,
    "many headers": b"a: b\r\n" * 500_000,
    "nothing": b"",
    "strange charset": b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_mail_takes_long(name):
    started = time.process_time()
    read_message(HOSTILE[name])
    assert time.process_time() - started < 10


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_mail_or_unreadable(raw):
    with suppress(MailUnreadableError):
        read_message(raw)


HEADER = st.sampled_from(
    ["From", "Reply-To", "Subject", "Date", "Message-ID", "References", "Content-Type", "Content-Transfer-Encoding",
     "Content-Disposition", "MIME-Version", "Return-Path", "Auto-Submitted"]
)  # fmt: skip
VALUE = st.one_of(
    st.text(alphabet="<>@\"();=?:,/\\ \tabßé\x00utf8qB-*'%0", max_size=40),
    st.sampled_from(
        [
            "multipart/mixed; boundary=b",
            "message/rfc822",
            "text/html; charset=utf-16",
            "base64",
            "x-uuencode",
            "=?x?q?=00?=",
        ]
    ),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(HEADER, VALUE), max_size=8),
    st.text(max_size=200),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
def test_any_headers_are_a_mail_or_unreadable(headers, body, charset):
    head = "\r\n".join(f"{name}: {value}" for name, value in headers)
    raw = head.encode("utf-8", "replace") + b"\r\n\r\n--b\r\n\r\n" + body.encode(charset, "replace")
    try:
        message = read_message(raw)
    except MailUnreadableError:
        return
    assert "\n" not in message.subject
    for address in (message.sender, message.reply_to):
        assert address is None or not set(address.mailbox) & set("\r\n<> ")
    machine_of(message, origin_of(message.sender))
