"""Traffic as Python writes it: archives of NumPy in every layout, Arrow, Parquet."""

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from conftest import gate

FLOAT, INT64, TEXT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING
POLICY = "[agreement]\nrate_min = 0.5\natol = 0.0\n"


@pytest.fixture
def probe(broken, tmp_path):
    """A model that passes three inputs through."""
    (tmp_path / "gate.toml").write_text(POLICY)
    node = onnx.helper.make_node
    return broken(
        "probe",
        [node("Identity", ["x"], ["y"]), node("Identity", ["n"], ["m"]), node("Identity", ["s"], ["t"])],
        [("x", FLOAT, [None, 3]), ("n", INT64, [None]), ("s", TEXT, [None, 1])],
        [("y", FLOAT, [None, 3]), ("m", INT64, [None]), ("t", TEXT, [None, 1])],
    )


def rows(n):
    rng = np.random.default_rng(3)
    return {
        "x": rng.standard_normal((n, 3)).astype(np.float32),
        "n": rng.integers(-9, 9, n),
        "s": np.array([["ä" * (i % 5)] for i in range(n)]),
    }


def write(kind, path, data):
    table = pa.table({
        "x": pa.FixedSizeListArray.from_arrays(pa.array(data["x"].reshape(-1)), 3),
        "n": pa.array(data["n"]),
        "s": pa.array(data["s"][:, 0].tolist()),
    })
    match kind:
        case "npz":
            np.savez(path, **data)
        case "deflated npz":
            np.savez_compressed(path, **data)
        case "fortran npz":
            np.savez(path, **(data | {"x": np.asfortranarray(data["x"])}))
        case "big-endian npz":
            np.savez(path, **(data | {"x": data["x"].astype(">f4"), "n": data["n"].astype(">i8")}))
        case "parquet":
            pyarrow.parquet.write_table(table, path, row_group_size=100)
        case "feather":
            pyarrow.feather.write_feather(table, path, chunksize=77)
        case "stream":
            with pa.ipc.new_stream(path, table.schema) as stream:
                stream.write_table(table, max_chunksize=300)


@pytest.mark.parametrize("kind, name", [
    ("npz", "a.npz"), ("deflated npz", "a.npz"), ("fortran npz", "a.npz"), ("big-endian npz", "a.npz"),
    ("parquet", "a.parquet"), ("feather", "a.feather"), ("stream", "a.arrows"),
])
def test_every_format_brings_the_same_requests(kind, name, probe, tmp_path):
    data = rows(600)
    write(kind, tmp_path / name, data)
    found = gate(probe, probe, tmp_path / name, "--policy", tmp_path / "gate.toml", "--batch-max", "16")
    assert found.code == 0, found.error or found.document["checks"]
    assert found.document["requests"] == 600
    # What the champion gives back of the last requests is what was written: the noise floor saw every value.
    assert found.document["agreement"]["noise"]["max_abs"] == 0.0


def test_values_arrive_where_they_belong(probe, broken, tmp_path):
    """A candidate that adds 1 to the second of three numbers is off there, by 1, on the inputs that were written."""
    node = onnx.helper.make_node
    one = onnx.helper.make_tensor("one", FLOAT, [3], [0.0, 1.0, 0.0])
    off = broken(
        "off",
        [node("Constant", [], ["c"], value=one), node("Add", ["x", "c"], ["y"]), node("Identity", ["n"], ["m"]), node("Identity", ["s"], ["t"])],
        [("x", FLOAT, [None, 3]), ("n", INT64, [None]), ("s", TEXT, [None, 1])],
        [("y", FLOAT, [None, 3]), ("m", INT64, [None]), ("t", TEXT, [None, 1])],
    )
    data = rows(50)
    for kind, name in [("fortran npz", "a.npz"), ("parquet", "a.parquet")]:
        write(kind, tmp_path / name, data)
        found = gate(probe, off, tmp_path / name, "--policy", tmp_path / "gate.toml")
        assert found.code == 1
        worst = found.document["agreement"]["worst"][0]
        row = worst["request"]
        np.testing.assert_allclose(worst["inputs"]["x"]["first"], data["x"][row])
        assert worst["inputs"]["s"]["first"] == [data["s"][row, 0]]
        assert worst["inputs"]["n"]["first"] == [data["n"][row]]
        np.testing.assert_allclose(worst["candidate"]["y"]["first"][1], data["x"][row][1] + 1, rtol=1e-6)


@pytest.mark.parametrize("share, code, verdict", [(0.01, 0, "pass"), (0.001, 2, "inconclusive")])
def test_rows_with_broken_cells_are_left_out_named_and_bounded(share, code, verdict, probe, tmp_path):
    data = rows(600)
    table = pa.table({
        "x": pa.FixedSizeListArray.from_arrays(pa.array(data["x"].reshape(-1)), 3),
        "n": pa.array([None if row in (7, 500) else int(n) for row, n in enumerate(data["n"])]),
        "s": pa.array(data["s"][:, 0].tolist()),
    })
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "bounded.toml").write_text(f"[gate]\nmin_requests = 500\nskipped_share_max = {share}\n\n{POLICY}")
    found = gate(probe, probe, tmp_path / "a.parquet", "--policy", tmp_path / "bounded.toml")
    assert found.code == code, found.error or found.document["checks"]
    skipped = found.document["skipped"]
    assert (found.document["requests"], skipped["n"]) == (598, 2)
    assert [one["request"] for one in skipped["first"]] == [7, 500]
    assert "row 500 of `n`" in skipped["first"][1]["reason"], skipped
    [check] = [check for check in found.document["checks"] if check["check"] == "skipped"]
    assert check["verdict"] == verdict, check


def test_traffic_of_which_no_row_can_be_asked_does_not_fit(probe, tmp_path):
    table = pa.table({"x": pa.array([[1.0, 2.0, 3.0]] * 3), "n": pa.array([None] * 3, pa.int64()), "s": pa.array(["a"] * 3)})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    found = gate(probe, probe, tmp_path / "a.parquet", "--policy", tmp_path / "gate.toml")
    assert found.code == 65 and "row 0 of `n`" in found.error, found.error


def test_pickles_are_refused(probe, tmp_path):
    data = rows(5)
    np.savez(tmp_path / "a.npz", **(data | {"s": np.array([["a"]] * 5, dtype=object)}))
    found = gate(probe, probe, tmp_path / "a.npz", "--policy", tmp_path / "gate.toml")
    assert found.code == 65 and "pickle" in found.error, found.error


def test_strata_of_another_length_than_the_inputs_are_refused(probe, tmp_path):
    np.savez(tmp_path / "a.npz", **rows(600), lane=np.array(["a", "b"] * 200))
    more = ("--policy", tmp_path / "gate.toml", "--sample", "50", "--sample-by", "lane")
    found = gate(probe, probe, tmp_path / "a.npz", *more)
    assert found.code == 65 and "`lane` has 400, `inputs` has 600" in found.error, found.error


def test_a_time_that_is_no_instant_is_refused(probe, tmp_path):
    np.savez(tmp_path / "a.npz", **rows(5), when=np.array(["2013-01-01"] * 5))
    more = ("--policy", tmp_path / "gate.toml", "--pace", "original", "--time", "when")
    found = gate(probe, probe, tmp_path / "a.npz", *more)
    assert found.code == 65 and "`2013-01-01`, which is no instant" in found.error, found.error


def test_numbers_beyond_the_inputs_type_are_left_out_and_named(broken, tmp_path):
    model = broken("single", [onnx.helper.make_node("Identity", ["x"], ["y"])], [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])
    (tmp_path / "gate.toml").write_text(POLICY)
    pyarrow.parquet.write_table(pa.table({"x": pa.array([0.5] * 300 + [1e39])}), tmp_path / "a.parquet")
    found = gate(model, model, tmp_path / "a.parquet", "--policy", tmp_path / "gate.toml")
    assert (found.code, found.document["requests"]) == (0, 300), found.error or found.document["checks"]
    assert "e39, which float32 cannot hold" in found.document["skipped"]["first"][0]["reason"]
