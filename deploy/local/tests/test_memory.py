"""Where a test run's servers keep their data."""

import shutil
from pathlib import Path

import pytest

from local_stack import memory


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system in memory with room."""
    made = tmp_path / "memory"
    made.mkdir()
    monkeypatch.setattr(memory, "MEMORY", made)
    monkeypatch.setattr("os.path.ismount", lambda path: path == made)
    monkeypatch.setattr(memory, "_BYTES", 0)
    return made


def test_a_brokers_data_lies_in_memory_and_is_removed_with_its_owner(tmp_path: Path, place: Path) -> None:
    owner = tmp_path / "run" / "kafka"
    made = memory.kafka_directory(owner)
    assert made.parent == place
    (made / "data").mkdir()
    memory.remove_kafka_directory(owner)
    assert list(place.iterdir()) == []


def test_data_whose_owner_was_deleted_by_hand_is_removed(tmp_path: Path, place: Path) -> None:
    gone, kept = tmp_path / "gone" / "kafka", tmp_path / "kept" / "kafka"
    memory.kafka_directory(gone)
    stays = memory.kafka_directory(kept)
    shutil.rmtree(gone)
    latest = memory.kafka_directory(tmp_path / "next" / "kafka")
    assert set(place.iterdir()) == {stays, latest}


@pytest.mark.parametrize("missing", ["no such place", "no room"])
def test_where_memory_does_not_serve_the_owners_folder_does(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "no room":
        monkeypatch.setattr(memory, "_BYTES", 2**60)
    else:
        monkeypatch.setattr("os.path.ismount", lambda _path: False)
    owner = tmp_path / "run" / "kafka"
    assert memory.memory() is None
    assert memory.kafka_directory(owner) == owner
    memory.remove_kafka_directory(owner)
    assert list(place.iterdir()) == []


def test_what_the_record_names_elsewhere_is_left_alone(tmp_path: Path, place: Path) -> None:
    owner, elsewhere = tmp_path / "kafka", tmp_path / "elsewhere"
    owner.mkdir()
    elsewhere.mkdir()
    (owner / memory._RECORD).write_text(str(elsewhere))
    memory.remove_kafka_directory(owner)
    assert elsewhere.exists()
    assert place.exists()
