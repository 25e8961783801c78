"""Networks in ONNX files: `use: "onnx:net.onnx"`, run by onnxruntime on the CPU or a CUDA device.

ONNX: github.com/onnx/onnx, operator sets of "ai.onnx". The file holds network and weights; it is data and runs no code
of its own. It takes one input (N, 3, H, W) or (N, H, W, 3), whose N, H and W may be fixed: with a fixed N batches are
split, and the protocol resizes to a fixed H and W (`models.inputs.onnx`). It computes in the dtype of its input, and in
no other. Bytes are made of values in [0, 1] times 255; maps of a file with channels last are turned back.

Parameters are the elements of the file's initialisers, except 32- and 64-bit integers (shapes, indices) and running
statistics, which are buffers. Exporters mostly fold batch norms into convolutions, so their number differs a little
from that of the exported network: fewer parameters of norms, more biases. Operations are counted by
`onnx_graph.replay`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hrbench.errors import EntryError, MissingError, UnavailableError
from hrbench.models.adapters.onnx_graph import OnnxGraph, read_graph, replay
from hrbench.models.adapters.onnx_precision import opened_in_words
from hrbench.models.adapters.shared import check_task, checked, fixed_size, in_fixed_batches, library
from hrbench.models.runtimes.availability import no_provider
from hrbench.types import TASKS

DETECTIONS = ("boxes", "scores", "labels")


def build(name: str, *, task: str = "", input: tuple[int, int] | None = None) -> nn.Module:
    """The network in a file, images (N, 3, H, W), normalised, -> what its task's networks return.

    One output, as it is; segmentation and backbone: all outputs as a list where there are several. Detection: outputs
    named boxes (M, 4) x1 y1 x2 y2 in pixels of the input, scores (M,), labels (M,) as the file has them, and
    mask_crops (M, s, s) or masks (M, h, w) where there are any, for one image at a time. input: (height, width) of the
    images it will get. Raises MissingError if there is no file, InputError for a damaged file or one that is not ONNX,
    UsageError if its input has another size or form.
    """
    path = Path(name).expanduser()
    check_task(task, TASKS, f"onnx:{path.name}")
    if not path.is_file():
        raise MissingError(f"the network's file {path} is not there")
    graph = read_graph(path)
    fixed_size(f"the file {path.name}", graph.shape, input)
    return OnnxNetwork(path, graph, task)


class OnnxNetwork(nn.Module):
    """A network that onnxruntime runs. Its parameters have shapes alone: the values are in the session's own memory.

    provider: of onnxruntime; "" for that of the device.

    engine: the library that computes it.
    precision: the dtype that it computes in, whatever `.to` was called with. fixed_batch: images that the file takes at
    once, None for any number. label_names, label_count: only where the file's metadata name its classes.
    """

    engine = "onnxruntime"

    def __init__(self, path: Path, graph: OnnxGraph, task: str, provider: str = "") -> None:
        super().__init__()
        self.path, self.graph, self.task, self.provider = path, graph, task, provider
        self.precision: torch.dtype = getattr(torch, graph.dtype)
        self.fixed_batch = graph.shape[0]
        if graph.names:
            self.label_names = graph.names
            self.label_count = len(graph.names)
        self.counted = "elements of the file's initialisers, running statistics and indices left out"
        self.placeholder = torch.zeros((), dtype=self.precision)  # of no dimension, so that it takes every shape
        self._sessions: dict[str, Any] = {}
        self._precision_in_words = ""
        self._outline()

    def notes(self) -> list[str]:
        """What ran the network, where, and in which precision one of float16 on a CPU; empty before the first pass.

        onnxruntime runs on the CPU what a provider has no kernel for, silently. Its arena keeps the memory that a pass
        has once taken, so that a process holds more than the network needs.
        """
        ran = next(reversed(self._sessions.values()), None)
        if ran is None:
            return []
        said = f"onnxruntime {library('onnxruntime').__version__}: {_ran_on(ran)}; its memory arena on (the default)"
        return [said, *([f"onnxruntime {self._precision_in_words}"] if self._precision_in_words else [])]

    def _outline(self) -> None:
        """Parameters and buffers of the file's shapes, all views of one number."""
        self.initialisers = nn.ParameterList(
            nn.Parameter(self.placeholder.expand(shape), requires_grad=False) for shape in self.graph.parameters
        )
        for number, shape in enumerate(self.graph.statistics):
            self.register_buffer(f"statistics_{number}", self.placeholder.expand(shape), persistent=False)

    def _apply(self, fn: Any, recurse: bool = True) -> OnnxNetwork:
        """`.to(...)`: one number moves, so that no memory is taken for shapes."""
        self.placeholder = fn(self.placeholder)
        self._outline()
        return self

    def __getstate__(self) -> dict[str, Any]:
        """A copy opens sessions of its own."""
        return {**self.__dict__, "_sessions": {}}

    def forward(self, images: Any) -> Any:
        if self.task == "detection":
            return [self._detections(image) for image in images]
        return checked(self._taken(self._outputs(images)), self.task, f"onnx:{self.path.name}")

    def _outputs(self, images: Tensor) -> list[Tensor]:
        """All outputs of a batch, one after the other where the file's batch is smaller."""
        if images.is_meta:
            return replay(self.graph, images)
        if images.dtype != self.precision:
            wanted, given = (str(dtype).removeprefix("torch.") for dtype in (self.precision, images.dtype))
            raise RuntimeError(f"the file {self.path.name} computes in {wanted}, not in {given}")
        self._check_size(images)
        return in_fixed_batches(images, self.fixed_batch, self._run)

    def _check_size(self, images: Tensor) -> None:
        """Raises EntryError, with both shapes, for images of another size than the file's."""
        own = self.graph.shape[2:]
        if any(side not in (None, given) for side, given in zip(own, images.shape[2:], strict=True)):
            shapes = [
                "x".join("any" if side is None else str(side) for side in each) for each in (own, images.shape[2:])
            ]
            raise EntryError(
                f"the file {self.path.name} takes images of {shapes[0]} (height x width) and was given {shapes[1]}: "
                "let the protocol resize to that size (segmentation: size: squash, crop, multiple: 1; detection: "
                "resize: fixed), or export the file with a dynamic height and width"
            )

    def _as_taken(self, images: Tensor) -> Tensor:
        """Images as the file takes them: bytes, channels last."""
        if self.graph.takes == "uint8":
            if images.numel() and (float(images.min()) < 0 or float(images.max()) > 1):
                raise EntryError(
                    f"the file {self.path.name} takes bytes from 0 to 255, and was given values from "
                    f"{float(images.min()):g} to {float(images.max()):g}: set mean: [0, 0, 0] and std: [1, 1, 1]"
                )
            images = (images * 255).round().to(torch.uint8)
        return images.permute(0, 2, 3, 1) if self.graph.channels_last else images

    def _taken(self, outputs: list[Tensor]) -> Any:
        if self.graph.channels_last:
            outputs = [each.permute(0, 3, 1, 2) if each.ndim == 4 else each for each in outputs]
        if self.task == "segmentation":  # class numbers (N, H, W) of an ArgMax, which keeps no dimension
            outputs = [each[:, None] if each.ndim == 3 and not each.is_floating_point() else each for each in outputs]
        if len(outputs) == 1:
            return [outputs[0]] if self.task == "backbone" else outputs[0]
        if self.task in ("segmentation", "backbone"):
            return outputs
        return dict(zip(self.graph.outputs, outputs, strict=True))

    def _detections(self, image: Tensor) -> dict[str, Tensor]:
        missing = [name for name in DETECTIONS if name not in self.graph.outputs]
        if missing:
            raise EntryError(
                f"onnx:{self.path.name} has outputs {', '.join(self.graph.outputs)}; a detector's are named "
                f"{', '.join(DETECTIONS)}, and mask_crops or masks where there are any"
            )
        found = dict(zip(self.graph.outputs, self._outputs(image[None]), strict=True))
        ranks = {"boxes": 2, "scores": 1, "labels": 1, "masks": 3, "mask_crops": 3}
        single = {name: found[name].reshape(found[name].shape[-rank:]) for name, rank in ranks.items() if name in found}
        dtypes = {"labels": torch.int64, "masks": torch.bool}
        if "masks" in single and single["masks"].is_floating_point():
            single["masks"] = single["masks"] > 0.5
        return {name: value.to(dtypes.get(name, torch.float32)) for name, value in single.items()}

    # --- onnxruntime

    def _run(self, images: Tensor) -> list[Tensor]:
        device = self.placeholder.device
        session = self._session(device)
        images = self._as_taken(images)
        if device.type == "cuda":
            return _run_on_cuda(session, images.to(device).contiguous(), device)
        try:
            outputs = session.run(None, {self.graph.input: np.ascontiguousarray(images.cpu().numpy())})
        except Exception as error:
            if type(error).__name__ != "InvalidArgument":  # others may be of memory, which a smaller batch can help
                raise
            given = "x".join(map(str, images.shape))
            what = " ".join(str(error).split())
            raise EntryError(f"onnxruntime refused images of {given} for {self.path.name}: {what}") from error
        return [torch.from_numpy(np.asarray(output)) for output in outputs]

    def _session(self, device: torch.device) -> Any:
        """A session on the device, opened on first use; EntryError if onnxruntime has no provider for it."""
        if str(device) in self._sessions:
            return self._sessions[str(device)]
        runtime = library("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()  # what latencies say they were measured with
        options.log_severity_level = 3
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")  # for `notes`
        providers: list[Any] = ["CPUExecutionProvider"]
        there = runtime.get_available_providers()
        if self.provider and self.provider not in there:
            raise UnavailableError(no_provider(runtime.__version__, self.provider, there))
        if self.provider not in ("", providers[0]):
            providers.insert(0, self.provider)
        elif device.type == "cuda":
            if "CUDAExecutionProvider" not in there:
                raise EntryError(
                    f"onnx:{self.path.name} is to run on {device}; onnxruntime {runtime.__version__} has only "
                    f"{', '.join(there)}: pip install onnxruntime-gpu in its place, or use --device cpu"
                )
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))

        def opened(options: Any) -> Any:
            return runtime.InferenceSession(str(self.path), options, providers=providers)

        try:
            if self.precision == torch.float16 and device.type == "cpu":
                session, self._precision_in_words = opened_in_words(opened, options)
            else:
                session = opened(options)
        except Exception as error:  # its kinds of errors are of no common class
            raise EntryError(f"onnxruntime does not open {self.path}: {' '.join(str(error).split())[:300]}") from error
        if device.type == "cuda" and not self.provider and session.get_providers()[0] != "CUDAExecutionProvider":
            raise EntryError(f"onnxruntime could not use {device} for {self.path.name}: are its CUDA libraries there?")
        if self.provider and session.get_providers()[0] != self.provider:
            raise UnavailableError(f"onnxruntime could not use {self.provider}: are its libraries there?")
        self._sessions[str(device)] = session
        return session


def _ran_on(session: Any) -> str:
    """Which provider runs how many operators of a session, in words; onnxruntime before 1.24 names providers alone."""
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # older releases have no such method, or take no such option
        return f"providers {', '.join(session.get_providers())}"
    counts: Counter[str] = Counter()
    for part in parts:
        counts[part.ep_name] += len(part.get_nodes())
    return ", ".join(f"{count} operators by {name}" for name, count in counts.most_common())


def _run_on_cuda(session: Any, images: Tensor, device: torch.device) -> list[Tensor]:
    """Outputs on the device, the input read where it lies: nothing but the network's own work is done in between."""
    torch.cuda.current_stream(device).synchronize()  # onnxruntime has a stream of its own
    binding, index = session.io_binding(), device.index or 0
    kind = np.dtype(str(images.dtype).removeprefix("torch."))
    first = session.get_inputs()[0].name
    binding.bind_input(first, "cuda", index, kind, tuple(images.shape), images.data_ptr())
    for output in session.get_outputs():
        binding.bind_output(output.name, "cuda", index)
    session.run_with_iobinding(binding)
    return [torch.from_dlpack(value) if hasattr(value, "__dlpack__") else torch.from_numpy(value.numpy()).to(device)
            for value in binding.get_outputs()]  # fmt: skip
