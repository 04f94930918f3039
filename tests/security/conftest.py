"""Jobs on the shared session, as the tests of jobs run them."""

from tests.jobs.conftest import end_of

__all__ = ["end_of"]
