"""Models as graphs for other runtimes."""

from tidegate.export.exported import Exported, export_onnx
from tidegate.export.kinds import inputs_of
from tidegate.export.modules import to_onnx
from tidegate.export.torch_program import export_torch

__all__ = ["Exported", "export_onnx", "export_torch", "inputs_of", "to_onnx"]
