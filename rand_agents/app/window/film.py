"""Films without a display: .gif, .mp4, or the last picture as .png."""

import io
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rand_envs.core.arrays import Array
from rand_envs.core.writing import write_atomically

LAST_FRAME_SECONDS = 3.0
"""How long the end is shown before the animation starts again."""


def write_film(frames: Sequence[Array], path: Path, fps: float) -> None:
    """Write the frames, each uint8 (H, W, 3), or the last one as a .png, atomically."""
    if path.suffix == ".png":
        data = io.BytesIO()
        Image.fromarray(frames[-1]).save(data, "PNG", optimize=True)
        write_atomically(path, data.getvalue())
    elif path.suffix == ".gif":
        write_atomically(path, _gif(frames, fps))
    else:
        write_atomically(path, _mp4(frames, fps))


def _gif(frames: Sequence[Array], fps: float) -> bytes:
    paletted = _paletted([Image.fromarray(frame) for frame in frames])
    durations = [round(1000 / fps)] * (len(frames) - 1) + [round(1000 * LAST_FRAME_SECONDS)]
    data = io.BytesIO()
    paletted[0].save(
        data, "GIF", save_all=True, append_images=paletted[1:], duration=durations, loop=0
    )
    return data.getvalue()


def _mp4(frames: Sequence[Array], fps: float) -> bytes:
    from imageio_ffmpeg import write_frames

    # Both sides must be even for the commonest way to store colours.
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = write_frames(
            str(path), (width, height), fps=fps, macro_block_size=2, ffmpeg_log_level="error"
        )
        writer.send(None)
        for frame in [*frames, *[frames[-1]] * round(LAST_FRAME_SECONDS * fps)]:
            writer.send(np.ascontiguousarray(frame[:height, :width]))
        writer.close()
        return path.read_bytes()


def _paletted(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Reduce images to their 256 commonest colours, which stay exact, and those nearest.

    The palette is common to all, since one for each would flicker, and Pillow's own mapping to
    a palette turns white into grey.
    """
    counts: Counter[Any] = Counter()
    for image in images:
        for count, color in image.getcolors(image.width * image.height) or []:
            counts[color] += count
    colors = np.array([color for color, _ in counts.most_common()])
    palette = colors[:256]
    distance = ((colors[:, None] - palette) ** 2).sum(-1)
    place = np.zeros(1 << 24, np.uint8)
    code = np.array([1 << 16, 1 << 8, 1])
    place[colors @ code] = distance.argmin(-1)
    paletted = [Image.fromarray(place[np.asarray(image) @ code]) for image in images]
    for image in paletted:
        image.putpalette(palette.astype(np.uint8).tobytes())
    return paletted
