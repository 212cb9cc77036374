"""Local time stamps, one by one, with the offset from UTC that they had."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twinvae.process.notices import shortened


class LocalTimes:
    """Gives each local time stamp the offset that it had in a zone, as `twinvae.tables.times.with_offsets` does.

    Where clocks are set back, a stamp is of the first of the two hours unless that would not be after the one before.
    """

    def __init__(self, zone: str) -> None:
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{zone!r} is no time zone: name one as Europe/Berlin or America/New_York") from None
        self.last: float | None = None  # the instant of the stamp before, in seconds since 1970

    def stamp(self, time: Any) -> Any:
        """A time stamp with its offset; as it stands if it is a number, or has one.

        Raises:
            ValueError: if it is no ISO date and time, or never was in the zone.
        """
        if not isinstance(time, str) or _is_number(time):
            return time
        try:
            local = datetime.fromisoformat(time.strip().replace("/", "-"))
        except ValueError:
            raise ValueError(
                f"the time stamp {shortened(time)!r} is not as 2026-01-31 23:59:00: see --time-zone"
            ) from None
        if local.tzinfo is not None:
            return time
        first, second = (local.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if first.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != local:
            raise ValueError(f"{time} never was in {self._zone.key}: clocks were set forward over it")
        is_second = self.last is not None and first.timestamp() <= self.last
        chosen = second if is_second else first
        self.last = chosen.timestamp()
        offset = chosen.strftime("%z")
        return f"{time.strip()}{offset[:3]}:{offset[3:5]}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
