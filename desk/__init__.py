"""What happened? Tables, the ledger of events, the inbox, importers and the top-reasons report.

DeskError
    ├── DatabaseError           desk.database       wrong URL, unreachable server, unknown revision, lost connection
    ├── UnknownTicketError      desk.ledger         no ticket has this id
    ├── IncomingTicketError     desk.ticket         an incoming ticket has no text, is too long, has no id, ...
    ├── UnknownReasonError      desk.inbox          the taxonomy has no such contact reason
    ├── UntaggedError           desk.inbox          no ticket can be resolved untagged
    ├── TicketStateError        desk.inbox          the act does not fit the state, for example resolving twice
    ├── UnknownColleagueError   desk.people         nobody of this name works at this desk
    ├── SnoozeError             desk.snoozing       a ticket cannot be put off until then
    ├── CollisionError          desk.teamwork       somebody else acted on the ticket since it was looked at
    ├── TaggerUnavailableError  desk.tagging        the tagger cannot answer; tickets wait as `undecided`
    ├── TableError              desk.text_encoding  a file cannot be read as a table of text
    ├── MappingError            desk.mapping        columns and fields do not fit together
    ├── RowRefusedError         desk.ticket_rows    one row cannot become a ticket; it goes to the rejects file
    ├── WriterError             desk.writer         an act was not written; `Database.write` makes it a DatabaseError
    ├── UnknownJobError         desk.jobs.queue     no dead job has this id
    ├── NotNowError             desk.jobs.run       a handler cannot work now; its jobs wait
    ├── MailError               desk.mail           a mail server, an account or an answer by mail; the tree is there
    ├── UnknownMacroError       desk.macro_library  no macro or version of this name
    ├── MacroContentError       desk.macro_library  a macro's words or conditions cannot be stored
    ├── SignatureError          desk.webhooks       a delivery is not proven to come from who shares our secret
    ├── PayloadError            desk.webhooks       a proven delivery lacks a field; the message names its path
    ├── OrderDataError          desk.order_facts    another system's order cannot be read
    ├── OrderSourceDownError    desk.order_table    the order system does not answer, or not usably
    ├── WindowError             desk.top_reasons    a report window that ends before it starts
    └── FilterError             desk.metrics.scope  a filter or grouping of a report that there is not
"""


class DeskError(Exception):
    """Base of every error of the desk; the message says what was wrong, where, and what to do."""
