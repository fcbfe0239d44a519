"""Tables as Arrow: what the store holds is what lines give, and what Arrow cannot say goes as lines."""

import datetime
import decimal
import math

import numpy
import pandas
import pyarrow
import pytest

import windvane
from kit import ARROW, accounted, eventually, run_python

NDJSON = "application/x-ndjson"
N = 128
WHEN = pandas.date_range("2013-01-01", periods=N, freq="s")


def frame(**columns):
    """Rows enough to go as Arrow."""
    return pandas.DataFrame({"x": numpy.arange(N) / 4, "s": 0.5, **columns})


def sent(collector, table, **settings):
    """Logs a table to the faulty collector; answers the records, and in which form they came."""
    columns = {name: settings.pop(name) for name in list(settings) if name not in ("wire", "redaction", "spool_dir")}
    client = windvane.init(collector.url, model="m", flush_interval_s=0.02, **settings)
    windvane.log_dataframe(table, **columns)
    assert windvane.flush(20)
    stats = client.stats()
    client.close()
    assert accounted(stats) == stats.received == stats.logged == len(table)
    return collector.records["predictions"], set(collector.forms)


EVERYTHING = {
    "whole": range(N),
    "single": numpy.arange(N, dtype="float32") / 3,
    "flag": [i % 2 == 0 for i in range(N)],
    "gaps": [None if i % 3 == 0 else i / 8 for i in range(N)],
    "wild": [(math.inf, -math.inf, math.nan, 1.5)[i % 4] for i in range(N)],
    "nothing": [None] * N,
    "carrier": ["UA" if i % 2 else "DL" for i in range(N)],
    "cabin": pandas.Categorical(["first" if i % 5 else None for i in range(N)]),
    "large": numpy.full(N, 2**63 + 2**40, dtype="uint64"),
    "lang": ["de" if i % 7 else None for i in range(N)],
    "when": WHEN,
    "unit": [f"N{i % 9}" for i in range(N)],
    "took": range(100, 100 + N),
    "text": [[i / 2, -1.0] for i in range(N)],
}
NAMED = {"ts": "when", "unit_id": "unit", "latency_us": "took", "embeddings": ["text"], "tags": ["lang"]}
SCORES = frame(**EVERYTHING)
CASES = {
    "scores, some not finite": (SCORES.assign(s=[(0.25, math.nan, math.inf, 0.5)[i % 4] for i in range(N)]), {"score": "s"}),
    "labels and probabilities": (
        SCORES.assign(y=["late" if i % 2 else "on_time" for i in range(N)], p=0.75, q=[math.nan if i == 5 else 0.25 for i in range(N)]),
        {"label": "y", "probabilities": {"late": "p", "on_time": "q"}},
    ),
    "whole labels": (SCORES.assign(y=[i % 3 for i in range(N)]), {"label": "y"}),
    "values, single": (SCORES.assign(v=numpy.arange(N, dtype="float32") / 7), {"value": "v"}),
    "a table of Arrow": (pyarrow.Table.from_pandas(SCORES, preserve_index=False), {"score": "s"}),
    "no answer": (SCORES, {}),
}


@pytest.fixture
def forms(monkeypatch):
    """The content types of what goes to the real service."""
    from windvane._transport import Transport

    seen = []
    request = Transport.request

    def spied(self, method, path, body=None, headers=None):
        seen.append(headers["content-type"])
        return request(self, method, path, body, headers)

    monkeypatch.setattr(Transport, "request", spied)
    return seen


def test_the_store_holds_the_same_rows_whichever_way_they_came(service, forms):
    for number, (table, columns) in enumerate(CASES.values()):
        for wire in ("ndjson", "arrow"):
            client = windvane.init(service.url, model=f"wire{number}-{wire}", version="7", flush_interval_s=0.02, wire=wire)
            windvane.log_dataframe(table, **columns, **NAMED, environment="prod", arms={"ranker": "B"})
            assert windvane.flush(30)
            stats = client.stats()
            client.close()
            assert stats.logged == stats.received == N, stats
            assert set(forms) == {ARROW if wire == "arrow" else NDJSON}
            forms.clear()
    columns = (
        "ts, version, environment, unit_id, arms, num, cat, kind, score, label, probabilities, value, "
        "latency_us, status, tags, embeddings"
    )
    rows = f"SELECT model, count() AS n, sum(cityHash64({columns})) AS hash FROM predictions WHERE model LIKE 'wire%' GROUP BY model"
    found = eventually(lambda: (held := service.query(rows)) and sum(int(row["n"]) for row in held) == N * 2 * len(CASES) and held)
    hashes = {row["model"]: row["hash"] for row in found}
    differ = [case for number, case in enumerate(CASES) if hashes[f"wire{number}-ndjson"] != hashes[f"wire{number}-arrow"]]
    assert differ == []
    not_finite = service.query("SELECT count() AS n FROM predictions WHERE model LIKE 'wire%-arrow' AND status = 'non_finite'")
    assert int(not_finite[0]["n"]) == N // 2 + 1


@pytest.mark.parametrize(
    "column",
    [
        {"d": WHEN},
        {"d": [decimal.Decimal("1.5")] * N},
        {"d": [datetime.date(2013, 1, 1)] * N},
        {"d": [1, "a"] * (N // 2)},
        {"d": [True, 2.5] * (N // 2)},
        {"d": pandas.Series(["\ud800"] * N, dtype=object)},
        {"d": [2**70] * N},
    ],
    ids=["moments", "decimals", "dates", "texts and numbers", "booleans and numbers", "half a pair", "beyond 64 bits"],
)
def test_what_arrow_would_say_otherwise_goes_as_lines(column, collector):
    _, forms = sent(collector, frame(**column), score="s", wire="arrow")
    assert forms == {NDJSON}


@pytest.mark.parametrize(
    ("columns", "changed"),
    [
        ({"label": "d"}, {"d": [0.5] * N}),
        ({"label": "d"}, {"d": ["late", None] * (N // 2)}),
        ({"unit_id": "d"}, {"d": ["N1", None] * (N // 2)}),
        ({"ts": "d"}, {"d": [1_356_998_400.5] * N}),
        ({"tags": ["d"]}, {"d": range(N)}),
        ({"embeddings": ["d"]}, {"d": [[1.0, math.nan]] * N}),
        ({"unit_id": "d", "shared": 1.5}, {"d": ["N1"] * N}),
    ],
    ids=["float labels", "missing labels", "missing units", "seconds", "numbers as tags", "embeddings that are not finite", "other fields"],
)
def test_fields_that_need_a_look_at_each_value_go_as_lines(columns, changed, collector):
    _, forms = sent(collector, frame(**changed), wire="arrow", **columns)
    assert forms == {NDJSON}


def test_redaction_and_a_spool_take_lines(collector, tmp_path):
    records, forms = sent(collector, frame(email="a@b.c"), wire="arrow", redaction=windvane.Redaction(drop=["email"]))
    assert forms == {NDJSON} and "a@b.c" not in str(records)
    assert sent(collector, frame(), wire="arrow", spool_dir=tmp_path)[1] == {NDJSON}


def test_few_rows_and_single_events_go_together_as_lines_beside_tables(client, collector):
    windvane.log_dataframe(frame()[:5], score="s")
    windvane.log_prediction({"x": 1.0}, score=0.5)
    windvane.log_dataframe(frame(), score="s")
    assert windvane.flush(20)
    assert sorted(zip(collector.forms, [n for _, _, n in collector.requests])) == [(ARROW, N), (NDJSON, 6)]
    assert client.stats().received == N + 6


def test_a_sample_and_categories_that_change_share_a_stream(collector):
    collector.always = 503
    client = windvane.init(
        collector.url, model="m", sample_rate=0.5, flush_interval_s=5, batch_events=10_000, retry_delay_s=0.01, retry_delay_max_s=0.02
    )
    ids = []
    for kind in ("a", "b", "c"):
        ids += windvane.log_dataframe(frame(kind=pandas.Categorical([kind, None] * (N // 2))), score="s")
    collector.always = None
    assert windvane.flush(20)
    records = collector.records["predictions"]
    assert [record["event_id"] for record in records] == [i for i in ids if client.keeps(i)]
    assert {record["features"].get("kind") for record in records} == {"a", "b", "c", None}
    assert set(collector.forms) == {ARROW} and len(collector.keys) == 1
    client.close()


def test_a_stream_that_is_too_large_is_sent_in_halves(client, collector):
    collector.events_max = 20
    ids = windvane.log_dataframe(frame(), score="s")
    assert windvane.flush(20)
    assert [record["event_id"] for record in collector.records["predictions"]] == list(ids)
    assert set(collector.forms) == {ARROW} and client.stats().received == N


def test_wide_tables_are_cut_into_requests(client, collector):
    wide = pandas.DataFrame(numpy.random.default_rng(7).normal(size=(2_000, 900)), columns=[f"f{k}" for k in range(900)])
    ids = windvane.log_dataframe(wide)
    assert windvane.flush(20)
    assert [record["event_id"] for record in collector.records["predictions"]] == list(ids)
    assert [n for _, _, n in collector.requests] == [1_000, 1_000]


def test_faults_cost_tables_nothing_but_time(client, collector):
    collector.plan = [503, "lost", "away", 429]
    windvane.log_dataframe(frame(), score="s")
    assert windvane.flush(20)
    stats = client.stats()
    assert (stats.received, stats.retries >= 3, accounted(stats)) == (N, True, N)
    assert len({key for _, key, _ in collector.requests}) == 1


def test_rows_that_the_collector_refuses_are_counted(client, collector):
    windvane.log_dataframe(frame(), score="s", model="refused")
    assert windvane.flush(20)
    assert client.stats().rejected == N


WITHOUT = "import sys\nsys.modules['pyarrow'] = None\nimport windvane\n"


def test_nothing_imports_pyarrow_but_who_asks_for_it(collector):
    rows = f"{{'x': [0.5] * {N}, 's': [0.5] * {N}}}"
    program = (
        f"import sys, windvane\nwindvane.init('{collector.url}', model='m')\n"
        f"class Frame(dict):\n    def __len__(self): return {N}\n"
        f"windvane.log_dataframe(Frame({rows}), score='s')\nassert windvane.flush(20)\n"
        f"assert windvane.stats().received == {N}, windvane.stats()\nassert 'pyarrow' not in sys.modules\n"
    )
    done = run_python(program)
    assert done.returncode == 0, done.stderr
    assert set(collector.forms) == {NDJSON}
    done = run_python(program.replace("model='m'", "model='m', wire='arrow'").replace("not in sys", "in sys"))
    assert done.returncode == 0, done.stderr
    assert collector.forms[-1] == ARROW


def test_without_pyarrow_arrow_is_refused_at_the_start():
    done = run_python(WITHOUT + "windvane.init('http://127.0.0.1:9', wire='arrow')")
    assert "ValueError: wire is 'arrow', which needs pyarrow" in done.stderr
    with pytest.raises(ValueError, match="accepted are 'auto', 'ndjson' and 'arrow'"):
        windvane.init("http://127.0.0.1:9", wire="avro")
