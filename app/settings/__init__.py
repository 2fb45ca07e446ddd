"""Every knob of the service, by topic. Read once from the environment, then passed to whatever needs it.

`SAMEFACE_PORT=9000` sets `port`. There is no instance at module level: `load_settings()` makes one.
"""

from app.settings.limits import check_rate
from app.settings.serving import is_loopback
from app.settings.settings import Settings, described, load_settings, markdown_table, unknown_variables, variable

__all__ = [
    "Settings",
    "check_rate",
    "described",
    "is_loopback",
    "load_settings",
    "markdown_table",
    "unknown_variables",
    "variable",
]
