from __future__ import annotations

import re
from pathlib import Path

import pytest

from classifier import guard as guard_module
from classifier.datafile import DataFileError, load_yaml
from classifier.guard import GuardRules, RuleGuard, _without_look_around, starter_guard
from classifier.taxonomy import Autonomy, starter_taxonomy

SAFETY, LEGAL, CLAIM = "safety_or_counterfeit", "legal_or_ip", "a_to_z_claim"
PAYMENT, FEEDBACK = "payment_issue", "negative_feedback"
LANGUAGES = ("en", "fr", "de", "es", "it")
RULES_FILE = Path(guard_module.__file__).parent / "data" / "guard.yaml"

RAISES = {
    "en": [
        ("My lips swelled up an hour after I put the balm on.", SAFETY),
        ("There was a crackle, then smoke started coming out of the plug", SAFETY),
        ("I feel a tingle every time I touch the metal rim of the lamp.", SAFETY),
        ("our toddler got the battery cover open and swallowed one", SAFETY),
        ("The logo looks off and the serial number is not recognised by the manufacturer.", SAFETY),
        ("My son, who is a barrister, will be writing to you next week", LEGAL),
        ("I want every trace of my personal data erased under GDPR", LEGAL),
        ("Your listing uses our registered trademark; cease and desist.", LEGAL),
        ("no reply for six days, so I'll let Amazon decide", CLAIM),
        ("my bank is starting a chargeback today", CLAIM),
        ("card was declined at checkout but the money has gone from my account", PAYMENT),
        ("You took the money 2 times for one pair of gloves", PAYMENT),
        ("If it isn't here on Monday my review will reflect that.", FEEDBACK),
        ("one star. i'll tell everyone at the club", FEEDBACK),
    ],
    "fr": [
        ("Ma fille a les lèvres toutes gonflées depuis qu'elle a mis ce baume", SAFETY),
        ("Des étincelles sont sorties de la prise et ça sentait le brûlé", SAFETY),
        ("Je prends une décharge dès que je touche le boîtier en métal.", SAFETY),
        ("Le vernis m'a donné des cloques sur les doigts", SAFETY),
        ("Le numéro de série est inconnu chez le fabricant, ce sac n'est pas authentique.", SAFETY),
        ("Mon gendre est juriste, il va vous écrire", LEGAL),
        ("je vais signaler tout ça à la DGCCRF", LEGAL),
        ("Vous utilisez mes photos sans autorisation sur votre annonce", LEGAL),
        ("J'ai ouvert une réclamation de A à Z ce matin", CLAIM),
        ("sans réponse ce soir, je laisse Amazon trancher", CLAIM),
        ("Vous m'avez débité deux fois pour une seule paire de gants", PAYMENT),
        ("paiement refusé mais l'argent est parti de mon compte", PAYMENT),
        ("Une étoile, et encore, je suis généreux", FEEDBACK),
        ("je vais le dire à tout le monde autour de moi", FEEDBACK),
    ],
    "de": [
        ("Nach der Creme war mein Gesicht geschwollen und juckt furchtbar", SAFETY),
        ("aus dem ladegerät kam rauch und es roch verschmort", SAFETY),
        ("Wenn ich das Gehäuse anfasse, kribbelt es in den Fingern.", SAFETY),
        ("Mein Kind hat ein Teil vom Spielzeug verschluckt!", SAFETY),
        ("Das Parfüm ist nicht echt, der Hersteller kennt die Chargennummer nicht", SAFETY),
        ("Den Rest klärt mein Rechtsanwalt mit Ihnen.", LEGAL),
        ("Bitte löschen Sie alle meine Daten gemäß DSGVO", LEGAL),
        ("ich gehe damit zur Verbraucherzentrale", LEGAL),
        ("Ich habe einen A-bis-z-Antrag gestellt", CLAIM),
        ("dann soll eben Amazon entscheiden", CLAIM),
        ("Der Betrag wurde zweimal von meinem Konto abgebucht", PAYMENT),
        ("Zahlung fehlgeschlagen, aber das Geld ist weg", PAYMENT),
        ("Dafür gibt es von mir nur einen Stern", FEEDBACK),
        ("Das erzähle ich jedem in meinem Verein weiter", FEEDBACK),
    ],
    "es": [
        ("Se me hincharon los labios después de usar el bálsamo", SAFETY),
        ("empezó a salir humo del enchufe y saltaron chispas", SAFETY),
        ("Da corriente al tocar la carcasa metálica", SAFETY),
        ("Mi bebé se tragó una pieza que se soltó del juguete", SAFETY),
        ("El bolso es falso, la marca dice que el número de serie no existe", SAFETY),
        ("Mi hija, que es abogada, les escribirá mañana", LEGAL),
        ("voy a poner una denuncia y una queja en la OMIC", LEGAL),
        ("Borren todos mis datos personales de su base", LEGAL),
        ("he abierto un caso en ebay porque no contestáis", CLAIM),
        ("Si no hay respuesta, que decida Amazon", CLAIM),
        ("Me habéis cobrado dos veces el mismo pedido", PAYMENT),
        ("La tarjeta fue rechazada pero el dinero salió de mi cuenta", PAYMENT),
        ("Una estrella y porque no se puede poner menos", FEEDBACK),
        ("Que se entere todo el mundo de cómo tratáis a la gente", FEEDBACK),
    ],
    "it": [
        ("Mi si sono gonfiate le labbra dopo aver usato il balsamo", SAFETY),
        ("usciva fumo dalla presa e ho visto scintille", SAFETY),
        ("Prendo la scossa appena tocco il metallo", SAFETY),
        ("Il bambino ha ingoiato un pezzo del giocattolo", SAFETY),
        ("La borsa è falsa, il numero di serie non risulta alla casa madre", SAFETY),
        ("Mio figlio fa l'avvocato e vi scriverà", LEGAL),
        ("Cancellate tutti i miei dati personali, è previsto dal GDPR", LEGAL),
        ("state usando le mie foto senza permesso", LEGAL),
        ("Ho aperto un reclamo, garanzia dalla A alla Z", CLAIM),
        ("a questo punto lascio decidere Amazon", CLAIM),
        ("Mi avete addebitato due volte lo stesso ordine", PAYMENT),
        ("pagamento rifiutato ma i soldi sono usciti dal conto", PAYMENT),
        ("Una stella, e solo perché zero non si può", FEEDBACK),
        ("lo dirò a tutti i miei amici", FEEDBACK),
    ],
}

INNOCENT = {
    "en": [
        "One burning question: does the kettle come in green?",
        "Will this app run on a Fire TV stick?",
        "Is the trim fake fur or fake leather?",
        "Do the court shoes come in a 39?",
        "We need a net for the tennis court, is it 6 m wide?",
        "I left you a five star review, lovely shop!",
        "Which phone case fits the new model? In any case, thanks.",
        "Can you sew navy stars on the blanket? The pattern with stars is sold out",
        "Do you have the lawyer costume in size M?",
        "Does the snack bar contain nuts? My daughter has an allergy, I ask before buying.",
        "The patent leather boots are too tight, can I swap them?",
        "Where is my parcel? It hasn't moved since Tuesday",
        "I'm sick of this colour, can I exchange it for blue?",
        "Could you send me a VAT invoice for order 203-1234567-1234567?",
    ],
    "fr": [
        "Le col est-il en fausse fourrure ou en faux cuir ?",
        "Est-ce que ça marche avec un Fire TV ?",
        "Avez-vous le déguisement d'avocat en taille L ?",
        "Le filet convient-il pour un court de tennis ?",
        "J'ai mis cinq étoiles, merci pour tout",
        "Quel étui va avec ce téléphone ?",
        "La crème contient-elle des noix ? Je demande avant d'acheter.",
        "À mon avis la taille 40 est trop petite",
        "J'ai besoin du colis en urgence, où est-il ?",
        "Le camion de pompiers est-il livré avec des piles ?",
        "Un couteau à avocat est-il inclus dans le lot ?",
        "Pouvez-vous m'envoyer la facture svp",
        "Peut-on payer en 3 fois sans frais ?",
        "J'ai changé d'avis, je voudrais annuler",
    ],
    "de": [
        "Ist der Kragen aus Kunstleder oder Kunstfell?",
        "Läuft die App auf dem Fire TV Stick?",
        "Gibt es das Anwaltskostüm auch in M?",
        "Passt das Netz auf einen Tennisplatz?",
        "Fünf Sterne von mir, vielen Dank!",
        "Welche Hülle passt? Auf jeden Fall in Blau bitte.",
        "Enthält der Riegel Nüsse? Ich frage vor dem Kauf.",
        "Die Ware ist noch originalverpackt, kann ich sie zurückgeben?",
        "Ist das Feuerwehrauto mit Batterien?",
        "Wo bleibt mein Paket? Die Sendungsverfolgung steht seit Montag",
        "Der Tisch ist doppelt so groß wie gedacht, ich möchte ihn zurückgeben",
        "Ist das Gift Set auch ohne Schleife zu haben?",
        "Der Sternenhimmel-Projektor: Welche Lampe brauche ich?",
        "Bitte schicken Sie mir eine Rechnung mit Umsatzsteuer",
    ],
    "es": [
        "¿El cuello es de falsa piel o de imitación de cuero?",
        "¿Funciona con el Fire TV Stick?",
        "¿Tenéis el disfraz de abogado en la talla M?",
        "¿La red sirve para una pista de tenis?",
        "Os he puesto cinco estrellas, gracias",
        "En cualquier caso, ¿qué funda le va a este móvil?",
        "¿Lleva frutos secos? Pregunto antes de comprar.",
        "En mi opinión la talla 40 queda pequeña",
        "¿El camión de bomberos trae pilas?",
        "El código de descuento está caducado, ¿tenéis otro?",
        "Hay mucha demanda, ¿cuándo volvéis a tener existencias?",
        "¿Cómo te llamas? Quería preguntar por mi paquete",
        "El transportista no me hace caso, ¿dónde está el envío?",
        "¿Me podéis mandar la factura con el NIF de la empresa?",
    ],
    "it": [
        "Il collo è in finta pelle o finta pelliccia?",
        "Funziona con la Fire TV Stick?",
        "Avete il costume da avvocato in taglia M?",
        "La rete va bene per un campo da tennis?",
        "Vi ho messo cinque stelle, grazie",
        "In ogni caso, quale custodia va con questo telefono?",
        "Contiene frutta secca? Chiedo prima di comprare.",
        "A causa dello sciopero il pacco è fermo, dove si trova?",
        "Il camion dei pompieri è compreso di pile?",
        "Il codice sconto è scaduto, ne avete un altro?",
        "Quanto dura la garanzia legale?",
        "Le stelle di Natale adesive sono riutilizzabili?",
        "Falso allarme, l'ho trovato dal vicino!",
        "Mi potete mandare la fattura con la partita IVA?",
    ],
}


def rules_file(folder: Path, reason: str = LEGAL, pattern: str = r"\blawyers?\b", unless: str = "mug") -> Path:
    path = folder / "guard.yaml"
    path.write_text(
        f"version: 1\nrules:\n  - id: legal.lawyer.en\n    reason: {reason}\n    languages: [en]\n"
        f"    any:\n      - '{pattern}'\n    unless:\n      - '{unless}'\n",
        encoding="utf-8",
    )
    return path


def guard_from(path: Path) -> RuleGuard:
    return RuleGuard(load_yaml(path, GuardRules), starter_taxonomy())


@pytest.mark.parametrize(
    ("language", "message", "reason"),
    [(language, *case) for language, cases in RAISES.items() for case in cases],
)
def test_a_message_for_a_person_raises_the_guard_with_its_reason(language: str, message: str, reason: str) -> None:
    assert reason in {hit.reason for hit in starter_guard().hits(message)}, language


@pytest.mark.parametrize(
    ("language", "message"), [(language, text) for language, texts in INNOCENT.items() for text in texts]
)
def test_an_innocent_look_alike_stays_silent_in_every_language_of_the_rules(language: str, message: str) -> None:
    assert starter_guard().hits(message) == [], language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_human_only_reason_has_three_to_eight_rules_in_every_language(language: str) -> None:
    rules = load_yaml(RULES_FILE, GuardRules).rules
    for reason in starter_taxonomy().with_autonomy(Autonomy.HUMAN_ONLY):
        own = [rule for rule in rules if rule.reason == reason and language in rule.languages]
        assert 3 <= len(own) <= 8, reason


def test_rule_ids_are_unique_and_end_in_their_language() -> None:
    rules = load_yaml(RULES_FILE, GuardRules).rules
    assert len({rule.id for rule in rules}) == len(rules)
    assert all((rule.id.rpartition(".")[2],) == rule.languages for rule in rules)


def test_a_message_is_checked_against_all_languages_whatever_it_is_written_in() -> None:
    hits = starter_guard().hits("Grazie per il pacco. Also: my lawyer will write. Und ein Stern von mir!")
    assert {(hit.reason, hit.rule.rpartition(".")[2]) for hit in hits} >= {(LEGAL, "en"), (FEEDBACK, "de")}


def test_accents_capitals_and_line_breaks_do_not_hide_a_threat() -> None:
    for text in ("MISE EN DEMEURE", "mise\nen\u00a0demeure", "Mise  en   demeuré"):
        assert LEGAL in {hit.reason for hit in starter_guard().hits(text)}


def test_a_look_alike_does_not_silence_the_real_thing_next_to_it() -> None:
    text = "The fake fur collar is fine but the watch itself is a fake."
    assert [hit.words for hit in starter_guard().hits(text) if hit.reason == SAFETY]


def test_hits_come_in_file_order_with_the_folded_words_that_raised_them(tmp_path: Path) -> None:
    guard = guard_from(rules_file(tmp_path))
    (hit,) = guard.hits("My LÁWYERS will write")
    assert (hit.rule, hit.reason, hit.words) == ("legal.lawyer.en", LEGAL, "lawyers")


def test_words_listed_under_unless_are_removed_before_matching(tmp_path: Path) -> None:
    guard = guard_from(rules_file(tmp_path, unless=r"\blawyer mug\b"))
    assert guard.hits("a lawyer mug please") == []
    assert len(guard.hits("a lawyer mug please, says my lawyer")) == 1


def test_an_empty_message_raises_nothing() -> None:
    assert starter_guard().hits("") == []
    assert starter_guard().hits(" \n\t ") == []


def test_a_rule_for_a_reason_that_is_not_human_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="not human_only: tracking_update"):
        guard_from(rules_file(tmp_path, reason="tracking_update"))


@pytest.mark.parametrize(
    ("field", "line", "pattern", "why"),
    [
        ("pattern", 7, "(unclosed", "not a regular expression"),
        ("pattern", 7, "Lawyer", "can never match"),
        ("pattern", 7, "pr\u00e9judice", "can never match"),
        ("unless", 9, "[a-", "not a regular expression"),
        ("unless", 9, "caf\u00e9", "can never match"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_file_and_line(
    tmp_path: Path, field: str, line: int, pattern: str, why: str
) -> None:
    path = rules_file(tmp_path, **{field: pattern})
    with pytest.raises(DataFileError, match=why) as caught:
        guard_from(path)
    reported = re.match(rf"{re.escape(str(path))}:(\d+): ", str(caught.value))
    assert reported
    assert line - 1 <= int(reported[1]) <= line


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        "a ",
        "1",
        "1,",
        "12,50 \u20ac ",
        "\u00a312 card ",
        "hand face my ",
        "child fell ",
        "leave a ",
        "was is been ",
    ],
)
def test_a_very_long_hostile_message_is_judged_to_its_end(unit: str) -> None:
    text = (unit * 200_000)[:60_000] + " my lawyer will write"
    assert LEGAL in {hit.reason for hit in starter_guard().hits(text)}


def test_only_the_first_two_hundred_thousand_characters_are_read() -> None:
    guard = starter_guard()
    assert LEGAL not in {hit.reason for hit in guard.hits("\u00b7" * 200_000 + " my lawyer")}


def test_no_pattern_holds_a_gap_or_repeated_group_without_a_bound() -> None:
    unbounded = re.compile(r"\.[*+]|\)[*+]|\][*+]")
    file = load_yaml(RULES_FILE, GuardRules)
    patterns = [(rule.id, pattern) for rule in file.rules for pattern in (*rule.any, *rule.unless)]
    patterns += [(like.id, pattern) for like in file.look_alikes for pattern in like.any]
    found = [(owner, pattern) for owner, pattern in patterns if unbounded.search(pattern)]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "without"),
    [
        (r"a(?!\()b", "ab"),
        (r"x(?![)])y", "xy"),
        (r"x(?<=[^]()])y", "xy"),
        (r"\(?!x(?=a(?:b|\))c)z", r"\(?!xz"),
        (r"a(?:b|(?!c(d)e)f)", "a(?:b|f)"),
    ],
)
def test_look_around_is_cut_out_whole(pattern: str, without: str) -> None:
    assert _without_look_around(pattern) == without


@pytest.mark.parametrize(
    "text",
    [
        "We were both Michał sick since yesterday",
        "Both Paweł and I ill after eating this",
        "please delete moje całe data",
    ],
)
def test_letters_of_other_alphabets_hide_no_danger(text: str) -> None:
    assert starter_guard().hits(text)
