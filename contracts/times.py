"""Time on the wire: ISO 8601 with a zone. A time without one is refused, for nobody could say when it was."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

UtcTime = Annotated[datetime, msgspec.Meta(tz=True)]
