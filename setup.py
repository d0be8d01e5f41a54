"""Build the optional C++ extension. Everything else about the package stands in pyproject.toml.

The extension holds the compiled CPU kernels. Without it the package works on the reference kernels, so whatever
goes wrong here (no compiler, no torch in the build environment, headers that do not compile) costs one line of
warning, never the installation. Only TIDEGATE_NATIVE=1, for continuous integration, makes it an error.
"""

import os
import sysconfig
import warnings
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
KERNELS = Path("src", "tidegate", "kernels")  # setuptools wants paths relative to this file

# The oldest torch and Python that the binary shall serve: nothing younger than these can be used by mistake.
MACROS = [("TORCH_TARGET_VERSION", "0x020a000000000000"), ("Py_LIMITED_API", "0x030b0000")]
UNIX_FLAGS = ["-std=c++20", "-O3", "-ffp-contract=fast", "-fvisibility=hidden"]
MSVC_FLAGS = ["/std:c++20", "/O2", "/EHsc"]


class OptionalBuildExt(build_ext):
    """Builds against torch, and turns every failure into a warning.

    `torch.utils.cpp_extension.BuildExtension` would set a Python version of its own for the limited API, look for
    Ninja and judge the compiler in warnings of several lines; a few files of plain C++ need none of it. torch is
    imported here and not at the top because that takes seconds, and metadata and sdist do without.
    """

    command_name = "build_ext"  # what a warning is headed with

    def run(self) -> None:
        inplace = self.inplace
        try:
            super().run()
        except Exception as error:  # distutils, torch and the system have no common base for their failures
            if os.environ.get("TIDEGATE_NATIVE") == "1":
                raise
            if inplace:
                remove_stale_libraries()
            reason = " ".join(str(error).split()) or type(error).__name__
            self.warn(
                f"the compiled CPU kernels were not built ({reason}); Tidegate will run on its slower reference "
                "kernels. To have them, install a C++20 compiler and install Tidegate again"
            )

    def build_extension(self, ext: Extension) -> None:
        with warnings.catch_warnings():  # torch misses NumPy, which a build does without
            warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
            from torch.utils import cpp_extension

        ext.include_dirs += cpp_extension.include_paths()
        ext.library_dirs += cpp_extension.library_paths()
        ext.extra_compile_args += MSVC_FLAGS if self.compiler.compiler_type == "msvc" else UNIX_FLAGS
        super().build_extension(ext)


def remove_stale_libraries() -> None:
    """Forget what an earlier build left among the sources: its operators may not be those of today's Python code."""
    for library in (ROOT / KERNELS).glob("_cpu.*"):
        library.unlink()


def sources(pattern: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / KERNELS / "cpu").glob(pattern))


def options() -> dict[str, dict[str, str]]:
    """Tag the wheel for every Python from 3.11 on, except where the interpreter has no limited API."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return {}
    return {"bdist_wheel": {"py_limited_api": "cp311"}}


setup(
    ext_modules=[
        Extension(
            "tidegate.kernels._cpu",
            sources=sources("*.cpp"),
            depends=sources("*.h"),
            define_macros=MACROS,
            libraries=["c10", "torch", "torch_cpu"],
            language="c++",
            py_limited_api=True,
        )
    ],
    cmdclass={"build_ext": OptionalBuildExt},
    options=options(),
)
