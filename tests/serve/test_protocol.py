"""The description of the messages is what its source says, and what other clients of the protocol have."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from tritonclient.grpc import service_pb2

from tidegate.serve.protocol import POOL, SERVICE, message

FOLDER = resources.files("tidegate.serve.protocol")


def test_the_description_is_that_of_the_source(tmp_path: Path) -> None:
    from grpc_tools import protoc

    made = tmp_path / "made.binpb"
    with resources.as_file(FOLDER) as folder:
        assert protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={made}", "open_inference.proto"]) == 0
        shipped = (folder / "open_inference.binpb").read_bytes()
    read = descriptor_pb2.FileDescriptorSet.FromString
    assert read(made.read_bytes()) == read(shipped)


@pytest.mark.parametrize("name", sorted(POOL.FindFileContainingSymbol(SERVICE).message_types_by_name))
def test_messages_have_the_fields_that_other_clients_have(name: str) -> None:
    def fields(descriptor: object) -> set[tuple[str, int, int]]:
        return {(field.name, field.number, field.type) for field in descriptor.fields}  # type: ignore[attr-defined]

    ours, theirs = message(name).DESCRIPTOR, getattr(service_pb2, name).DESCRIPTOR
    assert fields(ours) == fields(theirs)
    others = theirs.nested_types_by_name
    for inner, descriptor in ours.nested_types_by_name.items():
        assert fields(descriptor) == fields(others[inner])
