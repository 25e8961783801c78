"""Runtimes as entries ask for them: what is applied before, what is refused, and what stays as it was."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from torch import nn

from hrbench.cost.forward import emulated
from hrbench.errors import EntryError, UnavailableError, UsageError
from hrbench.models.runtimes import compiled, onnxruntime
from hrbench.models.runtimes.availability import usable_cpus
from hrbench.models.runtimes.compiled import Compiled
from hrbench.models.runtimes.configured import Configured, in_force
from hrbench.models.runtimes.cuda_graph import CudaGraph
from hrbench.models.runtimes.eager import Eager
from hrbench.models.runtimes.export import Export
from hrbench.models.runtimes.onnxruntime import OnnxRuntime
from hrbench.types import RuntimeSettings

IMAGE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Several(nn.Module):
    """Outputs in a form of their own, one of them by a hook, as adapters add them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.register_forward_hook(lambda net, given, output: {"maps": output, "mean": output[0].mean((2, 3))})

    def forward(self, images):
        made = self.norm(self.conv(images))
        return [made, made.relu()]


def network() -> nn.Module:
    torch.manual_seed(0)
    net = Several().eval()
    net.norm.running_mean = torch.rand(4)
    return net


@pytest.mark.parametrize("inner", [Export(), OnnxRuntime()])
def test_outputs_keep_their_form(inner: Export | OnnxRuntime):
    net = network()
    with torch.inference_mode():
        expected = net(IMAGE)
        found = inner.prepare(net, IMAGE)(IMAGE)
    assert list(found) == ["maps", "mean"] and isinstance(found["maps"], list)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # seen: 2e-7


class Forking(nn.Module):
    """Another code path for other values, which no graph of operators has."""

    def forward(self, images):
        return images if images.sum() > 0 else -images


@pytest.mark.parametrize(
    ("inner", "said"), [(Export(), "torch.export does not trace"), (OnnxRuntime(), "torch.onnx does not export")]
)
def test_a_network_that_cannot_be_traced_has_the_reason(inner: Export | OnnxRuntime, said: str):
    with pytest.raises(UnavailableError, match=said) as caught:
        inner.prepare(Forking(), IMAGE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    with pytest.raises(UnavailableError, match="exports no detector"):
        inner.prepare(network(), [IMAGE[0]])


def test_a_runtime_that_may_fall_back_says_what_ran():
    inner = OnnxRuntime()
    assert inner.notes() == []
    inner.prepare(network(), IMAGE)
    (said,) = inner.notes()
    assert said.startswith("onnxruntime 1.") and "operators by CPUExecutionProvider; its memory arena on" in said


def test_what_onnxruntime_lacks_is_told(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UnavailableError, match=r"has no CoreMLExecutionProvider; it has .*CPUExecutionProvider"):
        OnnxRuntime("CoreMLExecutionProvider").prepare(network(), IMAGE)
    with pytest.raises(UsageError, match="no provider 'CPUProvider'; did you mean CPUExecutionProvider"):
        OnnxRuntime("CPUProvider").prepare(network(), IMAGE)
    with pytest.raises(UnavailableError, match="no bfloat16"):
        OnnxRuntime().prepare(network().bfloat16(), IMAGE.bfloat16())
    with pytest.raises(UnavailableError, match="does not open the network that torch exported"):
        OnnxRuntime().prepare(network().double(), IMAGE.double())
    monkeypatch.setattr(onnxruntime, "module_file", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UnavailableError, match=r"needs onnxscript.*pip install 'hrbench\[onnx\]'"):
        OnnxRuntime().prepare(network(), IMAGE)


def test_what_torch_compile_lacks_is_told(monkeypatch: pytest.MonkeyPatch):
    from torch._inductor import cpp_builder, exc

    with pytest.raises(UsageError, match="no mode 'fastest'; known: default, max-autotune"):
        Compiled("fastest")
    assert {*compiled.MODES, "lite"} == {"lite", *torch._inductor.list_mode_options()}

    def none() -> str:
        raise exc.InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(UnavailableError, match="needs a C\\+\\+ compiler on a CPU"):
        Compiled().prepare(network(), IMAGE)
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: None)
    assert Compiled().unavailable("cuda", "float32", False).startswith("torch.compile needs Triton on a GPU")


def test_too_many_sizes_are_an_error_and_not_eager_code():
    """Torch would go on with eager code, and say so only in its log."""
    runtime = Compiled()
    net = runtime.prepare(nn.Flatten(), IMAGE)
    assert torch._dynamo.config.fail_on_recompile_limit_hit
    net(IMAGE)
    assert runtime.compilations() == 1 and runtime.notes() == []
    with torch._dynamo.config.patch(recompile_limit=1), pytest.raises(Exception, match="recompile_limit"):
        for side in (4, 6, 10):
            net(IMAGE.double() if side == 6 else torch.zeros(1, 3, side, side, side)[0])


def test_eager_code_is_noticed_by_torchs_counters():
    """Where torch has no such option, or does not heed it."""
    net = Compiled().prepare(nn.Flatten(), IMAGE)
    quiet = {"recompile_limit": 1, "fail_on_recompile_limit_hit": False}
    with torch._dynamo.config.patch(quiet), pytest.raises(UnavailableError, match="went on with eager code"):
        net(IMAGE)
        net(IMAGE)  # the same graph again is no fault
        net(IMAGE.double())


class Untouched(nn.Module):
    """A network that its author keeps from the compiler."""

    @torch._dynamo.disable
    def _computed(self, images):
        return images * 2

    def forward(self, images):
        return self._computed(images)


def test_a_network_of_which_nothing_is_compiled_is_not_called_compiled():
    with pytest.raises(UnavailableError, match="compiled nothing of the network"):
        Compiled().prepare(Untouched(), IMAGE)(IMAGE)


def test_what_a_machine_lacks_is_foreseen_in_the_words_of_a_run():
    """Without a network, and by the same function that refuses one."""
    cases = {
        (CudaGraph(), RuntimeSettings("cuda-graph")): "a CUDA graph needs an NVIDIA GPU, and this is a CPU",
        (Eager(), RuntimeSettings(tf32=True)): "tf32 is a mode of NVIDIA GPUs, and this is a CPU: leave it out",
        (Eager(), RuntimeSettings(threads=8 * usable_cpus() + 1)): f"threads {8 * usable_cpus() + 1} on",
        (Export(), RuntimeSettings("export")): "",
    }
    for (inner, settings), said in cases.items():
        made = Configured(inner, settings)
        found = made.unavailable("cpu", "float32", False)
        assert found.startswith(said) and bool(found) == bool(said)
        if said:
            with pytest.raises(UnavailableError) as caught:
                made.prepare(network(), IMAGE)
            assert str(caught.value) == found
    assert "exports no detector" in Configured(Export(), RuntimeSettings("export")).unavailable("cpu", "float32", True)


def test_more_threads_than_processors_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hrbench.models.runtimes.availability.usable_cpus", lambda: 2)
    for threads, said in ((2, []), (3, ["3 threads on 2 processors, so that they wait for each other"])):
        made = Configured(Eager(), RuntimeSettings(threads=threads))
        made.prepare(network(), IMAGE)
        assert made.notes() == said


def test_onnxruntime_says_in_which_precision_it_computes_float16():
    """On most CPUs it has no kernels for it, and casts: torch's reason would not be its own."""
    made = OnnxRuntime()
    assert made.prepare(network().half(), IMAGE.half())(IMAGE.half())["mean"].dtype == torch.float16
    _, told = made.notes()
    assert re.fullmatch(r"onnxruntime (computes in float16|casts to float32 and computes 1 of 1 layers .*)", told)
    assert emulated(network(), made, torch.device("cpu"), torch.float16) is None
    assert "where torch mostly emulates it" in str(emulated(network(), Eager(), torch.device("cpu"), torch.float16))
    made.prepare(network(), IMAGE)
    assert len(made.notes()) == 1


@pytest.mark.parametrize("settings", [RuntimeSettings(channels_last=True), RuntimeSettings(fused_bn=True)])
def test_what_is_applied_before(settings: RuntimeSettings):
    net, made = network(), Configured(Eager(), settings)
    with torch.inference_mode():
        expected = net(IMAGE)
        found = made.prepare(net, IMAGE)(IMAGE)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    if settings.channels_last:
        assert net.conv.weight.is_contiguous(memory_format=torch.channels_last)
        assert found["maps"][0].is_contiguous(memory_format=torch.channels_last) and made.notes() == []
    else:
        assert isinstance(net.norm, nn.Identity) and made.notes() == ["1 of 1 batch norms folded"]


class Alone(nn.Module):
    """Another way through its code for one image, which no traced graph has."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return self.conv(images) * (2 if images.shape[0] == 1 else 1)


class Counting(nn.Module):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.calls = nn.Conv2d(3, 4, 3), 0

    def forward(self, images):
        self.calls += 1
        return self.conv(images) * self.calls


@pytest.mark.parametrize("inner", [Export(), OnnxRuntime()])
@pytest.mark.parametrize("kind", [Alone, Counting])
def test_what_computes_something_else_is_refused(inner: Export | OnnxRuntime, kind: type[nn.Module]):
    with pytest.raises(UnavailableError, match=r"(does not compute what the network does|does not trace|not export)"):
        Configured(inner, RuntimeSettings(inner.name)).prepare(kind(), IMAGE)


def test_a_folded_network_is_checked_before_it_is_compiled():
    """Other batches than those that are timed would be compiled, too, and smaller ones filled up to them."""
    made = Configured(Compiled(), RuntimeSettings("compile", fused_bn=True))
    call = made.prepare(network(), IMAGE)
    assert made.compilations() == 0 and call.largest == {} and made.notes() == ["1 of 1 batch norms folded"]
    assert made.checked > 0


def test_norms_are_folded_before_the_dtype_is_lowered():
    net = network()
    expected = Configured(Eager(), RuntimeSettings(fused_bn=True)).prepare(network(), IMAGE)
    made = Configured(Eager(), RuntimeSettings(fused_bn=True)).prepare(net, IMAGE.bfloat16())
    assert torch.equal(made.conv.weight, expected.conv.weight.bfloat16())


@pytest.mark.parametrize(
    ("net", "said"), [(nn.Conv2d(3, 3, 1), "it has none"), (nn.BatchNorm2d(3), "none of its 1 follows a layer alone")]
)
def test_a_network_without_norms_to_fold_is_told(net: nn.Module, said: str):
    with pytest.raises(UnavailableError, match=said):
        Configured(Eager(), RuntimeSettings(fused_bn=True)).prepare(net, IMAGE)


@pytest.mark.parametrize("tf32", [True, False])
def test_tf32_is_of_a_gpu(tf32: bool):
    with pytest.raises(UnavailableError, match="tf32 is a mode of NVIDIA GPUs"):
        Configured(Eager(), RuntimeSettings(tf32=tf32)).prepare(network(), IMAGE)


def test_threads_and_tf32_are_set_and_set_back():
    threads, flag = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    with pytest.raises(EntryError), in_force(RuntimeSettings(threads=threads + 1, tf32=not flag)):
        assert torch.get_num_threads() == threads + 1
        assert torch.backends.cudnn.allow_tf32 is (not flag) is torch.backends.cuda.matmul.allow_tf32
        raise EntryError("whatever happens within")
    assert torch.get_num_threads() == threads and torch.backends.cudnn.allow_tf32 is flag
    assert torch.backends.cuda.matmul.allow_tf32 is False
    with in_force(RuntimeSettings()):
        assert "torch" in sys.modules and torch.get_num_threads() == threads
