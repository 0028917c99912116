"""When do we say it, and how? The chat's conversations, the decision to answer or hand off, and the widget.

BotError (bot.session_store)
    ├── UnknownSessionError    no session has this id
    ├── WrongTokenError        the token is not this session's; clients are told the same
    ├── BusySessionError       other messages of the same session kept arriving first
    ├── EmptyMessageError      nothing was said
    ├── MessageTooLongError    more than MAX_MESSAGE characters
    ├── AutonomyError          bot.autonomy           a level cannot be turned like that
    └── ThresholdError         bot.threshold_choice   no threshold can be chosen or stored
"""

from bot.conversations import MAX_MESSAGE, Conversations, EmptyMessageError, MessageTooLongError
from bot.session_store import BotError, BusySessionError, UnknownSessionError, Vouched, WrongTokenError
from bot.turn import Act, Choice, Entry, Role, Said, Started, Turn

__all__ = [
    "MAX_MESSAGE",
    "Act",
    "BotError",
    "BusySessionError",
    "Choice",
    "Conversations",
    "EmptyMessageError",
    "Entry",
    "MessageTooLongError",
    "Role",
    "Said",
    "Started",
    "Turn",
    "UnknownSessionError",
    "Vouched",
    "WrongTokenError",
]
