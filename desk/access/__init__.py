"""Who may do what at the desk, who did it, and how personal data is taken out again.

AccessError (a DeskError)
    ├── AccountError        desk.access.accounts   a name, role or account that cannot be; also raised by `federation`
    ├── PasswordError       desk.access.passwords  a password that is too weak
    ├── BusyError           desk.access.passwords  too many passwords are being checked at once
    ├── SignInError         desk.access.accounts   wrong name or password, in the same words for both
    ├── ThrottledError      desk.access.throttle   too many attempts; says when to try again
    ├── ApiKeyError         desk.access.api_keys   a key that cannot be made or found
    ├── AuditError          desk.access.audit      an entry that cannot be kept, an anchor that cannot be read
    └── ErasureError        desk.access.erasure    nothing, or too little, is said about what to erase
"""

from desk import DeskError


class AccessError(DeskError):
    """Base of the errors of this room."""
