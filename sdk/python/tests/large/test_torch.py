"""PyTorch, the real one: gigabytes, so that `make sdk-torch` runs this and `make test` does not."""

import numpy
import pytest
import torch

import windvane
from windvane.hooks.torch import hook

X = torch.linspace(-1.0, 1.0, 12).reshape(4, 3)
NAMES = ["a", "b", "c"]


class Net(torch.nn.Module):
    """Two classes, or as many outputs as are asked for."""

    def __init__(self, outputs=2):
        super().__init__()
        torch.manual_seed(7)
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, outputs))

    def forward(self, x, scale=1.0):
        made = self.layers(x) * scale
        return made.softmax(dim=1) if made.shape[1] > 1 else made


def sent(collector):
    assert windvane.flush(20)
    return collector.records.get("predictions", [])


def check_features(records, tolerance=1e-6):
    got = [[record["features"][name] for name in NAMES] for record in records]
    numpy.testing.assert_allclose(got, X.numpy(), rtol=tolerance, atol=tolerance)


def test_a_module_is_watched_in_place_and_answers_the_same(client, collector):
    module = Net().eval()
    expected = module(X)
    assert windvane.watch(module, model="net", version="3", feature_names=NAMES) is module
    answered = module(X)
    assert torch.equal(answered, expected) and answered.requires_grad
    ids = list(windvane.event_ids())
    records = sent(collector)
    assert ids == [record["event_id"] for record in records] and len(records) == 4
    check_features(records)
    numpy.testing.assert_allclose([record["prediction"]["score"] for record in records], expected[:, 1].detach(), rtol=1e-6)
    assert {(record["model"], record["version"]) for record in records} == {("net", "3")}
    assert all(record["latency_us"] >= 0 for record in records)


@pytest.mark.parametrize("outputs", [1, 3])
def test_numbers_are_values_and_more_classes_are_labels(outputs, client, collector):
    module = Net(outputs)
    windvane.watch(module, feature_names=NAMES)
    answered = module(X).detach()
    predictions = [record["prediction"] for record in sent(collector)]
    if outputs == 1:
        numpy.testing.assert_allclose([held["value"] for held in predictions], answered[:, 0], rtol=1e-6)
    else:
        assert [int(held["label"]) for held in predictions] == answered.argmax(dim=1).tolist()
        assert set(predictions[0]["probabilities"]) == {"0", "1", "2"}


def test_gradients_flow_through_a_watched_module(client, collector):
    plain, watched = Net(), Net()
    windvane.watch(watched, feature_names=NAMES)
    for module in (plain, watched):
        torch.nn.functional.cross_entropy(module(X), torch.tensor([0, 1, 0, 1])).backward()
    for expected, got in zip(plain.parameters(), watched.parameters()):
        assert torch.equal(expected.grad, got.grad)
    assert len(sent(collector)) == 4


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-6), (torch.bfloat16, 1e-2), (torch.float16, 1e-3)])
def test_numbers_of_other_widths_are_recorded(kind, tolerance, client, collector):
    module = Net().to(kind)
    windvane.watch(module, feature_names=NAMES)
    with torch.inference_mode():
        module(X.to(kind))
    records = sent(collector)
    assert len(records) == 4
    check_features(records, tolerance)


def test_input_by_name_is_recorded(client, collector):
    module = Net()
    windvane.watch(module, feature_names=NAMES)
    module(x=X, scale=0.5)
    module(X, scale=0.5)
    records = sent(collector)
    assert len(records) == 8
    check_features(records[:4])
    check_features(records[4:])


def test_a_compiled_and_a_scripted_module_stay_what_they_are(client, collector):
    module = Net().eval()
    windvane.watch(module, model="eager", feature_names=NAMES)
    scripted = torch.jit.trace(Net().eval(), X)
    windvane.watch(scripted, model="scripted", feature_names=NAMES)
    compiled = torch.compile(Net().eval(), backend="eager")
    windvane.watch(compiled, model="compiled", feature_names=NAMES)
    made = [made(X) for made in (module, scripted, compiled)]
    assert torch.equal(made[0], made[2]) and torch.allclose(made[0], made[1])
    records = sent(collector)
    assert sorted({record["model"] for record in records}) == ["compiled", "eager", "scripted"] and len(records) == 12


def test_what_a_module_raises_goes_on_and_images_are_no_features(client, collector):
    module = Net()
    windvane.watch(module, feature_names=NAMES)
    with pytest.raises(RuntimeError, match="shapes"):
        module(torch.zeros(4, 5))
    images = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    windvane.watch(images)
    images(torch.zeros(2, 3, 32, 32))
    assert [("score" in record["prediction"], "features" in record) for record in sent(collector)] == [(True, False)] * 2


def test_hooks_come_off_again(client, collector):
    module = Net()
    remove = hook(module, {"feature_names": NAMES})
    module(X)
    remove()
    module(X)
    assert len(sent(collector)) == 4
