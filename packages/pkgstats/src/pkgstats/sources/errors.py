"""What can go wrong with a source.

SourceError
├── AddressError        an address is not known; the message says what to set
├── UnreachableError    no answer, or one that broke off
├── WrongRegistryError  a registry that does not know what must be there
├── AnswerError         an answer that is too large, malformed, or not what was asked for
├── StatusError         a status that is no answer
│   └── MissingError    404 or 410: it is not there
├── BusyError           the next request may go later than the caller is ready to wait
└── BudgetError         the requests of this day are used up
"""

from __future__ import annotations


class SourceError(Exception):
    """Something is wrong with a source, or with what it answered."""


class AddressError(SourceError):
    """An address is not known or is none; the message says what to set."""


class UnreachableError(SourceError):
    """No answer came, or it broke off."""


class WrongRegistryError(SourceError):
    """A registry does not know the packages that are known to be there: it is another one."""


class AnswerError(SourceError):
    """An answer is too large, malformed, or not what was asked for."""


class StatusError(SourceError):
    """The status says that this is no answer.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class MissingError(StatusError):
    """What was asked for is not there."""


class BusyError(SourceError):
    """The next request may go later than the caller is ready to wait.

    Attributes:
        wait_s: seconds until it may go.
    """

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class BudgetError(SourceError):
    """The requests of this day are used up.

    Attributes:
        until: when the next day begins, seconds since 1970, UTC.
    """

    def __init__(self, message: str, until: float) -> None:
        super().__init__(message)
        self.until = until
