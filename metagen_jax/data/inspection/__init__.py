"""What a file or folder of the user's holds, before there is a spec. A new kind is one file here and one entry below."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from metagen_jax.data.inspection.audio_folder import inspect_audio_folder
from metagen_jax.data.inspection.findings import Findings, Proposal
from metagen_jax.data.inspection.image_folder import inspect_image_folder
from metagen_jax.data.inspection.labelled_texts import inspect_text_folder
from metagen_jax.data.inspection.npz_file import inspect_npz_file
from metagen_jax.data.inspection.tables import inspect_table
from metagen_jax.data.inspection.text_file import inspect_text_file
from metagen_jax.data.inspection.video_folder import inspect_video_folder
from metagen_jax.data.sources.audio_folder import WAVES
from metagen_jax.data.sources.class_folders import FileKind, is_hidden
from metagen_jax.data.sources.image_folder import PICTURES
from metagen_jax.data.sources.text_folder import TEXTS
from metagen_jax.data.sources.video_folder import FEWEST_FRAMES
from metagen_jax.errors import DataError

INSPECTORS: dict[str, Callable[[Path], Findings]] = {
    "npz": inspect_npz_file,
    "image_folder": inspect_image_folder,
    "text": inspect_text_file,
    "text_folder": inspect_text_folder,
    "table": inspect_table,
    "audio_folder": inspect_audio_folder,
    "video_folder": inspect_video_folder,
}
# By what is in them, in this order: notes may lie beside pictures and recordings.
FOLDERS: dict[str, FileKind] = {"image_folder": PICTURES, "audio_folder": WAVES, "text_folder": TEXTS}
SUFFIXES = {".npz": "npz", ".csv": "table", ".parquet": "table"}  # of files; any other is a text
_FRAMES = "Make a folder of pictures of each: ffmpeg -i IN -vf fps=8 FOLDER/frame%04d.png."
_SOUND = "Save sound as WAV files of whole numbers (PCM): ffmpeg -i IN -c:a pcm_s16le OUT.wav."
_ROWS = "Save it as a table, .csv or .parquet, with columns image, text or label."
OTHER_FILES = (  # and what to do with them
    dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm"), _FRAMES)
    | dict.fromkeys((".mp3", ".flac", ".ogg", ".m4a", ".aac"), _SOUND)
    | dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".7z"), "Unpack it, and name the folder.")
    | dict.fromkeys((".xlsx", ".xls", ".json", ".jsonl", ".tsv", ".arrow"), _ROWS)
    | dict.fromkeys((".pkl", ".pickle", ".pt", ".pth"), "Nothing is unpickled: save arrays with numpy.savez.")
    | {".npy": "Save images and labels as arrays of one .npz with numpy.savez."}
)

__all__ = ["INSPECTORS", "Findings", "Proposal", "inspect", "kind_of"]


def inspect(path: Path) -> Findings:
    """Reads everything below a path, files that are broken included; nothing is executed or unpickled.

    Raises:
      DataError: there is nothing, or nothing that a model could be trained on.
    """
    return INSPECTORS[kind_of(path)](path)


def kind_of(path: Path) -> str:
    """The format by which a spec would call it; for a table of any kind `table`.

    Raises:
      DataError: it is none of them; the message says what it is instead.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder\n  Name one that is there.")
    suffix = path.suffix.lower()
    if suffix in OTHER_FILES:
        raise DataError(f"{path}: files of this kind are not read\n  {OTHER_FILES[suffix]}")
    if suffix in PICTURES.suffixes:
        raise DataError(
            f"{path}: a single picture\n  Put pictures into one folder for each class, and name their parent."
        )
    if suffix in WAVES.suffixes:
        raise DataError(
            f"{path}: a single recording\n  Put recordings into one folder for each class, and name their parent."
        )
    return SUFFIXES.get(suffix, "text")


def _kind_of_folder(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file() and not is_hidden(path, folder)]
    if not files:
        raise DataError(f"{folder}: no files in it\n  Put some there, in a folder for each class.")
    if _holds_clips(folder, [path for path in files if PICTURES.includes(path, folder)]):
        return "video_folder"
    for name, kind in FOLDERS.items():
        if any(kind.includes(path, folder) for path in files):
            return name
    endings = Counter(path.suffix.lower() for path in files)
    found = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
    known = (OTHER_FILES[ending] for ending, _ in endings.most_common() if ending in OTHER_FILES)
    remedy = next(
        known, "A folder has to hold pictures, WAV files or text files; a table is one .csv or .parquet file."
    )
    raise DataError(f"{folder}: nothing in it that can be trained on ({found})\n  {remedy}")


def _holds_clips(folder: Path, pictures: Sequence[Path]) -> bool:
    """Whether most pictures lie one folder below that of a class, most of these folders with more than one.

    Single images may lie deeper than their class too, but rarely all of them.
    """
    divided = (folder / "train").is_dir()
    clips = Counter(path.parent for path in pictures if len(path.relative_to(folder).parts) == 3 + divided)
    several = sum(count >= FEWEST_FRAMES for count in clips.values())
    return 2 * clips.total() > len(pictures) and 2 * several > len(clips)
