"""Films without a display: .gif, .mp4, or the last picture as .png."""

import io
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rand_envs.core.arrays import Array
from rand_envs.core.writing import write_atomically
from rand_envs.rendering import Frame

LAST_FRAME_SECONDS = 3.0
"""How long the end is shown before the animation starts again."""


class Reel:
    """Pictures of one size, packed, since hundreds of them would fill the memory."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._packed: list[bytes] = []
        for frame in frames:
            self.shape = frame.shape
            self._packed.append(zlib.compress(np.ascontiguousarray(frame), 1))

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, place: int) -> Frame:
        raw = zlib.decompress(self._packed[place])
        return np.frombuffer(raw, np.uint8).reshape(self.shape)


def write_film(reel: Reel, path: Path, fps: float) -> None:
    """Write the pictures, or the last one as a .png, atomically."""
    if path.suffix == ".png":
        data = io.BytesIO()
        Image.fromarray(reel[-1]).save(data, "PNG", optimize=True)
        write_atomically(path, data.getvalue())
    elif path.suffix == ".gif":
        write_atomically(path, _gif(reel, fps))
    else:
        write_atomically(path, _mp4(reel, fps))


def _mp4(reel: Reel, fps: float) -> bytes:
    from imageio_ffmpeg import write_frames

    # Both sides must be even for the commonest way to store colours.
    height, width = (side - side % 2 for side in reel.shape[:2])
    places = [*range(len(reel)), *[-1] * round(LAST_FRAME_SECONDS * fps)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = write_frames(
            str(path), (width, height), fps=fps, macro_block_size=2, ffmpeg_log_level="error"
        )
        writer.send(None)
        for place in places:
            writer.send(np.ascontiguousarray(reel[place][:height, :width]))
        writer.close()
        return path.read_bytes()


def _gif(reel: Reel, fps: float) -> bytes:
    durations = [round(1000 / fps)] * (len(reel) - 1) + [round(1000 * LAST_FRAME_SECONDS)]
    paletted = _paletted(reel)
    data = io.BytesIO()
    next(paletted).save(
        data, "GIF", save_all=True, append_images=paletted, duration=durations, loop=0
    )
    return data.getvalue()


def _paletted(reel: Reel) -> Iterator[Image.Image]:
    """The pictures in their 256 commonest colours, which stay exact, and those nearest.

    The palette is common to all, since one for each would flicker, and Pillow's own mapping to
    a palette turns white into grey.
    """
    counts: Counter[Any] = Counter()
    for place in range(len(reel)):
        image = Image.fromarray(reel[place])
        for count, color in image.getcolors(image.width * image.height) or []:
            counts[color] += count
    colors = np.array([color for color, _ in counts.most_common()])
    palette = colors[:256]
    distance = ((colors[:, None] - palette) ** 2).sum(-1)
    nearest = np.zeros(1 << 24, np.uint8)
    nearest[_codes(colors)] = distance.argmin(-1)
    for place in range(len(reel)):
        image = Image.fromarray(nearest[_codes(reel[place])])
        image.putpalette(palette.astype(np.uint8).tobytes())
        yield image


def _codes(colors: Array) -> Array:
    """One number for each colour, (..., 3)."""
    wide = colors.astype(np.uint32)
    codes: Array = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return codes
